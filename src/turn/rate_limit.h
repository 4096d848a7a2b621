#pragma once

#include <algorithm>

#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley::turn {

/// A token bucket: `rate` in the long run, a quarter of a second's worth (at least 64 KiB) at once.
class RateLimit {
 public:
  explicit RateLimit(DataRate rate = DataRate::infinite()) : rate_(rate) {
    if (limited()) level_ = burst();
  }
  bool take(size_t bytes, Timestamp now) {
    if (!limited()) return true;
    fill(now);
    if (level_ < static_cast<int64_t>(bytes)) return false;
    level_ -= static_cast<int64_t>(bytes);
    return true;
  }
  /// Takes what cannot be refused. The answer: how long nothing more should be taken.
  Duration charge(size_t bytes, Timestamp now) {
    if (!limited()) return Duration::zero();
    fill(now);
    level_ -= static_cast<int64_t>(bytes);
    return level_ >= 0 ? Duration::zero() : rate_.timeFor(-level_);
  }

 private:
  void fill(Timestamp now) {
    level_ = std::min(level_ + rate_.bytesIn(std::min(now - at_, Duration::seconds(60))), burst());
    at_ = now;
  }
  bool limited() const { return !rate_.isInfinite(); }
  int64_t burst() const {
    return std::max<int64_t>(rate_.bytesIn(Duration::millis(250)), 64 * 1024);
  }
  DataRate rate_;
  int64_t level_ = 0;
  Timestamp at_;
};

}  // namespace parley::turn
