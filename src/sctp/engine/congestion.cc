#include "sctp/engine/congestion.h"

#include <algorithm>
#include <iterator>

namespace parley::sctp {
namespace {

constexpr size_t kInitialPackets = 10;  // RFC 6928's window, common practice for SCTP too
/// 4 * ln 2: the smallest gain that lets the rate double each round trip.
constexpr double kStartupGain = 2.77;
constexpr double kStartupWindow = 2.9;
constexpr double kDrainGain = 0.5;
constexpr double kFirstProbe = 1.05;
/// A probe is worth so many packets at least: what adds the same for all lets the smaller of two
/// flows grow faster, as additive increase does.
constexpr double kProbePackets = 5;
constexpr double kMaxProbe = 2.0;
constexpr double kHoldBack = 0.85;
constexpr int kCruiseRounds = 6;
constexpr Duration kMinRound = Duration::millis(20);
/// Above this loss is believed to be ours. A round of few packets may show it by chance.
constexpr double kSustainedLoss = 0.12;
/// Random loss up to this is made up for by sending more.
constexpr double kMaxMadeUp = 0.1;
constexpr int kMinJitterSamples = 4;
constexpr Duration kMinMaxJitter = Duration::millis(10);
constexpr Duration kMaxRoundQueue = Duration::millis(100);
constexpr Duration kMinRttLife = Duration::seconds(10);
/// Up to here the kernel's scheduling, not a link, makes the round trip: packets are not paced.
constexpr Duration kShortPath = Duration::micros(1500);
constexpr double kMaxShortPathWindow = 512.0 * 1024;
constexpr double kMinShortPathWindow = 64.0 * 1024;
constexpr Duration kShortPathQueue = Duration::millis(4);
constexpr size_t kMaxBurst = 64 * 1024;
/// A timer that fires this much late costs no rate.
constexpr Duration kLateness = Duration::millis(1);

}  // namespace

CongestionControl::CongestionControl(size_t mtu) : mtu_(mtu) {}

// ---- the model

double CongestionControl::bdp() const {
  return minRtt_.isInfinite() ? 0 : bandwidth() * minRtt_.seconds();
}

double CongestionControl::firstProbe() const {
  const double room = bdp();
  if (room <= 0) return kFirstProbe;
  return std::clamp(1 + kProbePackets * static_cast<double>(mtu_) / room, kFirstProbe, kMaxProbe);
}

/// How long a queue of ours may stand.
Duration CongestionControl::queueTarget() const {
  return std::clamp(minRtt_ / 16, Duration::micros(1500), Duration::millis(25)) + jitter_ / 2;
}

Duration CongestionControl::longestRound() const {
  if (minRtt_.isInfinite()) return minRtt_;
  return std::max(minRtt_ * 2, minRtt_ + kMaxRoundQueue);
}

void CongestionControl::hintRtt(Duration rtt, Timestamp now) {
  sampleRtt(rtt, now);
}

void CongestionControl::sampleRtt(Duration rtt, Timestamp now) {
  roundMinRtt_ = std::min(roundMinRtt_, rtt);
  roundRttSum_ += rtt;
  ++roundRtts_;
  nextMinRtt_ = std::min(nextMinRtt_, rtt);
  if (rtt < minRtt_) minRtt_ = rtt;
  if (now - minRttSince_ < kMinRttLife) return;
  minRtt_ = nextMinRtt_;
  nextMinRtt_ = Duration::infinite();
  minRttSince_ = now;
}

/// A path whose round trips vary holds more than its rate times the shortest of them.
void CongestionControl::sampleJitter() {
  if (roundRtts_ < kMinJitterSamples || mode_ == Mode::Startup || mode_ == Mode::Drain) return;
  const Duration sample = roundRttSum_ / roundRtts_ - roundMinRtt_;
  jitter_ = std::min(jitter_ + (sample - jitter_) / 4, minRtt_ + kMinMaxJitter);
}

/// The round that ends now.
void CongestionControl::sampleRate(Timestamp now) {
  const double seconds = (now - roundSince_).seconds();
  if (seconds <= 0 || roundAcked_ == 0) return;
  const double rate = static_cast<double>(roundAcked_) / seconds;
  // An idle or application-limited round says little about the path: it does not age the others.
  if (roundAppLimited_ && rate <= bandwidth_) return;
  lastRate_ = rate;
  roundRates_[roundIndex_] = rate;
  roundIndex_ = (roundIndex_ + 1) % kRounds;
  bandwidth_ = *std::max_element(roundRates_.begin(), roundRates_.end());
}

DeliveryStamp CongestionControl::onSend(size_t bytes, size_t inFlight, Timestamp now) {
  const bool goesOn = delivered_ >= appLimitedUntil_ && now - lastAckAt_ <= kLateness;
  if (inFlight == 0 && !goesOn) {
    // Nothing is on its way: a new round begins, and the rest that was does not count. But where
    // all of a window is acknowledged as one and the next follows, the round goes on: the rate
    // would else never be known, and the window never grow.
    roundSince_ = now;
    roundEnd_ = delivered_;
    roundAcked_ = 0;
  }
  const double rate = pacingRate();
  // Slower than it could be: what is delivered then says nothing of the path.
  if (rateLimit_ > 0 && rate >= rateLimit_) onAppLimited(inFlight + bytes);
  if (rate > 0) {
    nextSendAt_ = std::max(nextSendAt_, now - quantumTime() - kLateness) +
                  Duration::fromSeconds(static_cast<double>(bytes) / rate);
  }
  roundMaxInFlight_ = std::max(roundMaxInFlight_, inFlight + bytes);
  return {delivered_, delivered_ < appLimitedUntil_};
}

void CongestionControl::onAck(const Ack& ack, Timestamp now) {
  if (ack.rtt) {
    sampleRtt(*ack.rtt, now);
    if (queueGrows(*ack.rtt) && mode_ == Mode::Startup) enter(Mode::Drain);
  }
  roundLost_ += ack.lost;
  if (ack.acked == 0) return;
  afterTimeout_ = false;
  lastAckAt_ = now;
  delivered_ += ack.acked;
  roundAcked_ += ack.acked;
  if (!ack.stamp) return;
  roundAppLimited_ = roundAppLimited_ || ack.stamp->appLimited;
  // A queue that grew by a multiple is to be seen before it has passed once.
  const bool roundTripOver =
      ack.stamp->delivered >= roundEnd_ || now - roundSince_ >= longestRound();
  if (mode_ == Mode::Drain && static_cast<double>(ack.inFlight) <= bdp()) enter(Mode::Cruise);
  if (roundTripOver && now - roundSince_ >= kMinRound) endRound(ack.inFlight, now);
}

void CongestionControl::endRound(size_t inFlight, Timestamp now) {
  sampleRate(now);
  sampleJitter();
  const uint64_t total = roundAcked_ + roundLost_;
  const double lossRate =
      total == 0 ? 0 : static_cast<double>(roundLost_) / static_cast<double>(total);
  const bool manyLost = roundLost_ >= 8 * mtu_;
  const bool shortPath = minRtt_ < kShortPath;
  if (shortPath && manyLost && lossRate > 0.02) {
    // No link queue is at work here but the receiver's socket buffer.
    inFlightBound_ = std::max(0.7 * static_cast<double>(roundMaxInFlight_), 32.0 * 1024);
  } else if (inFlightBound_ > 0) {
    inFlightBound_ *= 1.02;
  }
  if (mode_ == Mode::Startup) {
    startupRound(roundAppLimited_);
    if (mode_ == Mode::Startup && manyLost && lossRate > 0.2) enter(Mode::Drain);
  } else {
    lossAverage_ += (lossRate - lossAverage_) / 4;
    // What is lost in the best of some rounds, among them one that held back, is not ours.
    if (total >= 30 * mtu_) {
      roundLosses_[lossIndex_] = lossRate;
      lossIndex_ = (lossIndex_ + 1) % kRounds;
      steadyLoss_ = *std::min_element(roundLosses_.begin(), roundLosses_.end());
    }
    if (manyLost && lossAverage_ > kSustainedLoss) {
      lossAverage_ = steadyLoss_ = 0;
      roundLosses_.fill(0);
      // More than noise: believe only what was delivered just now.
      if (lastRate_ > 0) roundRates_.fill(lastRate_);
      bandwidth_ = lastRate_;
      probeGain_ = firstProbe();
      if (mode_ == Mode::Up) enter(Mode::Down);
    }
    steadyRound(inFlight, now);
  }
  roundEnd_ = delivered_;
  roundSince_ = now;
  roundMinRtt_ = Duration::infinite();
  roundRttSum_ = Duration::zero();
  roundRtts_ = 0;
  roundAcked_ = roundLost_ = 0;
  roundAppLimited_ = false;
  roundMaxInFlight_ = inFlight;
}

// ---- modes

void CongestionControl::enter(Mode mode) {
  mode_ = mode;
  if (mode == Mode::Cruise) cruiseRounds_ = 0;
  if (mode == Mode::Up) rateBeforeProbe_ = bandwidth();
}

void CongestionControl::startupRound(bool appLimited) {
  if (appLimited) return;
  const double rate = bandwidth();
  if (rate >= fullRate_ * 1.25) {
    fullRate_ = rate;
    flatRounds_ = 0;
  } else {
    ++flatRounds_;
  }
  if (flatRounds_ >= 3) enter(Mode::Drain);
}

/// All of the latest samples show a queue: the pipe is full, however the rate still moves.
bool CongestionControl::queueGrows(Duration rtt) {
  recentRtts_[recentRttIndex_++ % std::size(recentRtts_)] = rtt;
  if (minRtt_ < kShortPath) return false;
  const Duration least = *std::min_element(std::begin(recentRtts_), std::end(recentRtts_));
  return least > minRtt_ + std::max(minRtt_ / 4, Duration::millis(4));
}

/// A standing queue is drained. What should be gone by the rate held back and is still there was
/// not ours: somebody else's, or a longer path. Then it is part of the round trip.
void CongestionControl::checkQueue(Timestamp now) {
  if (roundMinRtt_.isInfinite() || minRtt_ < kShortPath) {
    drainQueue_ = false;
    return;
  }
  const Duration queue = roundMinRtt_ - minRtt_;
  if (!drainQueue_) {
    if (queue <= queueTarget()) return;
    drainQueue_ = true;
    drainRate_ = lastRate_;
    drainExpected_ = Duration::zero();
    drainFloor_ = Duration::infinite();
    const bool isLarge = queue > minRtt_ / 2 + queueTarget();
    drainShare_ = isLarge ? kDrainGain : kHoldBack;
    // The link is full, and gives no more than this: what it gave before is over.
    if (isLarge && lastRate_ > 0 && !roundAppLimited_) {
      roundRates_.fill(lastRate_);
      bandwidth_ = lastRate_;
    }
    return;
  }
  if (queue <= queueTarget() / 2) {
    drainQueue_ = false;
    return;
  }
  drainFloor_ = std::min(drainFloor_, roundMinRtt_);
  drainExpected_ += (now - roundSince_) * (1 - drainShare_);
  if (drainExpected_ > queue * 1.5 + minRtt_) {
    minRtt_ = drainFloor_;
    nextMinRtt_ = Duration::infinite();
    minRttSince_ = now;
    drainQueue_ = false;
  }
}

void CongestionControl::steadyRound(size_t inFlight, Timestamp now) {
  checkQueue(now);
  switch (mode_) {
    case Mode::Startup:
    case Mode::Drain:
      if (static_cast<double>(inFlight) <= 1.1 * bdp()) enter(Mode::Cruise);
      return;
    case Mode::Cruise:
      if (drainQueue_ || roundAppLimited_) return;
      if (++cruiseRounds_ < kCruiseRounds) return;
      probeGain_ = firstProbe();
      enter(Mode::Up);
      return;
    case Mode::Up:
      // What this round's packets achieved shows in the next one.
      enter(Mode::Down);
      return;
    case Mode::Down: {
      const double gained = rateBeforeProbe_ > 0 ? bandwidth() / rateBeforeProbe_ : 1;
      if (gained > 1 + (probeGain_ - 1) / 2 && !drainQueue_) {
        probeGain_ = std::min(1 + (probeGain_ - 1) * 2.5, kMaxProbe);
        probeSucceeds_ = true;
        enter(Mode::Up);
      } else {
        probeSucceeds_ = false;
        enter(Mode::Cruise);
      }
      return;
    }
  }
}

void CongestionControl::onTimeout(size_t inFlight) {
  static_cast<void>(inFlight);
  afterTimeout_ = true;
}

// ---- what follows from it

size_t CongestionControl::window() const {
  // RFC 9260 section 7.2.3: after a timeout one packet.
  if (afterTimeout_) return mtu_;
  const double floor = static_cast<double>(kInitialPackets * mtu_);
  double window = floor;
  const double burst = bandwidth() * quantumTime().seconds();
  if (minRtt_ < kShortPath) {
    window = std::max(2 * bdp() + burst,
                      std::min(kMinShortPathWindow + bandwidth_ * kShortPathQueue.seconds(),
                               kMaxShortPathWindow));
    if (inFlightBound_ > 0) window = std::min(window, inFlightBound_);
  } else if (mode_ == Mode::Startup) {
    window = std::max(floor, kStartupWindow * bdp() + burst);
  } else {
    const double gain = mode_ == Mode::Up ? std::max(1.25, probeGain_ + 0.25) : 1.25;
    // Room for acknowledgements that come in groups.
    window =
        std::max(4.0 * static_cast<double>(mtu_), gain * (bdp() + bandwidth_ * jitter_.seconds()) +
                                                      2 * burst + 4.0 * static_cast<double>(mtu_));
  }
  return static_cast<size_t>(window);
}

double CongestionControl::pacingRate() const {
  const double rate = pathRate();
  if (rateLimit_ <= 0) return rate;
  return rate > 0 ? std::min(rate, rateLimit_) : rateLimit_;
}

/// What the path is thought to take; 0: not paced.
double CongestionControl::pathRate() const {
  // However little got through: two packets per round trip.
  const double rate = bandwidth_ <= 0 || minRtt_.isInfinite()
                          ? 0
                          : std::max(bandwidth_, 2 * static_cast<double>(mtu_) / minRtt_.seconds());
  if (rate <= 0) {
    // Nothing measured: the initial window over one round trip, if that is known.
    if (minRtt_.isInfinite() || minRtt_ < kShortPath) return 0;
    return kStartupGain * static_cast<double>(kInitialPackets * mtu_) / minRtt_.seconds();
  }
  if (minRtt_ < kShortPath) return 0;
  switch (mode_) {
    case Mode::Startup:
      return rate * kStartupGain;
    case Mode::Drain:
      return rate * kDrainGain;
    case Mode::Up:
      return rate * probeGain_ / (1 - std::min(steadyLoss_, kMaxMadeUp));
    case Mode::Down:
      if (drainQueue_) break;
      return rate * (probeSucceeds_ ? 1.0 : 0.92);
    case Mode::Cruise:
      if (drainQueue_) break;
      return rate / (1 - std::min(steadyLoss_, kMaxMadeUp));
  }
  return std::max(std::min(rate, drainRate_) * drainShare_,
                  2 * static_cast<double>(mtu_) / minRtt_.seconds());
}

/// Packets that may leave at once: a millisecond's worth, so that timers need not be finer and the
/// system can take them in one call.
Duration CongestionControl::quantumTime() const {
  const double rate = std::max(bandwidth(), 1.0);
  const double bytes =
      std::clamp(rate * 0.001, 2.0 * static_cast<double>(mtu_), static_cast<double>(kMaxBurst));
  return Duration::fromSeconds(std::min(bytes / rate, 1.0));
}

}  // namespace parley::sctp
