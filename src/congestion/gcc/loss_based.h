#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "parley/congestion/controller.h"

namespace parley::congestion::gcc {

/// Tells loss that goes with the rate (a full queue, a policer) from loss that does not (radio):
/// keeps the last observations of (rate, loss) and picks, among a few candidate bandwidths, the one
/// under which they are most likely, each with its best inherent loss.
class LossBasedEstimator {
 public:
  explicit LossBasedEstimator(DataRate start) : bandwidthKbps_(start.kbps()) {}

  void setLimits(DataRate min, DataRate max);
  void setEstimate(DataRate rate) { bandwidthKbps_ = rate.kbps(); }
  void update(std::span<const PacketResult> packets, DataRate delayBased,
              std::optional<DataRate> acked);
  /// Infinite until something was observed.
  DataRate estimate() const;
  /// Average loss over the observations, the newer the heavier.
  double lossFraction() const { return averageLoss_; }

 private:
  struct Observation {
    double packets = 0;
    double lost = 0;
    double rateKbps = 0;
  };
  static constexpr size_t kObservations = 20;
  bool observe(std::span<const PacketResult> packets);
  void pickBandwidth(DataRate delayBased, std::optional<DataRate> acked);
  double inherentLossBound(double bandwidthKbps) const;
  double logLikelihood(double bandwidthKbps, double inherentLoss) const;
  double bestObjective(double bandwidthKbps) const;

  double bandwidthKbps_;
  double minKbps_ = 5;
  double maxKbps_ = 1e9;
  double upperBoundKbps_ = 1e9;
  double averageLoss_ = 0;
  std::array<Observation, kObservations> observations_{};
  size_t count_ = 0;
  size_t head_ = 0;
  // The one being gathered.
  Observation partial_;
  double partialBytes_ = 0;
  std::optional<Timestamp> partialStart_;
  Timestamp partialEnd_;
};

}  // namespace parley::congestion::gcc
