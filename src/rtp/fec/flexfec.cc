// FlexFEC in its two forms. RFC 8627 section 4.2.2.1:
//
//     R F P X CC(4) | M PT(7) recovery | length recovery (16)
//     TS recovery (32)
//     SN base (16) | k mask [0-14]
//     k mask [15-45] (optional)
//     mask [46-109] (optional)
//
// and with F instead of masks, section 4.2.2.2: SN base (16) | L columns (8) | D rows (8). The
// sources are the packet's CSRCs, in that order. Draft 03, which browsers call flexfec-03, has
// before SN base
//
//     SSRCCount (8) | reserved (24)
//     SSRC (32)
//
// and the last mask is k and [46-108]. In the draft a set k ends the masks, in the RFC a cleared
// one.

#include "rtp/fec/schemes.h"

namespace parley::rtp {
namespace {

constexpr uint8_t kRetransmission = 0x80;
constexpr uint8_t kFixedBlock = 0x40;
constexpr uint8_t kRecovered = 0x3f;
constexpr size_t kShortBits = 15;
constexpr size_t kMiddleBits = 31;
constexpr size_t kLongStart = kShortBits + kMiddleBits;

/// The fields that both forms begin with.
uint8_t readStart(ByteReader& r, FecPacket& out) {
  const uint8_t first = r.u8();
  out.sum.first = first & kRecovered;
  out.sum.second = r.u8();
  out.sum.length = r.u16();
  out.sum.timestamp = r.u32();
  return first;
}

void writeStart(const FecPacket& packet, ByteWriter& w) {
  w.u8(packet.sum.first & kRecovered);
  w.u8(packet.sum.second);
  w.u16(packet.sum.length);
  w.u32(packet.sum.timestamp);
}

/// The two masks that differ in the sense of k alone; whether a third one follows.
bool readMasks(ByteReader& r, bool endsWithSet, FecMask& mask) {
  const uint16_t head = r.u16();
  mask.setBits(0, kShortBits, head & 0x7fff);
  if (((head & 0x8000) != 0) == endsWithSet) return false;
  const uint32_t middle = r.u32();
  mask.setBits(kShortBits, kMiddleBits, middle & 0x7fffffff);
  return ((middle & 0x80000000) != 0) != endsWithSet;
}

bool writeMasks(const FecMask& mask, bool endsWithSet, ByteWriter& w) {
  const size_t span = mask.span();
  const bool more = span > kShortBits;
  const bool last = span > kLongStart;
  w.u16(static_cast<uint16_t>(mask.bits(0, kShortBits) | (more == endsWithSet ? 0u : 0x8000u)));
  if (!more) return false;
  w.u32(static_cast<uint32_t>(mask.bits(kShortBits, kMiddleBits) |
                              (last == endsWithSet ? 0u : 0x80000000u)));
  return last;
}

/// RFC 8627 section 4.2.2.2: D of 0 or 1 is a row of L packets, else every L-th packet D times.
bool setBlock(size_t columns, size_t rows, FecMask& mask) {
  const size_t step = rows > 1 ? columns : 1;
  const size_t count = rows > 1 ? rows : columns;
  if (columns == 0 || (count - 1) * step >= FecMask::kBits) return false;
  for (size_t i = 0; i < count; ++i) mask.set(i * step);
  return true;
}

/// Section 4.2.2.3: R and F are where the version of a packet stands, and say 2.
bool readRepetition(const PacketView& packet, FecPacket& out) {
  const auto original = PacketView::parse(packet.payload());
  if (!original) return false;
  out.isRepetition = true;
  out.protectedSsrc = original->ssrc();
  out.sequenceBase = original->sequenceNumber();
  out.mask.set(0);
  out.body = packet.payload();
  return true;
}

}  // namespace

bool parseFlexfec03(ByteSpan payload, FecPacket& out) {
  ByteReader r(payload);
  out = FecPacket{};
  out.scheme = FecScheme::Flexfec03;
  if (readStart(r, out) & (kRetransmission | kFixedBlock)) return false;
  const uint8_t sources = r.u8();
  r.skip(3);
  out.protectedSsrc = r.u32();
  out.sequenceBase = r.u16();
  if (readMasks(r, true, out.mask)) {
    const uint64_t tail = r.u64();
    if (tail >> 63 == 0) return false;
    out.mask.setBits(kLongStart, 63, tail);
  }
  out.body = r.rest();
  return r.ok() && sources == 1 && !out.mask.empty();
}

bool parseFlexfec(const PacketView& packet, FecPacket& out) {
  ByteReader r(packet.payload());
  out = FecPacket{};
  out.scheme = FecScheme::Flexfec;
  const uint8_t first = readStart(r, out);
  if (!r.ok()) return false;
  if (first & kRetransmission) return !(first & kFixedBlock) && readRepetition(packet, out);
  if (packet.csrcCount() != 1) return false;
  out.protectedSsrc = packet.csrc(0);
  out.sequenceBase = r.u16();
  if (first & kFixedBlock) {
    const uint8_t columns = r.u8();
    const uint8_t rows = r.u8();
    if (!r.ok() || !setBlock(columns, rows, out.mask)) return false;
  } else if (readMasks(r, false, out.mask)) {
    out.mask.setBits(kLongStart, 64, r.u64());
  }
  out.body = r.rest();
  return r.ok() && !out.mask.empty();
}

void writeFlexfec03Header(const FecPacket& packet, ByteWriter& w) {
  writeStart(packet, w);
  w.u8(1);
  w.u24(0);
  w.u32(packet.protectedSsrc.value_or(0));
  w.u16(packet.sequenceBase);
  if (writeMasks(packet.mask, true, w)) w.u64(packet.mask.bits(kLongStart, 63) | uint64_t{1} << 63);
}

void writeFlexfecHeader(const FecPacket& packet, ByteWriter& w) {
  writeStart(packet, w);
  w.u16(packet.sequenceBase);
  if (writeMasks(packet.mask, false, w)) w.u64(packet.mask.bits(kLongStart, 64));
}

}  // namespace parley::rtp
