#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/sdp/candidate_line.h"

namespace parley {

/// RTCIceProtocol (webrtc-pc section 4.8.1): "udp" or "tcp".
using IceProtocol = sdp::CandidateTransport;
/// RTCIceCandidateType (webrtc-pc section 4.8.1): "host", "srflx", "prflx" or "relay".
using IceCandidateType = sdp::CandidateType;
/// RTCIceTcpCandidateType (webrtc-pc section 4.8.1): "active", "passive" or "so".
using IceTcpCandidateType = sdp::TcpCandidateType;
/// RTCIceServerTransportProtocol (webrtc-pc section 4.8.1): how a TURN server is reached.
enum class IceServerTransportProtocol { Udp, Tcp, Tls };
/// The W3C spelling: "tls".
PARLEY_EXPORT const char* toString(IceServerTransportProtocol protocol);

/// RTCIceCandidate and RTCIceCandidateInit (webrtc-pc section 4.8.1): the candidate-attribute
/// without "a=", and where it belongs. An empty `candidate` says that no more candidates follow for
/// the ICE generation of `usernameFragment`.
struct PARLEY_EXPORT IceCandidate {
  std::string candidate;                          ///< RFC 8839 section 5.1
  std::optional<std::string> sdpMid{};            ///< a=mid of the section that it is for
  std::optional<uint16_t> sdpMLineIndex{};        ///< or its index; not looked at beside sdpMid
  std::optional<std::string> usernameFragment{};  ///< of its ICE generation; nothing: the newest

  // Of candidates that this end has gathered only.
  /// How a relayed one reaches its TURN server; Udp also for DTLS, which the W3C does not name.
  std::optional<IceServerTransportProtocol> relayProtocol{};
  /// The STUN or TURN server that it was learnt from.
  std::optional<std::string> url{};

  /// The attributes that RTCIceCandidate reads out of the candidate line.
  struct Parsed {
    std::string foundation;   ///< the same for candidates that are found alike
    uint16_t component = 1;   ///< 1: RTP, 2: RTCP
    uint32_t priority = 0;    ///< the higher the better
    std::string address;      ///< an IP address, or a name that ends with ".local"
    IceProtocol protocol{};   ///< between the two ends
    uint16_t port = 0;        ///< at that address
    IceCandidateType type{};  ///< how it was found
    std::optional<IceTcpCandidateType> tcpType;  ///< who opens the connection
    std::optional<std::string> relatedAddress;   ///< what it stands for, unless it is "host"
    std::optional<uint16_t> relatedPort;         ///< at that address
  };
  /// Nothing for an end-of-candidates mark or a line that does not parse.
  std::optional<Parsed> parse() const;
};

}  // namespace parley
