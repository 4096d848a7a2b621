#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/address.h"
#include "parley/base/export.h"
#include "parley/base/random.h"

namespace parley::ice {

enum class CandidateType : uint8_t { Host, ServerReflexive, PeerReflexive, Relay };
enum class Protocol : uint8_t { Udp, Tcp };
/// RFC 6544 section 4.5.
enum class TcpType : uint8_t { Active, Passive, SimultaneousOpen };
enum class Role : uint8_t { Controlling, Controlled };

PARLEY_EXPORT const char* toString(CandidateType type);  ///< as in SDP: "host", "srflx", ...
PARLEY_EXPORT const char* toString(TcpType type);        ///< as in SDP: "active", "passive", "so"
PARLEY_EXPORT const char* toString(Role role);

/// One transport address that ICE may use (RFC 8445 section 4), as a plain value. Its text form
/// belongs to the sdp layer.
struct Candidate {
  std::string foundation;  ///< 1 to 32 ice-chars; equal for candidates that live and die together
  uint32_t component = 1;  ///< 1; others are not used because RTCP is always multiplexed
  Protocol protocol = Protocol::Udp;
  uint32_t priority = 0;  ///< 1 to 2^31-1
  SocketAddress address;  ///< if `hostname` is set only the port means something
  std::string hostname;   ///< "<uuid>.local" while the address is hidden behind mDNS, else empty
  CandidateType type = CandidateType::Host;
  std::optional<SocketAddress> relatedAddress;  ///< base of a reflexive, mapped one of a relayed
  std::optional<TcpType> tcpType;
  std::string ufrag;                   ///< user fragment of its ICE generation; empty = unknown
  std::optional<uint32_t> generation;  ///< the "generation" extension, only to be shown
  std::string url;                     ///< local only: the STUN or TURN server it was learnt from
  std::string relayProtocol;  ///< local relayed ones only: "udp", "tcp" or "tls" to the server
  /// Local only: the address that packets leave from. Unset = `address` itself.
  std::optional<SocketAddress> base;

  bool operator==(const Candidate&) const = default;
};

struct Credentials {
  std::string ufrag;     ///< 4 to 256 ice-chars
  std::string password;  ///< 22 to 256 ice-chars

  /// Fresh ones: 48 and 144 random bits (RFC 8445 section 5.3 asks for 24 and 128).
  PARLEY_EXPORT static Credentials generate(Random& random);
  bool operator==(const Credentials&) const = default;
};

/// Recommended type preferences (RFC 8445 section 5.1.2.2): host 126, prflx 110, srflx 100, relay
/// 0. Over TCP: host 90, prflx 80, srflx 70, relay 0: RFC 6544 section 4.2 leaves it to us how far
/// they stand back. Here every direct UDP path comes first, and any TCP path before a relayed one.
PARLEY_EXPORT uint32_t typePreference(CandidateType type, Protocol protocol = Protocol::Udp);
/// 2^24 * type preference + 2^8 * local preference + (256 - component), RFC 8445 section 5.1.2.1.
PARLEY_EXPORT uint32_t candidatePriority(CandidateType type, uint16_t localPreference,
                                         uint32_t component = 1, Protocol protocol = Protocol::Udp);
/// The type (RFC 6544) of the other end of a connection: active and passive candidates
/// belong together, and simultaneous-open ones among themselves (section 6.2).
PARLEY_EXPORT TcpType counterpartOf(TcpType type);
/// What stands for the port in active candidates (RFC 6544 section 4.5): the "discard" port.
constexpr uint16_t kActivePort = 9;
/// RFC 6544 section 4.2: the local preference of a TCP candidate, 2^13 * direction + other
/// (`other` below 2^13).
PARLEY_EXPORT uint16_t tcpLocalPreference(CandidateType type, TcpType tcpType, uint16_t other);
/// 2^32 * min(G,D) + 2 * max(G,D) + (G > D), RFC 8445 section 6.1.2.3.
PARLEY_EXPORT uint64_t pairPriority(uint32_t controlling, uint32_t controlled);

/// True for `<version 4 uuid>.local`: the only kind of name that a candidate may carry (section 3.2
/// of draft-ietf-mmusic-mdns-ice-candidates). Any other name must not be looked up at all: it would
/// let a peer make this host send DNS queries.
PARLEY_EXPORT bool isMdnsCandidateName(std::string_view hostname);

/// Whether an address given by a peer may be sent to at all: a port, no unspecified, multicast or
/// broadcast address, nothing that hides IPv4 in IPv6 (checked on the canonical form). Loopback is
/// allowed here; the Agent pairs it with loopback only. `denyPrivate` also refuses loopback,
/// private and link-local ranges, for servers whose inner network a candidate must not reach.
PARLEY_EXPORT bool isAcceptableRemote(const SocketAddress& address, bool denyPrivate);

/// Whether a TCP connection may be opened to a port that a peer names. What listens below 1024 is
/// seldom a peer, and what it would be sent may mean something to it: only 80 and 443, which
/// firewalls let through, and with `denyPrivate` none.
PARLEY_EXPORT bool isAcceptableTcpPort(uint16_t port, bool denyPrivate);

}  // namespace parley::ice
