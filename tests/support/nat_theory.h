#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace parley::test {

/// Where a peer sits in the matrix of networks.
enum class NetKind : uint8_t {
  Open,        ///< a public IPv4 address
  NatEi,       ///< mapping and filtering endpoint-independent
  NatAd,       ///< both address-dependent
  NatApd,      ///< both address-and-port-dependent
  UdpBlocked,  ///< nothing leaves but TCP to port 443
  TcpOnly,     ///< nothing leaves but TCP, to any port; peers of such listen on TCP
  V6Only,      ///< a global IPv6 address and nothing else
  DualStack,   ///< IPv4 behind a home router, IPv6 without translation
  CarrierNat,  ///< a home router behind a carrier's; two such peers have one carrier
  SharedNat,   ///< two such peers sit behind one NAT, which keeps its clients from each other
};
constexpr std::array kNetKinds = {
    NetKind::Open,    NetKind::NatEi,  NetKind::NatAd,     NetKind::NatApd,     NetKind::UdpBlocked,
    NetKind::TcpOnly, NetKind::V6Only, NetKind::DualStack, NetKind::CarrierNat, NetKind::SharedNat};

inline const char* toString(NetKind kind) {
  constexpr std::array kNames = {"open",     "nat_ei",  "nat_ad",     "nat_apd",     "udp_blocked",
                                 "tcp_only", "v6_only", "dual_stack", "carrier_nat", "shared_nat"};
  return kNames[static_cast<size_t>(kind)];
}

/// Best first.
enum class NetPath : uint8_t { Host, Reflexive, Relay, None };
inline const char* toString(NetPath path) {
  constexpr std::array kNames = {"host", "srflx", "relay", "none"};
  return kNames[static_cast<size_t>(path)];
}

/// What follows about paths from RFC 4787's terms alone; it knows nothing of ICE or of this
/// library.
struct NetTheory {
  enum class Dependence : uint8_t { Endpoint, Address, AddressAndPort };
  struct Side {
    bool udp = true;
    bool tcp = true;  ///< out, to any port
    bool v6 = false;
    bool v4 = true;
    bool translated = false;  ///< of IPv4
    Dependence mapping = Dependence::Endpoint;
    Dependence filtering = Dependence::Endpoint;
  };
  static Side sideOf(NetKind kind) {
    using D = Dependence;
    Side side;
    switch (kind) {
      case NetKind::Open:
        break;
      case NetKind::NatEi:
        side.translated = true;
        break;
      case NetKind::NatAd:
        side.translated = true;
        side.mapping = side.filtering = D::Address;
        break;
      case NetKind::NatApd:
        side.translated = true;
        side.mapping = side.filtering = D::AddressAndPort;
        break;
      case NetKind::UdpBlocked:
        side.tcp = false;
        [[fallthrough]];
      case NetKind::TcpOnly:
        side.udp = false;
        break;
      case NetKind::V6Only:
        side.v4 = false;
        side.v6 = true;
        break;
      case NetKind::DualStack:
        side.v6 = true;
        [[fallthrough]];
      case NetKind::CarrierNat:
      case NetKind::SharedNat:
        side.translated = true;
        side.filtering = D::AddressAndPort;
        break;
    }
    return side;
  }

  /// Whether a packet of `from` gets to `to` by the address that `to` learnt from a server, after
  /// `to` has sent to the address that `from` learnt. A mapping that depends on the destination is
  /// another one than that: what comes to the learnt address finds a filter that knows the server
  /// only.
  static bool entersBy(const Side& to, const Side& from) {
    if (to.mapping != Dependence::Endpoint) return false;
    // `to` has opened its filter for the learnt address of `from`. From there, by port, come only
    // the packets of an endpoint-independent mapping; by address all do.
    return to.filtering != Dependence::AddressAndPort || from.mapping == Dependence::Endpoint;
  }

  /// Whether one connects to where the other listens. Only who has no UDP needs to.
  static bool reachesByTcp(const Side& from, const Side& to) {
    return !from.udp && from.tcp && from.v4 && to.udp && to.v4 && !to.translated;
  }

  /// The best path between two such peers. `relays`: both have a server that they reach by UDP, and
  /// by TLS on port 443, over both IP versions, and that relays for both.
  static NetPath best(NetKind a, NetKind b, bool relays) {
    const Side x = sideOf(a);
    const Side y = sideOf(b);
    if (x.udp && y.udp) {
      if (x.v6 && y.v6) return NetPath::Host;
      if (x.v4 && y.v4) {
        if (!x.translated && !y.translated) return NetPath::Host;
        // Who is public answers to where a packet came from; else one packet has to get through
        // first, and the answers take the way back.
        if (!x.translated || !y.translated || entersBy(x, y) || entersBy(y, x))
          return NetPath::Reflexive;
      }
    }
    if (reachesByTcp(x, y) || reachesByTcp(y, x)) return NetPath::Host;
    // A relay stands in the open, on both IP versions. Whether one or two of them are on the path
    // is not told apart: the priorities of RFC 8445 do not either.
    return relays ? NetPath::Relay : NetPath::None;
  }

  /// Round trips of the direct way from the answer to the first byte on a data channel that waits
  /// for its `open` event, without loss and pacing. Servers are one round trip away, like the peer
  /// and the name service; signalling takes half of one.
  static double roundTrips(NetKind offerer, NetKind answerer, NetPath path) {
    const Side x = sideOf(offerer);
    const Side y = sideOf(answerer);
    // ICE 1, DTLS 1.2 2, SCTP 1, and half for the byte. The offerer's check can be the first to get
    // through: it begins when the answer has come.
    constexpr double kSetup = 4.5;
    constexpr double kSetupBehindFilter = 5.5;
    constexpr double kTcp = 1;
    // The answerer gathers from when it answers on: the server's name, then what it is asked.
    constexpr double kReflexive = 1 + 1;
    constexpr double kRelayByUdp = 1 + 2;          // 401, Allocate
    constexpr double kRelayByTls = 1 + 1 + 2 + 2;  // TCP, TLS, 401, Allocate
    switch (path) {
      case NetPath::None:
        return 0;
      case NetPath::Host:
        // The connection first. If the offerer makes it, after the answer, its check is the first
        // there, and the answerer's follows.
        if (!x.udp) return kSetupBehindFilter + kTcp;
        return y.udp ? kSetup : kSetup + kTcp;
      case NetPath::Reflexive: {
        // No server has a part in it where one side is public: it answers the other's checks.
        if (!x.translated) return kSetup;
        if (!y.translated) return kSetupBehindFilter;
        const bool open = x.filtering == Dependence::Endpoint;
        return kReflexive + (open ? kSetup : kSetupBehindFilter);
      }
      case NetPath::Relay:
        break;
    }
    // By way of the relay every round trip takes two.
    return (x.udp && y.udp ? kRelayByUdp : kRelayByTls) + 2 * kSetup;
  }
};

}  // namespace parley::test
