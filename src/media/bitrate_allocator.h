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
  uint32_t sender = 0;     ///< of a layer of simulcast: whose it is; else 0
  double scaleDownBy = 1;  ///< of a layer: how much smaller its pictures are
  bool wasOn = false;      ///< of a layer: it has been sent so far
  /// What a layer asked for itself, while one of them speaks for the sender.
  struct Own {
    DataRate min;
    DataRate max;
    bool active = true;
  } own{};
  DataRate given;  ///< the answer; zero = pause
};

/// Shares `total` among the streams: audio is served first, then each video stream gets its minimum
/// in order (one that does not fit is paused, except the first: some picture is better than none),
/// then the rest goes out by priority up to each maximum. The layers of a sender count as one
/// stream here, whose share then fills them from the lowest up (simulcast_rates.h).
void allocateBitrate(DataRate total, std::span<BitrateDemand> demands);

}  // namespace parley::media
