#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/time.h"

namespace parley::api_internal {

/// What webrtc-stats section 8.4 derives from the times at which pictures are shown: delays between
/// them, freezes and pauses.
class RenderTiming {
 public:
  struct Totals {
    uint64_t framesRendered = 0;
    double interFrameDelay = 0;  ///< seconds, as all below
    double squaredInterFrameDelay = 0;
    uint64_t freezes = 0;
    double freezesDuration = 0;
    uint64_t pauses = 0;
    double pausesDuration = 0;
  };

  void rendered(Timestamp now) {
    ++totals_.framesRendered;
    if (!last_) {
      last_ = now;
      return;
    }
    const Duration delay = now - *last_;
    last_ = now;
    totals_.interFrameDelay += delay.seconds();
    totals_.squaredInterFrameDelay += delay.seconds() * delay.seconds();
    if (delay > kPause) {
      ++totals_.pauses;
      totals_.pausesDuration += delay.seconds();
      return;  // nobody waited for a picture: it says nothing of their pace
    }
    if (known_ > 0) {
      // "at least Max(3 * avg_frame_duration_ms, avg_frame_duration_ms + 150)", the average over
      // the last 30 pictures.
      const Duration mean = sum_ / static_cast<int64_t>(known_);
      if (delay >= std::max(mean * 3, mean + Duration::millis(150))) {
        ++totals_.freezes;
        totals_.freezesDuration += delay.seconds();
      }
    }
    remember(delay);
  }
  const Totals& totals() const { return totals_; }

 private:
  static constexpr Duration kPause = Duration::seconds(5);

  void remember(Duration delay) {
    sum_ += delay - delays_[next_];
    delays_[next_] = delay;
    next_ = (next_ + 1) % delays_.size();
    known_ = std::min(known_ + 1, delays_.size());
  }

  Totals totals_;
  std::optional<Timestamp> last_;
  std::array<Duration, 30> delays_{};
  Duration sum_;
  size_t next_ = 0;
  size_t known_ = 0;
};

}  // namespace parley::api_internal
