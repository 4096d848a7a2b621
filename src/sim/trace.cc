#include "parley/sim/trace.h"

#include <array>

#include "parley/base/bytes.h"

namespace parley::sim {
namespace {

constexpr uint8_t kDtlsHandshakeContentType = 22;

uint32_t stableSize(const Packet& packet) {
  const bool handshake =
      packet.packetClass == PacketClass::Dtls && packet.data.data()[0] == kDtlsHandshakeContentType;
  return handshake ? 0 : static_cast<uint32_t>(packet.data.size());
}

}  // namespace

std::string TraceRecord::toString() const {
  return std::to_string(time.nanos()) + (arrival ? " in  " : " out ") + from.toString() + " > " +
         to.toString() + " " + sim::toString(packetClass) + " " + std::to_string(size);
}

void Trace::mix(uint64_t value) {
  // The finalizer of splitmix64: every input bit reaches every output bit.
  uint64_t z = hash_ ^ value;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  hash_ = (z ^ (z >> 31)) + 0x9e3779b97f4a7c15;
}

void Trace::add(Timestamp time, const Packet& packet, bool arrival) {
  const uint32_t size = stableSize(packet);
  mix(static_cast<uint64_t>(time.nanos()));
  for (const SocketAddress* address : {&packet.from, &packet.to}) {
    std::array<uint8_t, 16> bytes{};
    const ByteSpan ip = address->ip.bytes();
    std::copy(ip.begin(), ip.end(), bytes.begin());
    mix(loadU64(bytes.data()));
    mix(loadU64(bytes.data() + 8) ^ address->port);
  }
  mix(static_cast<uint64_t>(size) << 16 | static_cast<uint64_t>(packet.packetClass) << 8 |
      (arrival ? 1u : 0u));
  ++count_;
  if (records_.size() < limit_)
    records_.push_back({time, packet.from, packet.to, size, packet.packetClass, arrival});
}

}  // namespace parley::sim
