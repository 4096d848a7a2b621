#include "devices/key_frame.h"

namespace parley::devices {
namespace {

/// Bits from the most significant on; zeros beyond the end, which `ok` remembers.
class BitReader {
 public:
  explicit BitReader(ByteSpan data) : data_(data) {}
  uint32_t read(int count) {
    uint32_t value = 0;
    for (; count > 0; --count, ++at_) {
      const size_t byte = at_ / 8;
      ok_ = ok_ && byte < data_.size();
      const uint32_t bit = ok_ ? (data_[byte] >> (7 - at_ % 8)) & 1u : 0u;
      value = value << 1 | bit;
    }
    return value;
  }
  bool ok() const { return ok_; }

 private:
  ByteSpan data_;
  size_t at_ = 0;
  bool ok_ = true;
};

std::optional<KeyFrameHeader> readVp8(ByteSpan frame) {
  // Frame tag of three bytes, whose lowest bit is 0 in a key frame; then the start code.
  if (frame.size() < 10 || (frame[0] & 1) != 0) return std::nullopt;
  if (frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) return std::nullopt;
  // 14 bits of size and 2 bits of scaling, little endian.
  const int width = (frame[6] | frame[7] << 8) & 0x3fff;
  const int height = (frame[8] | frame[9] << 8) & 0x3fff;
  if (width == 0 || height == 0) return std::nullopt;
  return KeyFrameHeader{PictureCodec::Vp8, width, height};
}

std::optional<KeyFrameHeader> readVp9(ByteSpan frame) {
  BitReader bits(frame);
  if (bits.read(2) != 2) return std::nullopt;  // frame_marker
  const uint32_t profileLow = bits.read(1);
  const uint32_t profile = bits.read(1) << 1 | profileLow;
  if (profile == 3) bits.read(1);                      // reserved_zero
  if (bits.read(1) != 0) return std::nullopt;          // show_existing_frame
  if (bits.read(1) != 0) return std::nullopt;          // frame_type: 0 is a key frame
  bits.read(2);                                        // show_frame, error_resilient_mode
  if (bits.read(24) != 0x498342) return std::nullopt;  // sync code
  if (profile >= 2) bits.read(1);                      // ten_or_twelve_bit
  constexpr uint32_t kRgb = 7;
  if (bits.read(3) != kRgb) {
    bits.read(1);                        // color_range
    if (profile % 2 == 1) bits.read(3);  // subsampling_x, subsampling_y, reserved_zero
  } else if (profile % 2 == 1) {
    bits.read(1);  // reserved_zero
  }
  const int width = static_cast<int>(bits.read(16)) + 1;
  const int height = static_cast<int>(bits.read(16)) + 1;
  if (!bits.ok()) return std::nullopt;
  return KeyFrameHeader{PictureCodec::Vp9, width, height};
}

}  // namespace

std::optional<KeyFrameHeader> readKeyFrame(ByteSpan frame) {
  // Their start codes are in different places; a VP8 tag cannot be mistaken, since it is checked
  // first and completely.
  if (auto header = readVp8(frame)) return header;
  return readVp9(frame);
}

}  // namespace parley::devices
