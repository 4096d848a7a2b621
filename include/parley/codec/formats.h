#pragma once

#include <vector>

#include "parley/base/export.h"
#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"

// Formats as browsers negotiate them, for applications and factories that bring what the library
// has no codec for itself.

namespace parley::codec {

/// H.264 up to level 3.1 with either side free to send more (level-asymmetry-allowed): Constrained
/// Baseline, Baseline and Constrained High (profile-level-id 42e01f, 42001f, 640c1f), each with
/// packetization mode 1 and 0 (RFC 6184 section 8.1).
PARLEY_EXPORT std::vector<SdpVideoFormat> h264Formats();
/// Main profile, level 3.1 (RFC 7798 section 7.1).
PARLEY_EXPORT SdpVideoFormat h265Format();
/// Main profile, up to level 3.1 (RTP payload format for AV1, section 7.2.1).
PARLEY_EXPORT SdpVideoFormat av1Format();
/// VP8, and VP9 with 8 bits in 4:2:0.
PARLEY_EXPORT SdpVideoFormat vp8Format();
PARLEY_EXPORT SdpVideoFormat vp9Format();
/// Its sound is of 16 kHz, yet its RTP clock runs at 8 kHz (RFC 3551 section 4.5.2).
PARLEY_EXPORT SdpAudioFormat g722Format();
/// RFC 7587, with in-band FEC.
PARLEY_EXPORT SdpAudioFormat opusFormat();

}  // namespace parley::codec
