#pragma once

#include <cstdint>

#include "parley/base/bytes.h"

namespace parley::transport {

/// What a datagram on a shared port is, by its first byte (RFC 7983 section 7, RFC 9443).
enum class PacketClass : uint8_t { Stun, Dtls, Rtp, Unknown };

constexpr PacketClass classify(ByteSpan datagram) {
  if (datagram.empty()) return PacketClass::Unknown;
  const uint8_t first = datagram[0];
  if (first <= 3) return PacketClass::Stun;
  if (first >= 20 && first <= 63) return PacketClass::Dtls;
  if (first >= 128 && first <= 191) return PacketClass::Rtp;
  // 16..19 ZRTP, 64..79 TURN channels, the rest QUIC or unassigned: not for us on this socket.
  return PacketClass::Unknown;
}

/// RTP or RTCP: the second byte of RTCP is a packet type from 192 to 223 (RFC 5761 section 4).
constexpr bool isRtcp(ByteSpan packet) {
  return packet.size() >= 2 && packet[1] >= 192 && packet[1] <= 223;
}

}  // namespace parley::transport
