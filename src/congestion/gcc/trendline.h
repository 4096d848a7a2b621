#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "parley/base/time.h"
#include "parley/congestion/controller.h"

namespace parley::congestion::gcc {

/// Gathers packets sent within 5 ms into groups and measures how much longer the way from group to
/// group got (draft-ietf-rmcat-gcc-02 section 5.2 and 5.3).
class PacketGroups {
 public:
  struct Delta {
    Duration send;
    Duration arrival;
  };
  /// A delta whenever a group is complete.
  std::optional<Delta> add(Timestamp sendTime, Timestamp arrivalTime, Timestamp feedbackTime);
  void reset();

 private:
  struct Group {
    Timestamp firstSend, lastSend, firstArrival, lastArrival, lastFeedback;
  };
  bool belongsToBurst(Timestamp sendTime, Timestamp arrivalTime) const;
  std::optional<Group> previous_;
  std::optional<Group> current_;
  int reordered_ = 0;
};

using BandwidthUse = DelaySignal;

/// Least-squares slope of the accumulated delay, compared with a threshold that adapts so that
/// neither self-inflicted jitter nor competing TCP flows starve us (section 5.4).
class TrendlineEstimator {
 public:
  BandwidthUse add(const PacketGroups::Delta& delta, Timestamp arrivalTime);
  BandwidthUse state() const { return state_; }
  void reset();

 private:
  static constexpr size_t kWindow = 20;
  struct Point {
    double arrivalMs;
    double smoothedDelayMs;
  };
  std::optional<double> slope() const;
  void detect(double trend, Duration sendDelta, Timestamp now);
  void adaptThreshold(double trend, Timestamp now);

  std::array<Point, kWindow> points_{};
  size_t count_ = 0;
  size_t head_ = 0;
  int deltas_ = 0;
  std::optional<Timestamp> firstArrival_;
  double accumulatedMs_ = 0;
  double smoothedMs_ = 0;
  double previousTrend_ = 0;
  double threshold_ = 12.5;
  std::optional<Timestamp> thresholdUpdated_;
  std::optional<Duration> overusingFor_;
  int overuseCount_ = 0;
  BandwidthUse state_ = BandwidthUse::Normal;
};

}  // namespace parley::congestion::gcc
