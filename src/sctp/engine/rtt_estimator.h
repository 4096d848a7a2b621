#pragma once

#include <algorithm>
#include <cstdlib>

#include "parley/base/time.h"

namespace parley::sctp {

/// Smoothed round trip time and retransmission timeout (RFC 9260 section 6.3.1).
class RttEstimator {
 public:
  /// Below RFC 9260's RTO.Min of 1 s: a lost tail is found by a probe long before, and this only
  /// has to outlast a peer that delays its SACK by the 200 ms that section 6.2 recommends.
  static constexpr Duration kMinRto = Duration::millis(300);
  static constexpr Duration kMaxRto = Duration::seconds(5);

  /// What is known from elsewhere (ICE checks) before the first own sample.
  void hint(Duration rtt) {
    if (!hasSample_) initialRto_ = std::clamp(rtt * 3, Duration::millis(200), Duration::seconds(1));
  }
  void sample(Duration rtt) {
    rtt = std::max(rtt, Duration::nanos(1));
    if (!hasSample_) {
      hasSample_ = true;
      smoothed_ = rtt;
      variation_ = rtt / 2;
    } else {
      const Duration error = rtt > smoothed_ ? rtt - smoothed_ : smoothed_ - rtt;
      variation_ = variation_ - variation_ / 4 + error / 4;
      smoothed_ = smoothed_ - smoothed_ / 8 + rtt / 8;
    }
    backoff_ = 0;
  }
  /// "E2: RTO <- RTO * 2 ("back off the timer")", RFC 9260 section 6.3.3.
  void backOff() { backoff_ = std::min(backoff_ + 1, 10); }
  void clearBackoff() { backoff_ = 0; }

  bool hasSample() const { return hasSample_; }
  Duration smoothed() const { return smoothed_; }
  Duration variation() const { return variation_; }
  Duration rto() const { return std::min(base() * (int64_t{1} << backoff_), kMaxRto); }
  /// While an association is set up somebody waits for it, and its packets are few: backs off to a
  /// second, or to what the path needs.
  Duration handshakeRto() const { return std::min(rto(), std::max(base(), Duration::seconds(1))); }

 private:
  Duration base() const {
    return hasSample_
               ? std::max(smoothed_ + std::max(variation_ * 4, Duration::millis(10)), kMinRto)
               : initialRto_;
  }

  bool hasSample_ = false;
  Duration smoothed_;
  Duration variation_;
  Duration initialRto_ = Duration::seconds(1);
  int backoff_ = 0;
};

}  // namespace parley::sctp
