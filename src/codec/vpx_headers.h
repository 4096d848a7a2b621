#pragma once

#include <optional>

#include "parley/base/bytes.h"

namespace parley::codec {

/// What the first bytes of a compressed frame say, read before a decoder may take memory for it.
struct FrameHeader {
  bool keyFrame = false;
  /// Only frames that state a size of their own have one.
  std::optional<int> width;
  std::optional<int> height;
  bool operator==(const FrameHeader&) const = default;
};

/// RFC 6386 section 9.1. nullopt if not a VP8 frame.
std::optional<FrameHeader> parseVp8FrameHeader(ByteSpan frame);
/// VP9 bitstream specification section 6.2 (uncompressed header), up to the size. A superframe
/// (annex B) gives the largest size of its frames, and keyFrame from the first.
std::optional<FrameHeader> parseVp9FrameHeader(ByteSpan frame);

}  // namespace parley::codec
