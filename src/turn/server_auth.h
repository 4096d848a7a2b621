#pragma once

#include <array>
#include <optional>
#include <string>
#include <unordered_map>

#include "parley/base/environment.h"
#include "parley/crypto/hash.h"
#include "parley/stun/long_term.h"
#include "parley/stun/message.h"
#include "parley/turn/server.h"

namespace parley::turn {

/// The server's side of the long-term credential mechanism (RFC 8489 section 9.2.4). Nonces are
/// signed times: nothing is remembered about who was challenged.
class ServerAuth {
 public:
  ServerAuth(Environment& environment, const ServerConfig& config);

  /// Who a request is from, and with what to sign the answer.
  struct Identity {
    std::string username;
    std::string account;  ///< whose quota counts: of a time-limited name what follows the time
    stun::LongTermKey key;
    bool sha256 = false;
  };
  struct Verdict {
    std::optional<Identity> identity;
    stun::StunError error = stun::StunError::Unauthenticated;  ///< if there is no identity
  };
  /// `knownUser`: of the allocation that the request is about, if any; for it a time-limited name
  /// may have run out meanwhile.
  Verdict authenticate(const stun::Message& request, const IpAddress& source,
                       const std::string* knownUser, Timestamp now) const;
  /// REALM, NONCE and PASSWORD-ALGORITHMS of a 401 or 438.
  void addChallenge(stun::MessageBuilder& error, const IpAddress& source, Timestamp now) const;
  static void sign(stun::MessageBuilder& answer, const Identity& identity);

 private:
  std::string nonce(const IpAddress& source, Timestamp now) const;
  bool isFresh(std::string_view nonce, const IpAddress& source, Timestamp now) const;
  std::string sealTime(uint32_t seconds, const IpAddress& source) const;
  std::optional<std::string> username(const stun::Message& request) const;
  std::optional<std::string> password(const std::string& username, bool known, Timestamp now,
                                      size_t attempt) const;
  /// nullopt: 400. What the client chose, or MD5 if it chose nothing.
  std::optional<stun::PasswordAlgorithm> algorithm(const stun::Message& request) const;

  Environment& env_;
  const ServerConfig& config_;
  std::array<uint8_t, 32> secret_;
  std::string prefix_;
  std::unordered_map<std::string, std::string> users_;   ///< name -> password
  std::unordered_map<std::string, std::string> hashes_;  ///< USERHASH -> name
  Bytes algorithms_;
};

}  // namespace parley::turn
