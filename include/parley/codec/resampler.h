#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "parley/base/export.h"

namespace parley::codec {

/// Converts one channel between 48 kHz and a rate that divides it, in either direction, with a
/// linear phase low-pass filter. Keeps its history between calls.
class PARLEY_EXPORT Resampler {
 public:
  /// One of the rates must divide the other; at most 1:6.
  Resampler(int fromRate, int toRate);
  /// `out` must hold in.size() * toRate / fromRate samples; `in.size()` must be a multiple of the
  /// ratio when reducing. Returns the number written.
  size_t process(std::span<const int16_t> in, std::span<int16_t> out);
  void reset();

 private:
  int up_;
  int down_;
  std::vector<float> taps_;
  std::vector<float> history_;
  std::vector<float> work_;
};

}  // namespace parley::codec
