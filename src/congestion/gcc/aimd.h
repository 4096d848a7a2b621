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
  /// Others keep the queue filled, whatever we do: who gives way deeply there gets nothing.
  void setContested(bool contested) { contested_ = contested; }
  /// A measurement or the application says so.
  void setEstimate(DataRate rate, Timestamp now);
  /// A probe got so much through.
  void setProbed(DataRate rate, Timestamp now);
  /// The same on a path that may have been full: what it got may have been the part of others.
  void setProbedGently(DataRate rate, Timestamp now);
  /// `queue`: how long packets wait on the path now.
  DataRate update(BandwidthUse use, std::optional<DataRate> acked, bool applicationLimited,
                  Duration queue, Timestamp now);
  /// After a decrease, until the queue it was for is gone.
  bool draining() const { return drain_.has_value(); }
  /// Enough time for the former decrease to show its effect.
  bool mayDecreaseAgain(std::optional<DataRate> acked, Timestamp now) const;
  DataRate estimate() const { return current_; }
  const LinkCapacity& capacity() const { return capacity_; }

 private:
  enum class State : uint8_t { Hold, Increase, Decrease };
  DataRate increased(DataRate throughput, bool applicationLimited, Timestamp now);
  DataRate decreased(DataRate throughput, Duration queue);
  DataRate unmeasured() const;
  void finishDrain(Duration queue, Timestamp now);
  double additivePerSecond() const;
  DataRate clamp(DataRate rate) const;

  DataRate min_ = DataRate::kbps(5);
  DataRate max_ = DataRate::infinite();
  DataRate current_;
  DataRate latestThroughput_;
  LinkCapacity capacity_;
  State state_ = State::Hold;
  bool contested_ = false;
  Duration rtt_ = Duration::millis(200);
  std::optional<Timestamp> lastChange_;
  std::optional<Timestamp> probedGently_;
  DataRate beforeProbe_;
  struct Drain {
    DataRate returnTo;  ///< when it is over
    Timestamp until;    ///< at the latest
    DataRate floor;     ///< no cut of the same episode goes lower: its own effect is no news
  };
  std::optional<Drain> drain_;
};

}  // namespace parley::congestion::gcc
