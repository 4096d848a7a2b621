#pragma once

#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// What the first bytes of a compressed VP8 or VP9 frame say, without a decoder.
struct VpxFrameHeader {
  bool keyFrame = false;
  /// Only frames that state a size of their own have one.
  std::optional<int> width;
  std::optional<int> height;
  /// Zero where none is stated, or one that no RTP payload descriptor could carry.
  VideoSize size() const {
    if (!width || !height || *width > 0xffff || *height > 0xffff) return {};
    return {static_cast<uint16_t>(*width), static_cast<uint16_t>(*height)};
  }
  bool operator==(const VpxFrameHeader&) const = default;
};

/// RFC 6386 section 9.1, from the frame's first bytes. nullopt if not a VP8 frame, or a key frame
/// of which there are fewer than ten bytes.
PARLEY_EXPORT std::optional<VpxFrameHeader> parseVp8FrameHeader(ByteSpan frame);
/// The VP9 bitstream specification, section 6.2 (uncompressed header), up to the size; from the
/// first bytes of one frame.
PARLEY_EXPORT std::optional<VpxFrameHeader> parseVp9FrameStart(ByteSpan bytes);
/// The same of all that an encoder gave for one picture: a superframe (annex B) gives the largest
/// size of its frames, and keyFrame from the first.
PARLEY_EXPORT std::optional<VpxFrameHeader> parseVp9FrameHeader(ByteSpan frame);

}  // namespace parley::rtp
