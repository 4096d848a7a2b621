#pragma once

#include <cstdint>
#include <functional>

#include "parley/base/address.h"
#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"

namespace parley::sim {

class Host;

enum class Protocol : uint8_t { Udp, Tcp };

/// What a datagram is, from its first bytes (RFC 7983 section 7; RTCP by RFC 5761 section 4).
enum class PacketClass : uint8_t { Stun, Zrtp, Dtls, TurnChannel, Rtp, Rtcp, Mdns, Tcp, Other };

PARLEY_EXPORT const char* toString(PacketClass packetClass);

/// The part of a TCP header that the simulated streams need. Offsets start at 0 with the SYN and
/// are 64 bits wide, so they never wrap.
struct TcpHeader {
  uint64_t sequence = 0;
  uint64_t acknowledged = 0;
  uint64_t window = 1u << 20;  ///< bytes that there is room for
  bool syn = false;
  bool ack = false;
  bool fin = false;
  bool rst = false;
};

/// An IP packet on its way through the simulated network. Move-only; lives in the World's own pool.
struct PARLEY_EXPORT Packet {
  SocketAddress from;
  SocketAddress to;
  PacketBuf data;   ///< UDP or TCP payload
  TcpHeader tcp{};  ///< meaningful if protocol is Tcp
  Protocol protocol = Protocol::Udp;
  PacketClass packetClass = PacketClass::Other;
  TxClass txClass = TxClass::Control;
  Ecn ecn = Ecn::NotEct;
  uint8_t dscp = 0;
  uint8_t hopsLeft = 64;

  /// Bytes on the wire: payload with UDP (8) or TCP (20) and IP (20 or 40) headers.
  uint32_t wireSize() const;
};

/// A packet seen at a host, as hooks get it.
struct DatagramEvent {
  Timestamp time;
  const Host& host;
  const Packet& packet;
};

/// Chooses packets in link scripts, hooks and firewalls.
using PacketMatcher = std::function<bool(const Packet&)>;

/// A matcher for one class.
PARLEY_EXPORT PacketMatcher ofClass(PacketClass packetClass);

/// Sorts a UDP payload; ports tell mDNS (5353) apart.
PARLEY_EXPORT PacketClass classify(ByteSpan payload, uint16_t fromPort, uint16_t toPort);

}  // namespace parley::sim
