#include "congestion/gcc/trendline.h"

#include <algorithm>
#include <cmath>

namespace parley::congestion::gcc {
namespace {

constexpr Duration kGroupLength = Duration::millis(5);
constexpr Duration kMaxBurst = Duration::millis(100);
/// The receiver's clock jumped if it ran this much faster than the reports came in.
constexpr Duration kClockJump = Duration::seconds(3);
constexpr int kMaxReordered = 3;

constexpr double kSmoothing = 0.9;
constexpr double kThresholdGain = 4.0;
constexpr int kMaxDeltasInGain = 60;
constexpr int kDeltaCounterMax = 1000;
constexpr Duration kOveruseTime = Duration::millis(10);
// Section 5.4: the threshold follows |trend| slowly upwards and faster downwards.
constexpr double kUp = 0.0087;
constexpr double kDown = 0.039;
constexpr double kMaxAdaptOffset = 15.0;
constexpr double kMinThreshold = 6;
constexpr double kMaxThreshold = 600;

double toMs(Duration d) {
  return d.seconds() * 1000;
}

}  // namespace

void PacketGroups::reset() {
  previous_.reset();
  current_.reset();
  reordered_ = 0;
}

bool PacketGroups::belongsToBurst(Timestamp sendTime, Timestamp arrivalTime) const {
  const Duration arrivalDelta = arrivalTime - current_->lastArrival;
  const Duration sendDelta = sendTime - current_->lastSend;
  if (sendDelta == Duration::zero()) return true;
  // Packets that caught up with each other in a queue arrive back to back: one event, not several.
  return arrivalDelta - sendDelta < Duration::zero() && arrivalDelta <= kGroupLength &&
         arrivalTime - current_->firstArrival < kMaxBurst;
}

std::optional<PacketGroups::Delta> PacketGroups::add(Timestamp sendTime, Timestamp arrivalTime,
                                                     Timestamp feedbackTime) {
  std::optional<Delta> delta;
  const Group fresh{sendTime, sendTime, arrivalTime, arrivalTime, feedbackTime};
  if (!current_) {
    current_ = fresh;
    return delta;
  }
  if (sendTime < current_->firstSend) return delta;  // late: its group is closed
  if (!belongsToBurst(sendTime, arrivalTime) && sendTime - current_->firstSend > kGroupLength) {
    if (previous_) {
      const Delta candidate{current_->lastSend - previous_->lastSend,
                            current_->lastArrival - previous_->lastArrival};
      const Duration reportDelta = current_->lastFeedback - previous_->lastFeedback;
      if (candidate.arrival - reportDelta >= kClockJump) {
        reset();
        current_ = fresh;
        return delta;
      }
      if (candidate.arrival < Duration::zero()) {
        if (++reordered_ >= kMaxReordered) reset();
        current_ = fresh;
        return delta;
      }
      reordered_ = 0;
      delta = candidate;
    }
    previous_ = current_;
    current_ = fresh;
    return delta;
  }
  current_->lastSend = std::max(current_->lastSend, sendTime);
  current_->lastArrival = arrivalTime;
  current_->lastFeedback = feedbackTime;
  return delta;
}

void TrendlineEstimator::reset() {
  *this = TrendlineEstimator();
}

BandwidthUse TrendlineEstimator::add(const PacketGroups::Delta& delta, Timestamp arrivalTime) {
  deltas_ = std::min(deltas_ + 1, kDeltaCounterMax);
  if (!firstArrival_) firstArrival_ = arrivalTime;
  accumulatedMs_ += toMs(delta.arrival - delta.send);
  smoothedMs_ = kSmoothing * smoothedMs_ + (1 - kSmoothing) * accumulatedMs_;
  points_[head_] = {toMs(arrivalTime - *firstArrival_), smoothedMs_};
  head_ = (head_ + 1) % kWindow;
  count_ = std::min(count_ + 1, kWindow);
  double trend = previousTrend_;
  if (count_ == kWindow) trend = slope().value_or(trend);
  detect(trend, delta.send, arrivalTime);
  return state_;
}

std::optional<double> TrendlineEstimator::slope() const {
  double sumX = 0;
  double sumY = 0;
  for (const Point& p : points_) {
    sumX += p.arrivalMs;
    sumY += p.smoothedDelayMs;
  }
  const double meanX = sumX / kWindow;
  const double meanY = sumY / kWindow;
  double above = 0;
  double below = 0;
  for (const Point& p : points_) {
    above += (p.arrivalMs - meanX) * (p.smoothedDelayMs - meanY);
    below += (p.arrivalMs - meanX) * (p.arrivalMs - meanX);
  }
  if (below == 0) return std::nullopt;
  return above / below;
}

void TrendlineEstimator::detect(double trend, Duration sendDelta, Timestamp now) {
  if (deltas_ < 2) {
    state_ = BandwidthUse::Normal;
    return;
  }
  const double scaled = std::min(deltas_, kMaxDeltasInGain) * trend * kThresholdGain;
  if (scaled > threshold_) {
    overusingFor_ = overusingFor_ ? *overusingFor_ + sendDelta : sendDelta / 2;
    ++overuseCount_;
    // A falling slope means that the queue is already draining.
    if (*overusingFor_ > kOveruseTime && overuseCount_ > 1 && trend >= previousTrend_) {
      overusingFor_ = Duration::zero();
      overuseCount_ = 0;
      state_ = BandwidthUse::Overusing;
    }
  } else {
    overusingFor_.reset();
    overuseCount_ = 0;
    state_ = scaled < -threshold_ ? BandwidthUse::Underusing : BandwidthUse::Normal;
  }
  previousTrend_ = trend;
  adaptThreshold(scaled, now);
}

void TrendlineEstimator::adaptThreshold(double trend, Timestamp now) {
  if (!thresholdUpdated_) thresholdUpdated_ = now;
  const double magnitude = std::fabs(trend);
  if (magnitude <= threshold_ + kMaxAdaptOffset) {  // a spike (route change) teaches nothing
    const double k = magnitude < threshold_ ? kDown : kUp;
    const double dtMs = std::clamp(toMs(now - *thresholdUpdated_), 0.0, 100.0);
    threshold_ =
        std::clamp(threshold_ + k * (magnitude - threshold_) * dtMs, kMinThreshold, kMaxThreshold);
  }
  thresholdUpdated_ = now;
}

}  // namespace parley::congestion::gcc
