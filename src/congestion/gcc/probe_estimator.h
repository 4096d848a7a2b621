#pragma once

#include <array>
#include <optional>

#include "parley/congestion/controller.h"

namespace parley::congestion::gcc {

/// Measures the rate at which a probe cluster came through.
class ProbeEstimator {
 public:
  void onProbeSent(const ProbeCluster& cluster);
  /// A packet of a cluster arrived. The measured rate, once the cluster suffices.
  std::optional<DataRate> onArrival(const PacketResult& result);
  void reset() { clusters_ = {}; }

 private:
  struct Cluster {
    ProbeCluster plan;
    int packets = 0;
    int64_t bytes = 0;
    Timestamp firstSend, lastSend, firstReceive, lastReceive;
    uint32_t lastSendSize = 0;
    uint32_t firstReceiveSize = 0;
  };
  std::array<Cluster, 8> clusters_{};
  size_t next_ = 0;
};

}  // namespace parley::congestion::gcc
