#pragma once

#include <array>
#include <optional>

#include "parley/congestion/controller.h"

namespace parley::congestion::gcc {

/// Measures what a probe cluster found: the rate at which it was sent if the path carried that,
/// else the rate of the path. The path is fitted as a FIFO link, because with packets of different
/// sizes the plain rates of departures and arrivals differ even where nothing is full.
class ProbeEstimator {
 public:
  void onProbeSent(const ProbeCluster& cluster);
  /// A packet of a cluster arrived.
  void onArrival(const PacketResult& result);
  /// The rate of the newest cluster that has got packets since the last call, once they suffice.
  std::optional<DataRate> estimate();
  void reset() { clusters_ = {}; }

 private:
  struct Sample {
    Timestamp send, receive;
    uint32_t size = 0;
  };
  static constexpr size_t kMaxSamples = 48;
  struct Cluster {
    ProbeCluster plan;
    int packets = 0;
    int64_t bytes = 0;
    size_t samples = 0;
    bool changed = false;
    std::array<Sample, kMaxSamples> sample;
  };
  static void insert(Cluster& cluster, const PacketResult& result);
  static std::optional<double> sendRate(const Cluster& cluster);
  static std::optional<DataRate> estimate(const Cluster& cluster);
  static double misfit(const Cluster& cluster, double linkBps);

  std::array<Cluster, 5> clusters_{};
  size_t next_ = 0;
};

}  // namespace parley::congestion::gcc
