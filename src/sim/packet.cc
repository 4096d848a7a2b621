#include "parley/sim/packet.h"

namespace parley::sim {

const char* toString(PacketClass packetClass) {
  switch (packetClass) {
    case PacketClass::Stun:
      return "stun";
    case PacketClass::Zrtp:
      return "zrtp";
    case PacketClass::Dtls:
      return "dtls";
    case PacketClass::TurnChannel:
      return "turn-channel";
    case PacketClass::Rtp:
      return "rtp";
    case PacketClass::Rtcp:
      return "rtcp";
    case PacketClass::Mdns:
      return "mdns";
    case PacketClass::Tcp:
      return "tcp";
    case PacketClass::Other:
      break;
  }
  return "other";
}

uint32_t Packet::wireSize() const {
  const uint32_t ip = to.ip.isV4() ? 20 : 40;
  const uint32_t transport = protocol == Protocol::Udp ? 8 : 20;
  return static_cast<uint32_t>(data.size()) + transport + ip;
}

PacketMatcher ofClass(PacketClass packetClass) {
  return [packetClass](const Packet& packet) { return packet.packetClass == packetClass; };
}

PacketClass classify(ByteSpan payload, uint16_t fromPort, uint16_t toPort) {
  constexpr uint16_t kMdnsPort = 5353;
  if (fromPort == kMdnsPort || toPort == kMdnsPort) return PacketClass::Mdns;
  if (payload.empty()) return PacketClass::Other;
  const uint8_t first = payload[0];
  if (first <= 3) return PacketClass::Stun;
  if (first >= 16 && first <= 19) return PacketClass::Zrtp;
  if (first >= 20 && first <= 63) return PacketClass::Dtls;
  if (first >= 64 && first <= 79) return PacketClass::TurnChannel;
  if (first < 128 || first > 191 || payload.size() < 2) return PacketClass::Other;
  return payload[1] >= 192 && payload[1] <= 223 ? PacketClass::Rtcp : PacketClass::Rtp;
}

}  // namespace parley::sim
