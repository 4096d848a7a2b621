#include "parley/codec/audio_frame.h"

#include <algorithm>
#include <cmath>

namespace parley::codec {

uint8_t audioLevel(std::span<const int16_t> samples) {
  double squares = 0;
  for (const int16_t sample : samples) squares += static_cast<double>(sample) * sample;
  if (samples.empty() || squares == 0) return 127;
  const double rms = std::sqrt(squares / static_cast<double>(samples.size())) / 32768.0;
  return static_cast<uint8_t>(std::clamp(std::lround(-20 * std::log10(rms)), 0L, 127L));
}

}  // namespace parley::codec
