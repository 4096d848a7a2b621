#include "parley/rtp/payload_format/av1_obu.h"

#include "rtp/payload_format/bit_reader.h"
#include "rtp/payload_format/coded_size.h"

namespace parley::rtp {

namespace {

constexpr uint8_t kHasExtension = 0x04, kHasSize = 0x02;

// operating_parameters_info() and what stands around it, section 5.5.1.
void skipOperatingPoints(BitReader& r, bool hasDecoderModel, unsigned delayBits,
                         bool hasDisplayDelay) {
  const uint32_t count = r.bits(5) + 1;
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    r.skip(12);                    // operating_point_idc
    if (r.bits(5) > 7) r.skip(1);  // seq_level_idx, seq_tier
    if (hasDecoderModel && r.bit() != 0) r.skip(2 * size_t{delayBits} + 1);
    if (hasDisplayDelay && r.bit() != 0) r.skip(4);
  }
}

}  // namespace

std::optional<uint32_t> readLeb128(ByteReader& r) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const uint8_t b = r.u8();
    if (!r.ok()) return std::nullopt;
    value |= uint64_t{b & 0x7fu} << (7 * i);
    if ((b & 0x80) != 0) continue;
    if (value > UINT32_MAX) return std::nullopt;
    return static_cast<uint32_t>(value);
  }
  return std::nullopt;
}

size_t leb128Size(uint32_t value) {
  size_t size = 1;
  while (value >>= 7) ++size;
  return size;
}

void writeLeb128(uint32_t value, ByteWriter& w) {
  while (value > 0x7f) {
    w.u8(static_cast<uint8_t>(0x80 | (value & 0x7f)));
    value >>= 7;
  }
  w.u8(static_cast<uint8_t>(value));
}

bool Obu::read(ByteReader& r, Obu& out) {
  out = {};
  const uint8_t first = r.u8();
  if (!r.ok() || (first & 0x80) != 0) return false;
  out.type = static_cast<ObuType>(first >> 3 & 15);
  out.header[0] = static_cast<uint8_t>(first & ~kHasSize);
  if ((first & kHasExtension) != 0) {
    out.header[1] = r.u8();
    out.headerSize = 2;
    out.temporalId = out.header[1] >> 5;
    out.spatialId = out.header[1] >> 3 & 3;
  }
  if ((first & kHasSize) != 0) {
    const auto size = readLeb128(r);
    if (!size) return false;
    out.payload = r.bytes(*size);
  } else {
    out.payload = r.rest();
  }
  return r.ok();
}

std::optional<VideoSize> parseAv1SequenceSize(ByteSpan payload) {
  BitReader r(payload);
  r.skip(3 + 1);  // seq_profile, still_picture
  if (r.bit() != 0) {
    r.skip(5);  // reduced_still_picture_header: only a level
  } else {
    bool hasDecoderModel = false;
    unsigned delayBits = 0;
    if (r.bit() != 0) {
      r.skip(64);
      if (r.bit() != 0) r.ue();  // num_ticks_per_picture_minus_1, uvlc()
      hasDecoderModel = r.bit() != 0;
      if (hasDecoderModel) {
        delayBits = r.bits(5) + 1;
        r.skip(32 + 5 + 5);
      }
    }
    const bool hasDisplayDelay = r.bit() != 0;
    skipOperatingPoints(r, hasDecoderModel, delayBits, hasDisplayDelay);
  }
  const unsigned widthBits = r.bits(4) + 1;
  const unsigned heightBits = r.bits(4) + 1;
  const uint32_t width = r.bits(widthBits) + 1;
  const uint32_t height = r.bits(heightBits) + 1;
  if (!r.ok()) return std::nullopt;
  return codedSize(width, height);
}

}  // namespace parley::rtp
