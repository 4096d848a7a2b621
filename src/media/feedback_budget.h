#pragma once

#include <algorithm>
#include <cstddef>

#include "parley/base/time.h"

namespace parley::media {

/// When arrivals are reported: as often as 5 % of what arrives pays for (RFC 3550 section 6.2; RFC
/// 8888 section 3 leaves the interval to the share that RTCP has), within bounds. Sizes are those
/// on the wire.
class FeedbackBudget {
 public:
  explicit constexpr FeedbackBudget(Duration least) : least_(least) {}

  /// Of each packet; `first`: since the last report.
  void onArrival(size_t bytes, bool first, Timestamp now) {
    if (first) {
      since_ = now;
      due_ = now + kMost;
    }
    credit_ = std::min(credit_ + static_cast<double>(bytes + kLowerLayers) * kShare, 2 * cost_);
    if (credit_ >= cost_) due_ = std::min(due_, std::max(since_ + least_, now));
  }
  /// Of each report, without lower layers.
  void onReport(size_t bytes) {
    const auto size = static_cast<double>(bytes + kLowerLayers + kSrtcp);
    cost_ = cost_ * 0.75 + size * 0.25;
    credit_ = std::max(credit_ - size, -kMostDebt * cost_);
  }
  bool inDebt() const { return credit_ < 0; }
  void hurry(Timestamp now) { due_ = std::min(due_, now); }
  Timestamp due() const { return due_; }

 private:
  static constexpr double kShare = 0.05;
  static constexpr size_t kLowerLayers = 28;  ///< UDP over IPv4
  static constexpr size_t kSrtcp = 20;        ///< index and tag of AES-GCM (RFC 7714 section 9)
  static constexpr double kMostDebt = 8;
  /// Who controls congestion is not to be blind for longer; reached below some 30 kb/s.
  static constexpr Duration kMost = Duration::millis(500);
  static constexpr double kFirstCost = 100;

  Duration least_;
  Timestamp since_;
  Timestamp due_;
  double cost_ = kFirstCost;
  double credit_ = kFirstCost;  ///< the first report is early
};

}  // namespace parley::media
