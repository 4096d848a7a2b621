#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/base/time.h"

namespace parley::congestion::scream {

/// Tells packets that are lost from packets that are late: what a report misses counts as lost only
/// if it has not turned up within a reordering window (draft, "Detecting Lost Data Units", in the
/// manner of RFC 8985). The window grows with how late packets were seen to be.
class LossDetector {
 public:
  void onMissing(int64_t sequence, Timestamp now) {
    if (count_ == missing_.size()) {
      // So many at once are no reordering.
      ++lost_;
      newestLost_ = std::max(newestLost_, sequence);
      return;
    }
    missing_[count_++] = {sequence, now};
  }
  void onArrived(int64_t sequence, Timestamp now) {
    const auto end = missing_.begin() + static_cast<ptrdiff_t>(count_);
    const auto at = std::find_if(missing_.begin(), end,
                                 [sequence](const Entry& e) { return e.sequence == sequence; });
    if (at == end) return;
    lateness_ = std::max(lateness_, (now - at->since) * kMargin);
    *at = missing_[--count_];
  }
  /// Whether a packet with a number above `after` has turned out to be lost since the last call.
  bool takeLoss(int64_t after, Duration rtt, Timestamp now) {
    const Duration window = std::clamp(lateness_, rtt * kLeastOfRtt, rtt);
    for (size_t i = count_; i-- > 0;) {
      if (now - missing_[i].since < window) continue;
      ++lost_;
      newestLost_ = std::max(newestLost_, missing_[i].sequence);
      missing_[i] = missing_[--count_];
    }
    if (lost_ == 0) return false;
    lost_ = 0;
    lateness_ = lateness_ * kForget;
    return newestLost_ > after;
  }
  void reset() { *this = LossDetector(); }

 private:
  struct Entry {
    int64_t sequence = 0;
    Timestamp since;
  };
  /// RFC 8985 section 6.2 begins with a quarter of the round trip too.
  static constexpr double kLeastOfRtt = 0.25;
  static constexpr double kMargin = 1.25;
  static constexpr double kForget = 0.98;

  std::array<Entry, 64> missing_{};
  size_t count_ = 0;
  int lost_ = 0;
  int64_t newestLost_ = 0;
  Duration lateness_;
};

}  // namespace parley::congestion::scream
