#pragma once

#include <memory>
#include <string_view>

#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"

namespace parley::devices {

/// Whether this FFmpeg has what the format of this name needs.
bool canEncodeVideo(std::string_view name);
bool canDecodeVideo(std::string_view name);
bool canEncodeG722();
bool canDecodeG722();

Result<std::unique_ptr<codec::VideoEncoder>> makeVideoEncoder(
    const codec::SdpVideoFormat& format, const codec::VideoEncoderSettings& settings);
Result<std::unique_ptr<codec::VideoDecoder>> makeVideoDecoder(
    const codec::SdpVideoFormat& format, const codec::VideoDecoderSettings& settings);
Result<std::unique_ptr<codec::AudioEncoder>> makeG722Encoder(
    const codec::AudioEncoderSettings& settings);
Result<std::unique_ptr<codec::AudioDecoder>> makeG722Decoder();

}  // namespace parley::devices
