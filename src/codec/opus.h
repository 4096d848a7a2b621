#pragma once

#include <memory>

#include "parley/codec/audio_codec.h"

namespace parley::codec {

Result<std::unique_ptr<AudioEncoder>> createOpusEncoder(const AudioEncoderSettings& settings);
Result<std::unique_ptr<AudioDecoder>> createOpusDecoder(size_t channels);

}  // namespace parley::codec
