#pragma once

#include <optional>

#include "parley/base/bytes.h"

namespace parley::devices {

enum class PictureCodec { Vp8, Vp9 };

/// What a compressed key frame says about itself.
struct KeyFrameHeader {
  PictureCodec codec;
  int width;
  int height;
};

/// Recognises a VP8 (RFC 6386 section 9.1) or VP9 (bitstream specification section 7.2) key frame
/// by its start code; nullopt for everything else.
std::optional<KeyFrameHeader> readKeyFrame(ByteSpan frame);

}  // namespace parley::devices
