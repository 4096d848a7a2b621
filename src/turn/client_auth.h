#pragma once

#include <string>

#include "parley/stun/long_term.h"
#include "parley/stun/message.h"

namespace parley::turn {

/// The client's side of the long-term credential mechanism (RFC 8489 section 9.2).
class ClientAuth {
 public:
  ClientAuth(std::string username, std::string password)
      : username_(std::move(username)), password_(std::move(password)) {}

  /// True once a challenge was taken: requests are then to be signed.
  bool ready() const { return !key_.empty(); }
  const std::string& realm() const { return realm_; }
  /// Takes realm, nonce and password algorithms of a 401 or 438. False (and unchanged) if they are
  /// unusable, or look like the work of somebody who wants weaker credentials.
  bool challenge(const stun::Message& error);
  /// Who we are: everything but the signature.
  void addTo(stun::MessageBuilder& request) const;
  void sign(stun::MessageBuilder& request) const;
  stun::IntegrityCheck verify(const stun::Message& response) const;

 private:
  std::string username_;
  std::string password_;
  std::string realm_;
  std::string nonce_;
  Bytes offered_;  ///< PASSWORD-ALGORITHMS as it came; empty: none, and so MD5 and SHA-1
  stun::PasswordAlgorithm algorithm_ = stun::PasswordAlgorithm::Md5;
  bool anonymous_ = false;
  stun::LongTermKey key_;
};

}  // namespace parley::turn
