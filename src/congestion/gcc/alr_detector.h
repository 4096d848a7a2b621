#pragma once

#include <algorithm>
#include <optional>

#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley::congestion::gcc {

/// Notices when the application sends much less than it may: the estimate then no longer follows
/// from what is sent.
class AlrDetector {
 public:
  void setEstimate(DataRate rate) { rate_ = rate; }
  void onSent(int64_t bytes, Timestamp now) {
    if (last_) {
      const Duration elapsed = std::min(now - *last_, Duration::millis(500));
      budget_ += static_cast<double>((rate_ * kUsage).bytesIn(elapsed));
    }
    last_ = now;
    budget_ -= static_cast<double>(bytes);
    const double window =
        std::max(1.0, static_cast<double>((rate_ * kUsage).bytesIn(Duration::millis(500))));
    budget_ = std::clamp(budget_, -window, window);
    const double level = budget_ / window;
    if (!limited_ && level > kStart) limited_ = true;
    if (limited_ && level < kStop) limited_ = false;
  }
  bool limited() const { return limited_; }

 private:
  static constexpr double kUsage = 0.65;
  static constexpr double kStart = 0.8;
  static constexpr double kStop = 0.5;
  DataRate rate_;
  std::optional<Timestamp> last_;
  double budget_ = 0;
  bool limited_ = false;
};

}  // namespace parley::congestion::gcc
