#pragma once

#include <limits>

#include "parley/base/time.h"

namespace parley::ice {

/// One permit per `interval` on average, with bursts (the generic cell rate algorithm: a virtual
/// clock that runs ahead by one interval per permit taken).
class Pacing {
 public:
  explicit Pacing(Duration interval) : interval_(interval) {}

  /// When the next permit is there, if up to `burst` may be taken at once.
  Timestamp readyAt(int burst) const { return ahead_ - interval_ * (burst - 1); }
  bool ready(Timestamp now, int burst) const { return now >= readyAt(burst); }
  void take(Timestamp now) { ahead_ = (ahead_ < now ? now : ahead_) + interval_; }

 private:
  Duration interval_;
  Timestamp ahead_ = Timestamp::nanos(std::numeric_limits<int64_t>::min() / 2);
};

}  // namespace parley::ice
