#pragma once

#include <memory>

#include "parley/api/configuration.h"
#include "parley/base/export.h"
#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"

namespace parley::devices {

// The built-in codecs and behind them, as far as the FFmpeg of the system has them: H.264 (libx264
// or libopenh264), H.265 (libx265), AV1 (libaom; to decode, libdav1d) and G.722. They belong in a
// Configuration; encoders and decoders of this kind run on the processor. H.265 and AV1 begin anew,
// with a key frame, where the rate changes by a quarter or more.

PARLEY_EXPORT std::shared_ptr<codec::VideoEncoderFactory> ffmpegVideoEncoders();
PARLEY_EXPORT std::shared_ptr<codec::VideoDecoderFactory> ffmpegVideoDecoders();
PARLEY_EXPORT std::shared_ptr<codec::AudioEncoderFactory> ffmpegAudioEncoders();
PARLEY_EXPORT std::shared_ptr<codec::AudioDecoderFactory> ffmpegAudioDecoders();

/// Sets those four where the configuration has none.
PARLEY_EXPORT void useFfmpegCodecs(Configuration& configuration);

}  // namespace parley::devices
