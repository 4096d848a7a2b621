#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley {

/// RTCIceCandidate: the candidate-attribute without "a=", and where it belongs. An empty
/// `candidate` says that no more candidates follow for the ICE generation of `usernameFragment`.
struct PARLEY_EXPORT IceCandidate {
  std::string candidate;
  std::optional<std::string> sdpMid;
  std::optional<uint16_t> sdpMLineIndex;
  std::optional<std::string> usernameFragment;

  // Of candidates that this end has gathered only.
  /// "udp", "tcp" or "tls": how a relayed one reaches its TURN server.
  std::optional<std::string> relayProtocol{};
  /// The STUN or TURN server that it was learnt from.
  std::optional<std::string> url{};

  /// The attributes that RTCIceCandidate reads out of the candidate line.
  struct Parsed {
    std::string foundation;
    uint16_t component = 1;
    uint32_t priority = 0;
    std::string address;
    std::string protocol;  ///< "udp" or "tcp"
    uint16_t port = 0;
    std::string type;  ///< "host", "srflx", "prflx" or "relay"
    std::optional<std::string> tcpType;
    std::optional<std::string> relatedAddress;
    std::optional<uint16_t> relatedPort;
  };
  /// Nothing for an end-of-candidates mark or a line that does not parse.
  std::optional<Parsed> parse() const;
};

}  // namespace parley
