#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/export.h"

namespace parley::sdp {

/// Between the two ends, whatever leads to a relay.
enum class CandidateTransport : uint8_t { Udp, Tcp };
/// How a candidate was found (RFC 8445 section 5.1.1).
enum class CandidateType : uint8_t {
  Host,             ///< an address of the machine
  ServerReflexive,  ///< what a STUN or TURN server sees of it
  PeerReflexive,    ///< what the peer sees of it
  Relay             ///< an address of a TURN server
};
/// Who opens the connection (RFC 6544 section 4.5).
enum class TcpCandidateType : uint8_t {
  Active,           ///< this end, from any port
  Passive,          ///< the other end
  SimultaneousOpen  ///< both at once
};

/// "udp", "tcp".
PARLEY_EXPORT const char* toString(CandidateTransport transport);
/// "host", "srflx", "prflx", "relay".
PARLEY_EXPORT const char* toString(CandidateType type);
/// "active", "passive", "so".
PARLEY_EXPORT const char* toString(TcpCandidateType type);

/// One ICE candidate as text has it (RFC 8839 section 5.1, RFC 6544 section 4.5).
struct PARLEY_EXPORT CandidateLine {
  struct Extension {
    std::string name;
    std::string value;
    bool operator==(const Extension&) const = default;
  };

  std::string foundation;  ///< 1..32 ice-chars
  uint16_t component = 1;  ///< 1..256
  CandidateTransport transport = CandidateTransport::Udp;
  uint32_t priority = 1;  ///< 1..2^31-1
  /// Meaningless when `hostname` is set.
  IpAddress address{};
  /// An mDNS name such as "1f4712db-ea17-4bcf-a596-105139dfd8bf.local", else empty.
  std::string hostname{};
  uint16_t port = 9;
  CandidateType type = CandidateType::Host;
  /// raddr and rport. Only for diagnostics; 0.0.0.0 and port 0 or 9 when the peer hides it.
  std::optional<SocketAddress> relatedAddress{};
  std::optional<TcpCandidateType> tcpType{};
  /// Everything after the known fields, in order: generation, ufrag, network-id, network-cost and
  /// whatever else a peer adds.
  std::vector<Extension> extensions{};

  /// The value of the first extension with this name.
  std::optional<std::string_view> extension(std::string_view name) const;
  /// The generation that the candidate belongs to, if the line says.
  std::optional<std::string_view> ufrag() const { return extension("ufrag"); }

  bool operator==(const CandidateLine&) const = default;
};

/// Parses "candidate:..." with or without a leading "a=". nullopt if malformed, or if the address
/// is one that nobody may send to: unspecified, multicast, broadcast, IPv4-mapped, or a host name
/// other than a single label under ".local" (any other name could make us resolve what the peer
/// wants). The empty string, which means "no more candidates" in the W3C API, is not a candidate.
PARLEY_EXPORT std::optional<CandidateLine> parseCandidate(std::string_view text);

/// "candidate:..." without "a=" and without line end.
PARLEY_EXPORT std::string writeCandidate(const CandidateLine& candidate);

}  // namespace parley::sdp
