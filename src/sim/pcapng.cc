#include "parley/sim/pcapng.h"

#include "parley/sim/clock_shim.h"

namespace parley::sim {
namespace {

constexpr uint32_t kSectionHeader = 0x0A0D0D0A;
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kEnhancedPacket = 6;
constexpr uint16_t kLinkTypeRaw = 101;
constexpr uint16_t kOptionName = 2;
constexpr uint16_t kOptionTimeResolution = 9;

constexpr size_t kMaxHeaders = 40 + 20;

uint32_t onesSum(ByteSpan bytes, uint32_t sum) {
  size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum += loadU16(&bytes[i]);
  if (i < bytes.size()) sum += static_cast<uint32_t>(bytes[i]) << 8;
  return sum;
}

uint16_t foldSum(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

uint8_t protocolNumber(const Packet& packet) {
  return packet.protocol == Protocol::Udp ? 17 : 6;
}

void writeIpHeader(ByteWriter& out, const Packet& packet, size_t transportSize) {
  const uint8_t trafficClass =
      static_cast<uint8_t>(packet.dscp << 2 | static_cast<uint8_t>(packet.ecn));
  if (packet.to.ip.isV4()) {
    out.u8(0x45);
    out.u8(trafficClass);
    out.u16(static_cast<uint16_t>(20 + transportSize));
    out.u16(0);
    out.u16(0x4000);  // don't fragment
    out.u8(packet.hopsLeft);
    out.u8(protocolNumber(packet));
    out.u16(0);
    out.bytes(packet.from.ip.bytes());
    out.bytes(packet.to.ip.bytes());
    out.patchU16(10, foldSum(onesSum(out.written(), 0)));
    return;
  }
  out.u32(uint32_t{6} << 28 | static_cast<uint32_t>(trafficClass) << 20);
  out.u16(static_cast<uint16_t>(transportSize));
  out.u8(protocolNumber(packet));
  out.u8(packet.hopsLeft);
  out.bytes(packet.from.ip.bytes());
  out.bytes(packet.to.ip.bytes());
}

uint16_t udpChecksum(const Packet& packet, ByteSpan header) {
  uint32_t sum = onesSum(packet.from.ip.bytes(), 0);
  sum = onesSum(packet.to.ip.bytes(), sum);
  sum += 17 + static_cast<uint32_t>(packet.data.size() + 8);
  sum = onesSum(header, sum);
  const uint16_t folded = foldSum(onesSum(packet.data.span(), sum));
  return folded == 0 ? 0xffff : folded;
}

void writeTransportHeader(ByteWriter& out, const Packet& packet) {
  const size_t start = out.size();
  out.u16(packet.from.port);
  out.u16(packet.to.port);
  if (packet.protocol == Protocol::Udp) {
    out.u16(static_cast<uint16_t>(packet.data.size() + 8));
    out.u16(0);
    out.patchU16(start + 6, udpChecksum(packet, out.written().subspan(start)));
    return;
  }
  const TcpHeader& tcp = packet.tcp;
  out.u32(static_cast<uint32_t>(tcp.sequence));
  out.u32(static_cast<uint32_t>(tcp.acknowledged));
  const uint32_t flags =
      (tcp.fin ? 1u : 0u) | (tcp.syn ? 2u : 0u) | (tcp.rst ? 4u : 0u) | (tcp.ack ? 16u : 0u);
  out.u16(static_cast<uint16_t>(5u << 12 | flags));
  out.u16(0xffff);
  out.u32(0);
}

}  // namespace

// pcapng is written in the writer's byte order, told by the magic number. We write little-endian.
void PcapngWriter::u16(uint16_t v) {
  out_.push_back(static_cast<uint8_t>(v));
  out_.push_back(static_cast<uint8_t>(v >> 8));
}

void PcapngWriter::u32(uint32_t v) {
  u16(static_cast<uint16_t>(v));
  u16(static_cast<uint16_t>(v >> 16));
}

void PcapngWriter::option(uint16_t code, ByteSpan value) {
  u16(code);
  u16(static_cast<uint16_t>(value.size()));
  out_.insert(out_.end(), value.begin(), value.end());
  while (out_.size() % 4) out_.push_back(0);
}

size_t PcapngWriter::beginBlock(uint32_t type) {
  const size_t start = out_.size();
  u32(type);
  u32(0);
  return start;
}

void PcapngWriter::endBlock(size_t start) {
  const uint32_t length = static_cast<uint32_t>(out_.size() - start + 4);
  u32(length);
  for (size_t i = 0; i < 4; ++i) out_[start + 4 + i] = static_cast<uint8_t>(length >> (8 * i));
}

PcapngWriter::PcapngWriter(std::string_view interfaceName) {
  size_t block = beginBlock(kSectionHeader);
  u32(0x1A2B3C4D);
  u16(1);
  u16(0);
  u32(0xffffffff);  // section length: not told
  u32(0xffffffff);
  endBlock(block);
  block = beginBlock(kInterfaceDescription);
  u16(kLinkTypeRaw);
  u16(0);
  u32(0);
  option(kOptionName, asBytes(interfaceName));
  const uint8_t nanoseconds = 9;
  option(kOptionTimeResolution, {&nanoseconds, 1});
  option(0, {});
  endBlock(block);
}

void PcapngWriter::add(Timestamp time, const Packet& packet) {
  scratch_.resize(kMaxHeaders + packet.data.size());
  ByteWriter writer(scratch_);
  const size_t transport = (packet.protocol == Protocol::Udp ? 8u : 20u) + packet.data.size();
  writeIpHeader(writer, packet, transport);
  writeTransportHeader(writer, packet);
  writer.bytes(packet.data.span());
  const ByteSpan frame = writer.written();

  const uint64_t stamp = static_cast<uint64_t>(virtualWallClock().unixNanosAt(time));
  const size_t block = beginBlock(kEnhancedPacket);
  u32(0);
  u32(static_cast<uint32_t>(stamp >> 32));
  u32(static_cast<uint32_t>(stamp));
  u32(static_cast<uint32_t>(frame.size()));
  u32(static_cast<uint32_t>(frame.size()));
  out_.insert(out_.end(), frame.begin(), frame.end());
  while (out_.size() % 4) out_.push_back(0);
  endBlock(block);
}

}  // namespace parley::sim
