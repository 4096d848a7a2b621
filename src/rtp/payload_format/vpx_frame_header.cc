#include "parley/rtp/payload_format/vpx_frame_header.h"

#include <algorithm>

#include "rtp/payload_format/bit_reader.h"

namespace parley::rtp {
namespace {

constexpr uint32_t kVp9SyncCode = 0x498342;

/// color_config(): false if the combination is reserved.
bool skipColorConfig(BitReader& in, int profile) {
  if (profile >= 2) in.skip(1);  // ten_or_twelve_bit
  constexpr uint32_t kRgb = 7;
  const uint32_t colorSpace = in.bits(3);
  if (colorSpace != kRgb) {
    in.skip(1);  // color_range
    if (profile == 1 || profile == 3) {
      in.skip(2);  // subsampling
      if (in.bit() != 0) return false;
    }
    return true;
  }
  if (profile != 1 && profile != 3) return false;
  return in.bit() == 0;
}

void readSize(BitReader& in, VpxFrameHeader& out) {
  out.width = static_cast<int>(in.bits(16)) + 1;
  out.height = static_cast<int>(in.bits(16)) + 1;
}

}  // namespace

std::optional<VpxFrameHeader> parseVp8FrameHeader(ByteSpan frame) {
  if (frame.size() < 3) return std::nullopt;
  VpxFrameHeader out;
  out.keyFrame = (frame[0] & 1) == 0;
  if (!out.keyFrame) return out;
  if (frame.size() < 10 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a)
    return std::nullopt;
  // Little-endian, 14 bits of size and 2 of scaling.
  out.width = (frame[6] | frame[7] << 8) & 0x3fff;
  out.height = (frame[8] | frame[9] << 8) & 0x3fff;
  return out;
}

std::optional<VpxFrameHeader> parseVp9FrameStart(ByteSpan bytes) {
  BitReader in(bytes);
  VpxFrameHeader out;
  if (in.bits(2) != 2) return std::nullopt;
  const int low = static_cast<int>(in.bits(1));
  const int profile = low | static_cast<int>(in.bits(1)) << 1;
  if (profile == 3 && in.bit() != 0) return std::nullopt;
  if (in.bit() != 0) {  // show_existing_frame
    in.skip(3);
    return in.ok() ? std::optional(out) : std::nullopt;
  }
  out.keyFrame = in.bit() == 0;
  const bool showFrame = in.bit() != 0;
  const bool errorResilient = in.bit() != 0;
  if (out.keyFrame) {
    if (in.bits(24) != kVp9SyncCode || !skipColorConfig(in, profile)) return std::nullopt;
    readSize(in, out);
    return in.ok() ? std::optional(out) : std::nullopt;
  }
  const bool intraOnly = !showFrame && in.bit() != 0;
  if (!errorResilient) in.skip(2);  // reset_frame_context
  if (intraOnly) {
    if (in.bits(24) != kVp9SyncCode) return std::nullopt;
    if (profile > 0 && !skipColorConfig(in, profile)) return std::nullopt;
    in.skip(8);  // refresh_frame_flags
    readSize(in, out);
    return in.ok() ? std::optional(out) : std::nullopt;
  }
  in.skip(8);   // refresh_frame_flags
  in.skip(12);  // three references: index and sign bias
  for (int i = 0; i < 3; ++i) {
    if (in.bit() != 0)
      return in.ok() ? std::optional(out) : std::nullopt;  // the size of that reference
  }
  readSize(in, out);
  return in.ok() ? std::optional(out) : std::nullopt;
}

std::optional<VpxFrameHeader> parseVp9FrameHeader(ByteSpan frame) {
  if (frame.empty()) return std::nullopt;
  const uint8_t marker = frame.back();
  if ((marker & 0xe0) != 0xc0) return parseVp9FrameStart(frame);
  const size_t count = static_cast<size_t>(marker & 7) + 1;
  const size_t width = static_cast<size_t>((marker >> 3) & 3) + 1;
  const size_t indexSize = 2 + count * width;
  if (frame.size() < indexSize || frame[frame.size() - indexSize] != marker)
    return parseVp9FrameStart(frame);
  std::optional<VpxFrameHeader> merged;
  size_t begin = 0;
  size_t at = frame.size() - indexSize + 1;
  for (size_t i = 0; i < count; ++i) {
    size_t size = 0;
    for (size_t b = 0; b < width; ++b) size |= static_cast<size_t>(frame[at++]) << (8 * b);
    if (size > frame.size() - indexSize - begin) return std::nullopt;
    if (size == 0) continue;
    const auto one = parseVp9FrameStart(frame.subspan(begin, size));
    begin += size;
    if (!one) return std::nullopt;
    if (!merged) merged = VpxFrameHeader{one->keyFrame, {}, {}};
    if (one->width) {
      merged->width = std::max(merged->width.value_or(0), *one->width);
      merged->height = std::max(merged->height.value_or(0), *one->height);
    }
  }
  return merged;
}

}  // namespace parley::rtp
