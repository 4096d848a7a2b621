#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parley/base/export.h"

namespace parley::media {

/// Makes sound shorter or longer without changing its pitch: cuts out, or repeats, a piece at the
/// place where the wave matches itself best, and cross-fades there.
///
/// `in` holds inFrames * channels interleaved samples. Writes outFrames * channels samples to
/// `out`. The change must be less than half of the input; otherwise, or if it is zero, the sound is
/// copied and cut or padded with silence.
PARLEY_EXPORT void timeStretch(std::span<const int16_t> in, size_t channels, size_t outFrames,
                               std::span<int16_t> out);

}  // namespace parley::media
