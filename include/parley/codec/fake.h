#pragma once

#include <memory>

#include "parley/base/export.h"
#include "parley/codec/video_codec.h"

namespace parley::codec {

/// A video codec without pictures, for simulations: frame sizes follow setRates exactly (key frames
/// cost `kFakeKeyFrameWeight` ordinary ones and are paid back by the frames after them), every
/// frame starts as a VP8 frame does, so the VP8 payload format carries it, and the decoder verifies
/// content and frame order. Deterministic.
PARLEY_EXPORT std::unique_ptr<VideoEncoderFactory> fakeVideoEncoders();
/// Decoded pictures are 16x16 grey; their content is not the point. A missing reference (a frame
/// number that does not follow) gives NeedKeyFrame.
PARLEY_EXPORT std::unique_ptr<VideoDecoderFactory> fakeVideoDecoders();

inline constexpr int kFakeKeyFrameWeight = 4;

}  // namespace parley::codec
