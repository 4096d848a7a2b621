#include "congestion/gcc/aimd.h"

#include <algorithm>
#include <cmath>

namespace parley::congestion::gcc {
namespace {

constexpr double kBeta = 0.85;
constexpr double kGrowthPerSecond = 1.08;
constexpr double kOveruseWeight = 0.05;
constexpr double kProbeWeight = 0.5;
constexpr double kAdditiveFloorBps = 4000;
constexpr double kFramesPerSecond = 30;
constexpr double kPacketBytes = 1200;

}  // namespace

void LinkCapacity::onOveruse(DataRate acked) {
  update(acked.kbps(), kOveruseWeight);
}
void LinkCapacity::onProbe(DataRate rate) {
  update(rate.kbps(), kProbeWeight);
}

void LinkCapacity::update(double sampleKbps, double weight) {
  kbps_ = kbps_ ? (1 - weight) * *kbps_ + weight * sampleKbps : sampleKbps;
  // The variance relative to the mean, so that the spread scales with the rate.
  const double error = *kbps_ - sampleKbps;
  deviation_ = (1 - weight) * deviation_ + weight * error * error / std::max(*kbps_, 1.0);
  deviation_ = std::clamp(deviation_, 0.4, 2.5);
}

double LinkCapacity::spreadKbps() const {
  return 3 * std::sqrt(deviation_ * *kbps_);
}

DataRate LinkCapacity::upper() const {
  if (!kbps_) return DataRate::infinite();
  return DataRate::bps(static_cast<int64_t>((*kbps_ + spreadKbps()) * 1000));
}

DataRate LinkCapacity::lower() const {
  if (!kbps_) return DataRate::zero();
  return DataRate::bps(static_cast<int64_t>(std::max(0.0, *kbps_ - spreadKbps()) * 1000));
}

void AimdRateControl::setLimits(DataRate min, DataRate max) {
  min_ = min;
  max_ = std::max(min, max);
  current_ = clamp(current_);
}

DataRate AimdRateControl::clamp(DataRate rate) const {
  return std::clamp(rate, min_, max_);
}

void AimdRateControl::setEstimate(DataRate rate, Timestamp now) {
  const DataRate before = current_;
  current_ = clamp(rate);
  lastChange_ = now;
  if (current_ > before) capacity_.forget();
}

bool AimdRateControl::mayDecreaseAgain(std::optional<DataRate> acked, Timestamp now) const {
  const Duration interval = std::clamp(rtt_, Duration::millis(10), Duration::millis(200));
  if (!lastChange_ || now - *lastChange_ >= interval) return true;
  return acked && *acked < current_ * 0.5;
}

double AimdRateControl::additivePerSecond() const {
  // One average packet per response time: the smallest step that can be noticed.
  const double frameBytes = static_cast<double>(current_.bps()) / 8 / kFramesPerSecond;
  const double packets = std::max(1.0, std::ceil(frameBytes / kPacketBytes));
  const Duration response = (rtt_ + Duration::millis(100)) * 2;
  return std::max(kAdditiveFloorBps, frameBytes / packets * 8 / response.seconds());
}

DataRate AimdRateControl::increased(DataRate throughput, bool applicationLimited, Timestamp now) {
  if (throughput > capacity_.upper()) capacity_.forget();
  // Nothing is learnt about rates that are not used; only probes may raise the estimate then.
  const DataRate limit = applicationLimited ? current_ : throughput * 1.5 + DataRate::kbps(10);
  if (current_ >= limit) return current_;
  const double seconds = lastChange_ ? std::clamp((now - *lastChange_).seconds(), 0.0, 1.0) : 0.0;
  DataRate raised = current_;
  if (capacity_.known()) {
    raised = current_ + DataRate::bps(static_cast<int64_t>(additivePerSecond() * seconds));
  } else {
    const double step =
        static_cast<double>(current_.bps()) * (std::pow(kGrowthPerSecond, seconds) - 1);
    raised = current_ + DataRate::bps(static_cast<int64_t>(std::max(step, 1000.0 * seconds)));
  }
  return std::min(raised, limit);
}

DataRate AimdRateControl::decreased(DataRate throughput) {
  // What arrived while the queue grew is what the path carries; stay a little below, so it drains.
  DataRate lowered = throughput * kBeta;
  if (lowered > current_ && capacity_.known()) lowered = capacity_.estimate() * kBeta;
  if (throughput < capacity_.lower()) capacity_.forget();
  capacity_.onOveruse(throughput);
  return std::min(lowered, current_);
}

DataRate AimdRateControl::update(BandwidthUse use, std::optional<DataRate> acked,
                                 bool applicationLimited, Timestamp now) {
  if (acked) latestThroughput_ = *acked;
  switch (use) {
    case BandwidthUse::Normal:
      if (state_ == State::Hold) {
        lastChange_ = now;
        state_ = State::Increase;
      }
      break;
    case BandwidthUse::Overusing:
      state_ = State::Decrease;
      break;
    case BandwidthUse::Underusing:  // the queue drains: let it
      state_ = State::Hold;
      break;
  }
  if (state_ == State::Increase) {
    if (acked) current_ = clamp(increased(latestThroughput_, applicationLimited, now));
    lastChange_ = now;
  } else if (state_ == State::Decrease) {
    current_ = clamp(decreased(acked ? latestThroughput_ : current_ * 0.5));
    lastChange_ = now;
    state_ = State::Hold;
  }
  return current_;
}

}  // namespace parley::congestion::gcc
