#pragma once

#include <optional>

#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley::congestion::gcc {

/// How fast data arrives at the peer: samples over short windows, joined by a Bayesian update that
/// trusts a sample the less the further it is from the estimate.
class AckedBitrate {
 public:
  /// Receive times must not decrease within one report.
  void add(Timestamp receiveTime, int64_t bytes, bool applicationLimited);
  std::optional<DataRate> rate() const;
  /// After the peer was silent, or on a new path.
  void reset();
  /// The source woke up from its own limits: the next samples may differ a lot, believe them.
  void expectFastChange() { variance_ += 200; }

 private:
  std::optional<double> takeSampleKbps(Timestamp at, int64_t bytes, bool& small, bool limited);
  std::optional<Timestamp> windowStart_;
  std::optional<Timestamp> last_;
  int64_t windowBytes_ = 0;
  std::optional<double> estimateKbps_;
  double variance_ = 50;
};

}  // namespace parley::congestion::gcc
