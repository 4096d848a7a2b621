#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

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

}  // namespace parley::api_internal
