#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "parley/base/time.h"

namespace parley::api_internal {

/// webrtc-stats framesPerSecond: how many frames the last second had.
class FrameRate {
 public:
  void add(Timestamp now) {
    times_[next_] = now;
    next_ = (next_ + 1) % times_.size();
    if (count_ < times_.size()) ++count_;
  }
  double at(Timestamp now) const {
    const Timestamp begin = now - Duration::seconds(1);
    size_t within = 0;
    Timestamp oldest = now;
    for (size_t i = 0; i < count_; ++i) {
      if (times_[i] <= begin || times_[i] > now) continue;
      ++within;
      oldest = std::min(oldest, times_[i]);
    }
    // More of them than are remembered: what is remembered says how fast they come.
    if (within == times_.size() && now > oldest)
      return static_cast<double>(within) / (now - oldest).seconds();
    return static_cast<double>(within);
  }

 private:
  std::array<Timestamp, 128> times_{};
  size_t next_ = 0;
  size_t count_ = 0;
};

/// Lets through as many pictures as a frame rate allows, evenly spread.
class FrameRateLimit {
 public:
  bool take(Timestamp capture, double framesPerSecond) {
    const Duration interval = Duration::seconds(1) * (1 / std::max(framesPerSecond, 0.001));
    // Another source has another time line.
    const bool known = due_ && *due_ - capture < interval * 2;
    // A tenth of tolerance, so that a 30 fps camera with jitter stays at 30 when 30 is the cap.
    if (known && *due_ - capture > interval * 0.1) return false;
    // A camera a trifle too fast loses none; pictures that never fit the rate do not add up.
    const Timestamp from = !known            ? capture
                           : capture < *due_ ? std::max(capture, *due_ - interval * 0.01)
                                             : std::max(*due_, capture - interval);
    due_ = from + interval;
    return true;
  }

 private:
  std::optional<Timestamp> due_;
};

}  // namespace parley::api_internal
