#pragma once

#include <memory>

#include "parley/codec/video_codec.h"

namespace parley::codec {

enum class VpxKind : uint8_t { Vp8, Vp9 };

std::unique_ptr<VideoEncoder> createVpxEncoder(VpxKind kind);
Result<std::unique_ptr<VideoDecoder>> createVpxDecoder(VpxKind kind,
                                                       const VideoDecoderSettings& settings);

}  // namespace parley::codec
