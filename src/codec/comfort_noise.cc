#include "parley/codec/comfort_noise.h"

#include <algorithm>
#include <cmath>

namespace parley::codec {

void ComfortNoise::describe(ByteSpan payload) {
  if (payload.empty()) return;
  // RFC 3389 section 3.1: the first octet is the level in -dBov. The power of evenly distributed
  // numbers is a third of the square of their bound.
  const double rms = 32768.0 * std::pow(10.0, -(payload[0] & 0x7f) / 20.0);
  target_ = std::min(rms * std::sqrt(3.0), 32767.0);
}

void ComfortNoise::generate(std::span<int16_t> out) {
  for (int16_t& sample : out) {
    amplitude_ += (target_ - amplitude_) / 256;
    state_ = state_ * 1664525u + 1013904223u;
    const double even = static_cast<int32_t>(state_) / 2147483648.0;
    sample = static_cast<int16_t>(even * amplitude_);
  }
}

}  // namespace parley::codec
