// ULPFEC, RFC 5109 sections 7.3 and 7.4:
//
//     E L P X CC(4) | M PT(7) recovery | SN base (16)
//     TS recovery (32)
//     length recovery (16) | protection length (16)
//     mask (16, or 48 if L)

#include "rtp/fec/schemes.h"

namespace parley::rtp {
namespace {

// "The extension flag ... SHALL be set to 0 and SHOULD be ignored."
constexpr uint8_t kLongMask = 0x40;
constexpr uint8_t kRecovered = 0x3f;
constexpr size_t kShortBits = 16;
constexpr size_t kLongBits = 48;

}  // namespace

bool FecPacket::parseUlpfec(ByteSpan payload, FecPacket& out) {
  ByteReader r(payload);
  out = FecPacket{};
  out.scheme = FecScheme::Ulpfec;
  const uint8_t first = r.u8();
  out.sum.first = first & kRecovered;
  out.sum.second = r.u8();
  out.sequenceBase = r.u16();
  out.sum.timestamp = r.u32();
  out.sum.length = r.u16();
  const size_t protection = r.u16();
  if (first & kLongMask) {
    out.mask.setBits(0, kShortBits, r.u16());
    out.mask.setBits(kShortBits, 32, r.u32());
  } else {
    out.mask.setBits(0, kShortBits, r.u16());
  }
  out.body = r.bytes(protection);
  return r.ok() && !out.mask.empty();
}

void writeUlpfecHeader(const FecPacket& packet, size_t bodySize, ByteWriter& w) {
  const bool isLong = packet.mask.span() > kShortBits;
  w.u8(static_cast<uint8_t>((packet.sum.first & kRecovered) | (isLong ? kLongMask : 0)));
  w.u8(packet.sum.second);
  w.u16(packet.sequenceBase);
  w.u32(packet.sum.timestamp);
  w.u16(packet.sum.length);
  w.u16(static_cast<uint16_t>(bodySize));
  w.u16(static_cast<uint16_t>(packet.mask.bits(0, kShortBits)));
  if (isLong) w.u32(static_cast<uint32_t>(packet.mask.bits(kShortBits, kLongBits - kShortBits)));
}

}  // namespace parley::rtp
