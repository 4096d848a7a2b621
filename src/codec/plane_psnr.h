#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace parley::codec {

/// Some rows of samples, borrowed.
struct SampleRows {
  const uint8_t* data;
  int stride;
};

/// Peak signal-to-noise ratio of 8-bit samples, in dB: 100 at most, which stands for equality.
inline double planePsnr(SampleRows a, SampleRows b, int width, int height) {
  uint64_t squares = 0;
  for (int y = 0; y < height; ++y) {
    uint32_t row = 0;  // of 16384 samples at most: no picture is wider
    for (int x = 0; x < width; ++x) {
      const int diff = a.data[x] - b.data[x];
      row += static_cast<uint32_t>(diff * diff);
    }
    squares += row;
    a.data += a.stride;
    b.data += b.stride;
  }
  if (squares == 0) return 100;
  const double mse = static_cast<double>(squares) / (static_cast<double>(width) * height);
  return std::min(100.0, 10 * std::log10(255.0 * 255.0 / mse));
}

}  // namespace parley::codec
