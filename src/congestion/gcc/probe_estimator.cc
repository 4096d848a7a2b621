#include "congestion/gcc/probe_estimator.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace parley::congestion::gcc {
namespace {

constexpr double kEnough = 0.8;
constexpr Duration kMaxInterval = Duration::seconds(1);
/// Arriving this much faster than sent means that something on the way held packets back.
constexpr double kMaxCompression = 4.0;
/// Stay below a capacity that was seen, so that the queue drains.
constexpr double kBelowCapacity = 0.95;
/// The links tried: from the sending rate down to a fifth of it.
constexpr double kStep = 0.96;
constexpr int kSteps = 40;
/// A slower link must explain the arrivals clearly better than a faster one: jitter fits something.
constexpr double kClearly = 1.5;
constexpr double kNoiseMs2 = 0.1;

}  // namespace

void ProbeEstimator::onProbeSent(const ProbeCluster& cluster) {
  clusters_[next_] = Cluster{};
  clusters_[next_].plan = cluster;
  next_ = (next_ + 1) % clusters_.size();
}

void ProbeEstimator::insert(Cluster& c, const PacketResult& result) {
  ++c.packets;
  c.bytes += result.sent.size;
  if (c.samples == kMaxSamples) return;
  size_t at = c.samples++;
  for (; at > 0 && c.sample[at - 1].send > result.sent.sendTime; --at)
    c.sample[at] = c.sample[at - 1];
  c.sample[at] = {result.sent.sendTime, result.receiveTime, result.sent.size};
}

std::optional<double> ProbeEstimator::sendRate(const Cluster& c) {
  const Sample& first = c.sample[0];
  const Sample& last = c.sample[c.samples - 1];
  const Duration sent = last.send - first.send;
  const Duration received = last.receive - first.receive;
  if (sent <= Duration::zero() || sent > kMaxInterval || received <= Duration::zero() ||
      received > kMaxInterval || received * kMaxCompression < sent)
    return std::nullopt;
  // The last packet takes its time after the span between departures.
  int64_t bytes = -static_cast<int64_t>(last.size);
  for (size_t i = 0; i < c.samples; ++i) bytes += c.sample[i].size;
  return static_cast<double>(bytes) * 8 / sent.seconds();
}

/// Variance, in ms^2, of what is left of the one-way delays when a FIFO link of this rate is
/// assumed.
double ProbeEstimator::misfit(const Cluster& c, double linkBps) {
  double free = -1;
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < c.samples; ++i) {
    const Sample& s = c.sample[i];
    const double sent = (s.send - c.sample[0].send).seconds() * 1000;
    free = std::max(free, sent) + s.size * 8e3 / linkBps;
    const double left = (s.receive - c.sample[0].receive).seconds() * 1000 - free;
    sum += left;
    squares += left * left;
  }
  const double count = static_cast<double>(c.samples);
  return std::max(0.0, squares / count - sum / count * (sum / count));
}

void ProbeEstimator::onArrival(const PacketResult& result) {
  const auto found = std::find_if(clusters_.begin(), clusters_.end(), [&](const Cluster& c) {
    return c.plan.id >= 0 && c.plan.id == result.sent.probeId;
  });
  if (found == clusters_.end()) return;
  insert(*found, result);
  found->changed = true;
}

std::optional<DataRate> ProbeEstimator::estimate() {
  std::optional<DataRate> newest;
  for (size_t i = 0; i < clusters_.size(); ++i) {
    Cluster& c = clusters_[(next_ + i) % clusters_.size()];
    if (!std::exchange(c.changed, false)) continue;
    if (const auto rate = estimate(c)) newest = rate;
  }
  return newest;
}

std::optional<DataRate> ProbeEstimator::estimate(const Cluster& c) {
  if (c.packets < c.plan.minPackets * kEnough || c.samples < 2) return std::nullopt;
  if (static_cast<double>(c.bytes) < static_cast<double>(c.plan.minBytes()) * kEnough)
    return std::nullopt;
  const auto sent = sendRate(c);
  if (!sent) return std::nullopt;
  // A link that is not felt at all stands for every link above the sending rate.
  double chosen = *sent;
  double chosenMisfit = misfit(c, std::numeric_limits<double>::infinity());
  double rate = *sent;
  for (int i = 0; i < kSteps; ++i, rate *= kStep) {
    const double candidate = misfit(c, rate);
    if (candidate * kClearly + kNoiseMs2 >= chosenMisfit) continue;
    chosenMisfit = candidate;
    chosen = i == 0 ? rate : rate * kBelowCapacity;
  }
  return DataRate::bps(static_cast<int64_t>(chosen));
}

}  // namespace parley::congestion::gcc
