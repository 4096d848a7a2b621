#pragma once

#include <algorithm>
#include <cstdint>

#include "parley/base/time.h"

namespace parley {

/// Where `ticks` of a clock with `rate` ticks per second (not 0) lie on a time line of their own.
/// Thirty years either way are the end of it: who chooses the numbers (a peer its RTP timestamps,
/// by half the range from packet to packet) must not choose that they overflow.
constexpr Timestamp ticksToTime(int64_t ticks, int64_t rate) {
  constexpr int64_t kMostSeconds = 1'000'000'000;
  const int64_t seconds = std::clamp(ticks / rate, -kMostSeconds, kMostSeconds);
  return Timestamp::nanos(seconds * 1'000'000'000 + ticks % rate * 1'000'000'000 / rate);
}

}  // namespace parley
