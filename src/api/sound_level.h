#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace parley::api_internal {

/// Loudness as webrtc-stats wants it, of samples scaled to -1..1.
struct SoundLevel {
  double peak = 0;
  double meanSquare = 0;
};

inline SoundLevel measureSound(std::span<const int16_t> samples) {
  SoundLevel out;
  if (samples.empty()) return out;
  int64_t squares = 0;
  int peak = 0;
  for (const int16_t sample : samples) {
    const int value = sample;
    squares += int64_t{value} * value;
    peak = std::max(peak, std::abs(value));
  }
  constexpr double kFull = 32768;
  out.peak = std::min(peak / kFull, 1.0);
  out.meanSquare =
      static_cast<double>(squares) / (kFull * kFull) / static_cast<double>(samples.size());
  return out;
}

}  // namespace parley::api_internal
