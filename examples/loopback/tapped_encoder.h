#pragma once

#include <functional>
#include <memory>

#include "parley/codec/video_codec.h"

namespace loopback {

/// The library's own encoders, with an ear on what comes out of them. An application plugs a
/// hardware encoder in the same way: by Configuration::videoEncoders.
std::shared_ptr<parley::codec::VideoEncoderFactory> tappedEncoders(
    std::function<void(const parley::codec::EncodedVideoFrame&)> onEncoded);

}  // namespace loopback
