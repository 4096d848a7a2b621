#include "congestion/gcc/loss_based.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace parley::congestion::gcc {
namespace {

constexpr Duration kObservationTime = Duration::millis(250);
constexpr double kTemporalWeight = 0.9;
/// Loss beyond `kLossOffset` may be inherent only at modest rates: a path that loses much at a high
/// rate is more likely full. 75 kb/s over the excess, e.g. 1.5 Mb/s at 10 %.
constexpr double kLossOffset = 0.05;
constexpr double kBalanceKbps = 75;
constexpr double kFactors[] = {1.02, 1.0, 0.95};
// When the likelihoods are nearly equal, prefer more bandwidth, unless the loss hurts anyway.
constexpr double kBiasLinear = 0.0002;
constexpr double kBiasLog = 0.02;
constexpr double kBiasUntilLoss = 0.15;

double biasSign(double loss) {
  const double distance = kBiasUntilLoss - loss;
  return distance / (0.002 + std::fabs(distance));
}

}  // namespace

void LossBasedEstimator::setLimits(DataRate min, DataRate max) {
  minKbps_ = min.kbps();
  maxKbps_ = std::max(min, max).kbps();
  bandwidthKbps_ = std::clamp(bandwidthKbps_, minKbps_, maxKbps_);
}

DataRate LossBasedEstimator::estimate() const {
  if (count_ == 0) return DataRate::infinite();
  const double kbps = std::max(minKbps_, std::min(bandwidthKbps_, upperBoundKbps_));
  return DataRate::bps(static_cast<int64_t>(kbps * 1000));
}

bool LossBasedEstimator::observe(std::span<const PacketResult> packets) {
  for (const PacketResult& p : packets) {
    if (!partialStart_) {
      partialStart_ = p.sent.sendTime;
      partialEnd_ = p.sent.sendTime;
    }
    partial_.packets += 1;
    if (!p.received()) partial_.lost += 1;
    partialBytes_ += p.sent.size;
    partialEnd_ = std::max(partialEnd_, p.sent.sendTime);
  }
  if (!partialStart_) return false;
  const Duration span = partialEnd_ - *partialStart_;
  if (span < kObservationTime) return false;
  partial_.rateKbps = partialBytes_ * 8 / (span.seconds() * 1000);
  observations_[head_] = partial_;
  head_ = (head_ + 1) % kObservations;
  count_ = std::min(count_ + 1, kObservations);
  partial_ = {};
  partialBytes_ = 0;
  partialStart_ = partialEnd_;
  return true;
}

double LossBasedEstimator::inherentLossBound(double bandwidthKbps) const {
  return std::min(1.0, kLossOffset + kBalanceKbps / std::max(1.0, bandwidthKbps));
}

double LossBasedEstimator::logLikelihood(double bandwidthKbps, double inherentLoss) const {
  double sum = 0;
  double weight = 1;
  for (size_t age = 0; age < count_; ++age) {
    const Observation& o = observations_[(head_ + kObservations - 1 - age) % kObservations];
    double loss = inherentLoss;
    if (o.rateKbps > bandwidthKbps)
      loss += (1 - inherentLoss) * (o.rateKbps - bandwidthKbps) / o.rateKbps;
    loss = std::clamp(loss, 1e-6, 1 - 1e-6);
    sum += weight * (o.lost * std::log(loss) + (o.packets - o.lost) * std::log1p(-loss));
    weight *= kTemporalWeight;
  }
  return sum;
}

double LossBasedEstimator::bestObjective(double bandwidthKbps) const {
  // The likelihood is concave in the inherent loss: ternary search.
  double low = 0;
  double high = inherentLossBound(bandwidthKbps);
  for (int i = 0; i < 10; ++i) {
    const double a = low + (high - low) / 3;
    const double b = high - (high - low) / 3;
    if (logLikelihood(bandwidthKbps, a) < logLikelihood(bandwidthKbps, b)) {
      low = a;
    } else {
      high = b;
    }
  }
  double weightedPackets = 0;
  double weight = 1;
  for (size_t age = 0; age < count_; ++age) {
    weightedPackets +=
        weight * observations_[(head_ + kObservations - 1 - age) % kObservations].packets;
    weight *= kTemporalWeight;
  }
  const double bias =
      biasSign(averageLoss_) * (kBiasLinear * bandwidthKbps + kBiasLog * std::log1p(bandwidthKbps));
  return logLikelihood(bandwidthKbps, (low + high) / 2) + weightedPackets * bias;
}

void LossBasedEstimator::pickBandwidth(DataRate delayBased, std::optional<DataRate> acked) {
  double best = bandwidthKbps_;
  double bestValue = -std::numeric_limits<double>::infinity();
  const auto consider = [&](double kbps) {
    kbps = std::clamp(kbps, minKbps_, maxKbps_);
    const double value = bestObjective(kbps);
    if (value > bestValue) {
      bestValue = value;
      best = kbps;
    }
  };
  if (averageLoss_ == 0) {
    // Both the likelihood and the bias grow with the bandwidth: nothing has to be worked out.
    best = bandwidthKbps_ * kFactors[0];
    if (acked) best = std::max(best, acked->kbps());
    if (!delayBased.isInfinite()) best = std::max(best, delayBased.kbps());
    bandwidthKbps_ = std::clamp(best, minKbps_, maxKbps_);
    return;
  }
  for (const double factor : kFactors) consider(bandwidthKbps_ * factor);
  if (acked) consider(acked->kbps());
  if (!delayBased.isInfinite() && delayBased.kbps() > bandwidthKbps_) consider(delayBased.kbps());
  bandwidthKbps_ = best;
}

void LossBasedEstimator::update(std::span<const PacketResult> packets, DataRate delayBased,
                                std::optional<DataRate> acked) {
  if (!observe(packets)) return;
  double lost = 0;
  double total = 0;
  double weight = 1;
  for (size_t age = 0; age < count_; ++age) {
    const Observation& o = observations_[(head_ + kObservations - 1 - age) % kObservations];
    lost += weight * o.lost;
    total += weight * o.packets;
    weight *= kTemporalWeight;
  }
  averageLoss_ = total > 0 ? lost / total : 0;
  upperBoundKbps_ = averageLoss_ > kLossOffset ? kBalanceKbps / (averageLoss_ - kLossOffset) : 1e9;
  pickBandwidth(delayBased, acked);
}

}  // namespace parley::congestion::gcc
