#pragma once

#include <optional>

#include "parley/base/units.h"

#include "congestion/gcc/trendline.h"

namespace parley::congestion::gcc {

/// Where the path was last found full: mean and spread of the throughput at overuse.
class LinkCapacity {
 public:
  void onOveruse(DataRate acked);
  void onProbe(DataRate rate);
  bool known() const { return kbps_.has_value(); }
  DataRate estimate() const { return DataRate::bps(static_cast<int64_t>(*kbps_ * 1000)); }
  DataRate upper() const;
  DataRate lower() const;
  void forget() { kbps_.reset(); }

 private:
  void update(double sampleKbps, double weight);
  double spreadKbps() const;
  std::optional<double> kbps_;
  double deviation_ = 0.4;
};

/// Additive increase near the known capacity, multiplicative far from it, multiplicative decrease
/// on overuse (draft-ietf-rmcat-gcc-02 section 5.5).
class AimdRateControl {
 public:
  explicit AimdRateControl(DataRate start) : current_(start) {}

  void setLimits(DataRate min, DataRate max);
  void setRtt(Duration rtt) { rtt_ = rtt; }
  /// A measurement or the application says so.
  void setEstimate(DataRate rate, Timestamp now);
  DataRate update(BandwidthUse use, std::optional<DataRate> acked, bool applicationLimited,
                  Timestamp now);
  /// Enough time for the former decrease to show its effect.
  bool mayDecreaseAgain(std::optional<DataRate> acked, Timestamp now) const;
  DataRate estimate() const { return current_; }
  const LinkCapacity& capacity() const { return capacity_; }

 private:
  enum class State : uint8_t { Hold, Increase, Decrease };
  DataRate increased(DataRate throughput, bool applicationLimited, Timestamp now);
  DataRate decreased(DataRate throughput);
  double additivePerSecond() const;
  DataRate clamp(DataRate rate) const;

  DataRate min_ = DataRate::kbps(5);
  DataRate max_ = DataRate::infinite();
  DataRate current_;
  DataRate latestThroughput_;
  LinkCapacity capacity_;
  State state_ = State::Hold;
  Duration rtt_ = Duration::millis(200);
  std::optional<Timestamp> lastChange_;
};

}  // namespace parley::congestion::gcc
