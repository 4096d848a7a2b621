#include "congestion/gcc/probe_estimator.h"

#include <algorithm>

namespace parley::congestion::gcc {
namespace {

constexpr double kEnough = 0.8;
constexpr Duration kMaxInterval = Duration::seconds(1);
/// Arriving faster than sent means that something on the way held packets back.
constexpr double kMaxReceiveRatio = 2.0;
/// If arrivals took longer than departures by more than this, the path was full: its capacity
/// shows.
constexpr double kSaturated = 0.9;
constexpr double kBelowCapacity = 0.95;

}  // namespace

void ProbeEstimator::onProbeSent(const ProbeCluster& cluster) {
  clusters_[next_] = Cluster{};
  clusters_[next_].plan = cluster;
  next_ = (next_ + 1) % clusters_.size();
}

std::optional<DataRate> ProbeEstimator::onArrival(const PacketResult& result) {
  const auto found = std::find_if(clusters_.begin(), clusters_.end(), [&](const Cluster& c) {
    return c.plan.id >= 0 && c.plan.id == result.sent.probeId;
  });
  if (found == clusters_.end()) return std::nullopt;
  Cluster& c = *found;
  const Timestamp sent = result.sent.sendTime;
  const Timestamp received = result.receiveTime;
  if (c.packets == 0 || sent < c.firstSend) c.firstSend = sent;
  if (c.packets == 0 || sent >= c.lastSend) {
    c.lastSend = sent;
    c.lastSendSize = result.sent.size;
  }
  if (c.packets == 0 || received < c.firstReceive) {
    c.firstReceive = received;
    c.firstReceiveSize = result.sent.size;
  }
  if (c.packets == 0 || received > c.lastReceive) c.lastReceive = received;
  ++c.packets;
  c.bytes += result.sent.size;
  if (c.packets < c.plan.minPackets * kEnough) return std::nullopt;
  if (static_cast<double>(c.bytes) < static_cast<double>(c.plan.minBytes()) * kEnough)
    return std::nullopt;
  const Duration sendSpan = c.lastSend - c.firstSend;
  const Duration receiveSpan = c.lastReceive - c.firstReceive;
  if (sendSpan <= Duration::zero() || sendSpan > kMaxInterval || receiveSpan <= Duration::zero() ||
      receiveSpan > kMaxInterval)
    return std::nullopt;
  if (receiveSpan * kMaxReceiveRatio < sendSpan) return std::nullopt;
  // The last packet sent takes its time after the span of departures, the first one received took
  // its time before the span of arrivals. Spans are compared rather than rates, because with
  // packets of different sizes those two rates differ even on an empty path.
  double rate = static_cast<double>(c.bytes - c.lastSendSize) * 8 / sendSpan.seconds();
  if (receiveSpan * kSaturated > sendSpan) {
    const double receiveRate =
        static_cast<double>(c.bytes - c.firstReceiveSize) * 8 / receiveSpan.seconds();
    rate = std::min(rate, kBelowCapacity * receiveRate);
  }
  return DataRate::bps(static_cast<int64_t>(rate));
}

}  // namespace parley::congestion::gcc
