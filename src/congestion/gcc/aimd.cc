#include "congestion/gcc/aimd.h"

#include <algorithm>
#include <cmath>

namespace parley::congestion::gcc {
namespace {

constexpr double kBeta = 0.85;
constexpr double kGrowthPerSecond = 1.08;
constexpr double kOveruseWeight = 0.05;
constexpr double kProbeWeight = 0.5;
/// A queue is to be gone after this long, however long it is, within limits.
constexpr Duration kDrainTime = Duration::millis(1000);
constexpr double kDeepestCut = 0.5;
/// What is beyond this counts twice: no overshoot makes such a queue, the path became slower.
constexpr Duration kDeepQueue = Duration::millis(150);
/// Once the queue is gone, so much of what was sent or arrived before is sent: the deeper cut was
/// only for the queue. What this takes from a large flow and additive growth gives to all alike
/// makes flows equal.
constexpr double kReturn = 0.88;
constexpr double kEpisodeFloor = 0.33;
constexpr double kContestedReturn = 0.95;
constexpr double kNoise = 0.75;
constexpr Duration kProbeEffect = Duration::seconds(2);
constexpr Duration kDrained = Duration::millis(12);
/// A queue as long as this is no time to grow.
constexpr Duration kHoldQueue = Duration::millis(25);
/// Additive growth per second: the same for all, so that flows become equal, and fast enough that
/// an overuse is found before much of a queue has grown. (With growth a and a threshold s of the
/// delay's slope the queue is s^2 / 2a when it is noticed.)
constexpr double kAdditiveBps = 100'000;
constexpr double kMaxAdditiveShare = 0.2;
/// Below this rate growth is faster and above it slower: cuts alone would take half a minute to
/// make flows equal.
constexpr double kTypicalBps = 1'500'000;
constexpr double kHaste = 1.2;
constexpr double kLeastHaste = 0.5;
constexpr double kMostHaste = 1.8;
/// Beside flows that fill the queue a rate may become small, and must find its way back.
constexpr double kMinAdditiveBps = 50'000;

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
  current_ = clamp(rate);
  lastChange_ = now;
  drain_.reset();
}

void AimdRateControl::setProbed(DataRate rate, Timestamp now) {
  setEstimate(rate, now);
  capacity_.onProbe(rate);
}

void AimdRateControl::setProbedGently(DataRate rate, Timestamp now) {
  if (rate > current_) {
    beforeProbe_ = current_;
    probedGently_ = now;
  }
  setProbed(rate, now);
}

bool AimdRateControl::mayDecreaseAgain(std::optional<DataRate> acked, Timestamp now) const {
  const Duration interval = std::clamp(rtt_, Duration::millis(10), Duration::millis(200));
  if (!lastChange_ || now - *lastChange_ >= interval) return true;
  return acked && *acked < current_ * 0.5;
}

double AimdRateControl::additivePerSecond() const {
  // On long paths the answer comes late: what grows meanwhile should be no more than elsewhere.
  const double patience = std::min(1.0, 0.4 / (rtt_.seconds() + 0.1));
  const double most =
      std::max(kMinAdditiveBps, static_cast<double>(current_.bps()) * kMaxAdditiveShare);
  const double haste = std::clamp(
      std::pow(kTypicalBps / static_cast<double>(current_.bps()), kHaste), kLeastHaste, kMostHaste);
  return std::min(kAdditiveBps * haste * patience, most);
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

DataRate AimdRateControl::decreased(DataRate throughput, Duration queue) {
  // What arrived while the queue grew is what the path carries; stay below, so it drains.
  const Duration weight = queue + std::max(queue - kDeepQueue, Duration::zero());
  const double cut =
      contested_ ? 1 - kContestedReturn : std::clamp(weight / kDrainTime, 1 - kBeta, kDeepestCut);
  DataRate lowered = throughput * (1 - cut);
  if (lowered > current_ && capacity_.known()) lowered = capacity_.estimate() * (1 - cut);
  if (throughput < capacity_.lower()) capacity_.forget();
  capacity_.onOveruse(throughput);
  return std::min(lowered, current_);
}

/// What arrives before there is a measure of it: what a probe found, or half of what is sent.
DataRate AimdRateControl::unmeasured() const {
  return capacity_.known() ? std::min(current_, capacity_.estimate()) : current_ * 0.5;
}

DataRate AimdRateControl::update(BandwidthUse use, std::optional<DataRate> acked,
                                 bool applicationLimited, Duration queue, Timestamp now) {
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
  const bool mayGrow = contested_ || queue < kHoldQueue;
  if (drain_ && state_ != State::Decrease) {
    finishDrain(queue, now);
  } else if (state_ == State::Increase) {
    if (acked && mayGrow) current_ = clamp(increased(latestThroughput_, applicationLimited, now));
    lastChange_ = now;
  } else if (state_ == State::Decrease) {
    const DataRate before = current_;
    current_ = clamp(decreased(acked ? latestThroughput_ : unmeasured(), queue));
    // What arrives in a moment is noisy: the rate that was sent counts, unless far less arrived.
    const bool pathIsSlower = acked && latestThroughput_ < before * kNoise;
    const double share = contested_ ? kContestedReturn : kReturn;
    DataRate back = pathIsSlower ? latestThroughput_ * share : before * share;
    // Each further cut within the same episode may only lower where to return to, and no deeper
    // than what arrives: while a queue stands that is what the path carries.
    if (drain_ && acked) back = std::max(back, latestThroughput_ * share);
    back = std::min(back, drain_ ? drain_->returnTo : before);
    // What a probe found was not free: others have it back.
    if (probedGently_ && now - *probedGently_ < kProbeEffect) back = std::min(back, beforeProbe_);
    const DataRate reached = acked ? std::min(before, latestThroughput_) : before;
    DataRate floor = drain_ ? drain_->floor : reached * kEpisodeFloor;
    if (drain_ && acked) floor = std::min(floor, latestThroughput_ * (1 - kDeepestCut));
    current_ = clamp(std::max(current_, std::min(floor, before)));
    drain_ = Drain{std::max(back, current_), now + kDrainTime + rtt_, floor};
    lastChange_ = now;
    state_ = State::Hold;
  }
  return current_;
}

void AimdRateControl::finishDrain(Duration queue, Timestamp now) {
  if (!contested_ && queue > kDrained && now < drain_->until) return;
  current_ = clamp(std::max(current_, drain_->returnTo));
  drain_.reset();
  lastChange_ = now;
  state_ = State::Increase;
}

}  // namespace parley::congestion::gcc
