#pragma once

#include <memory>

#include "parley/base/export.h"
#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"

namespace parley::codec {

/// What this build brings: VP8 and VP9 with PARLEY_WITH_VPX, nothing otherwise.
PARLEY_EXPORT std::unique_ptr<VideoEncoderFactory> builtinVideoEncoders();
PARLEY_EXPORT std::unique_ptr<VideoDecoderFactory> builtinVideoDecoders();
/// Opus with PARLEY_WITH_OPUS; PCMU and PCMA always.
PARLEY_EXPORT std::unique_ptr<AudioEncoderFactory> builtinAudioEncoders();
PARLEY_EXPORT std::unique_ptr<AudioDecoderFactory> builtinAudioDecoders();

/// The value of `a=fmtp` for Opus applied to an encoder's settings (RFC 7587 section 6.1): the
/// peer's wishes for useinbandfec, usedtx, stereo, maxaveragebitrate, cbr. Unknown and malformed
/// parameters are ignored.
PARLEY_EXPORT AudioEncoderSettings applyOpusParameters(AudioEncoderSettings settings,
                                                       const FormatParameters& parameters);

}  // namespace parley::codec
