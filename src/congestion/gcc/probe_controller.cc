#include "congestion/gcc/probe_controller.h"

#include <algorithm>

namespace parley::congestion::gcc {
namespace {

constexpr double kFirst = 3;
constexpr double kSecond = 6;
constexpr double kNext = 2;
/// The first probes meet a receiver that is still setting up: what waited for it arrives in one
/// lump and tells nothing. Without another try the rate would creep up for half a minute.
constexpr int kRepeats = 2;
/// A short burst finds the gaps between the frames of others and measures the whole link: between
/// the flows of a full link both would jump to all of it. One that spans two frames gets their
/// share of it at the most, and a smaller step leaves less of a queue.
constexpr double kGentle = 1.5;
constexpr Duration kGentleTime = Duration::millis(66);
constexpr double kGentlyAnswered = 0.9;
/// A probe whose result reaches this share of it was not stopped by the path.
constexpr double kAnswered = 0.7;
constexpr Duration kAnswerTime = Duration::seconds(1);
constexpr Duration kInterval = Duration::seconds(5);
constexpr Duration kCalmBeforeRecovery = Duration::seconds(2);
/// The rate grows steadily: where nothing has stopped it for so long there is more.
constexpr Duration kCalmBeforeMore = Duration::seconds(4);
/// An overuse so soon after a probe comes of it.
constexpr Duration kProbeEffect = Duration::seconds(3);
constexpr Duration kRecoveryWindow = Duration::seconds(60);
constexpr double kDropWorthProbing = 0.8;

}  // namespace

DataRate ProbeController::ceiling() const {
  if (wanted_.isZero()) return max_;
  // Twice what the streams can use leaves room for a burst of theirs.
  return std::min(max_, wanted_ * 2.0);
}

void ProbeController::probe(DataRate rate, bool further, Timestamp now, ControlUpdate& out) {
  const DataRate top = ceiling();
  if (rate >= top) {
    rate = top;
    further = false;
  }
  if (rate.isZero() || rate.isInfinite()) return;
  ProbeCluster cluster;
  cluster.id = nextId_++;
  cluster.rate = rate;
  out.addProbe(cluster);
  lastProbe_ = now;
  furtherAbove_ = further ? std::optional(rate * kAnswered) : std::nullopt;
  furtherUntil_ = now + kAnswerTime;
  gently_ = false;
}

void ProbeController::probeGently(DataRate estimate, Timestamp now, ControlUpdate& out) {
  const size_t before = out.probeCount;
  probe(estimate * kGentle, true, now, out);
  if (out.probeCount == before) return;
  ProbeCluster& cluster = out.probeStore[before];
  cluster.duration = kGentleTime;
  gently_ = true;
  if (furtherAbove_) furtherAbove_ = cluster.rate * kGentlyAnswered;
}

void ProbeController::start(DataRate rate, Timestamp now, ControlUpdate& out) {
  started_ = true;
  beforeDrop_ = DataRate::zero();
  repeatsLeft_ = kRepeats;
  probeFirst(rate, now, out);
}

void ProbeController::probeFirst(DataRate rate, Timestamp now, ControlUpdate& out) {
  probe(rate * kFirst, true, now, out);
  if (rate * kFirst < ceiling()) probe(rate * kSecond, true, now, out);
}

void ProbeController::stop() {
  started_ = false;
  repeatsLeft_ = 0;
  furtherAbove_.reset();
  beforeDrop_ = DataRate::zero();
}

void ProbeController::setWanted(DataRate maxTotal, DataRate estimate, Timestamp now,
                                ControlUpdate& out) {
  const bool more = maxTotal > wanted_;
  wanted_ = maxTotal;
  if (!started_ || !more || furtherAbove_ || estimate >= ceiling()) return;
  if (limited_ && estimate < maxTotal) probe(std::min(maxTotal, estimate * kFirst), true, now, out);
}

void ProbeController::lookForMore(DataRate estimate, Timestamp now, ControlUpdate& out) {
  if (started_ && now - lastProbe_ > kAnswerTime) probe(estimate * kNext, true, now, out);
}

void ProbeController::onEstimate(DataRate estimate, bool measured, Timestamp now,
                                 ControlUpdate& out) {
  if (measured) repeatsLeft_ = 0;
  if (!started_ || !measured || !furtherAbove_ || now > furtherUntil_ || estimate < *furtherAbove_)
    return;
  if (gently_) {
    probeGently(estimate, now, out);
  } else {
    probe(estimate * kNext, true, now, out);
  }
}

void ProbeController::onOveruse(DataRate before, Timestamp now) {
  furtherAbove_.reset();
  repeatsLeft_ = 0;
  lastOveruse_ = now;
  // The way back is not open: others have it. Steady growth will find when it is.
  if (now - lastProbe_ < kProbeEffect) {
    beforeDrop_ = DataRate::zero();
    return;
  }
  if (now - dropTime_ > kRecoveryWindow || before > beforeDrop_) {
    beforeDrop_ = before;
    dropTime_ = now;
  }
}

void ProbeController::process(DataRate estimate, Timestamp now, ControlUpdate& out) {
  if (!started_ || estimate >= ceiling()) return;
  if (repeatsLeft_ > 0 && now - lastProbe_ >= kAnswerTime) {
    --repeatsLeft_;
    probeFirst(estimate, now, out);
    return;
  }
  if (now - lastProbe_ < kInterval) return;
  if (limited_ && probeWhenLimited_) {
    probe(estimate * kNext, true, now, out);
    return;
  }
  const bool recovering = !beforeDrop_.isZero() && estimate < beforeDrop_ * kDropWorthProbing &&
                          now - dropTime_ < kRecoveryWindow;
  if (recovering && now - lastOveruse_ > kCalmBeforeRecovery)
    probe(std::min(estimate * kNext, beforeDrop_), false, now, out);
  else if (!limited_ && now - lastOveruse_ > kCalmBeforeMore)
    probeGently(estimate, now, out);
}

}  // namespace parley::congestion::gcc
