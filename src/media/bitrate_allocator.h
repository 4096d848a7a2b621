#pragma once

#include <span>

#include "parley/base/units.h"

namespace parley::media {

/// What one stream could use.
struct BitrateDemand {
  DataRate min;
  DataRate max;
  double priority = 1;
  bool audio = false;
  bool active = true;
  DataRate given;  ///< the answer; zero = pause
};

/// Shares `total` among the streams: audio is served first, then each video stream gets its minimum
/// in order (one that does not fit is paused, except the first: some picture is better than none),
/// then the rest goes out by priority up to each maximum.
void allocateBitrate(DataRate total, std::span<BitrateDemand> demands);

}  // namespace parley::media
