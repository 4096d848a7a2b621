#include "congestion/scream/scream_controller.h"

#include <algorithm>
#include <cmath>

#include "parley/congestion/scream.h"

#include "congestion/rate_bounds.h"

namespace parley::congestion::scream {
namespace {

constexpr int64_t kMss = 1200;
constexpr Duration kProcessInterval = Duration::millis(50);
constexpr Duration kActive = Duration::seconds(1);
constexpr DataRate kDefaultStart = DataRate::kbps(300);
// Constants of the draft, section 4.1.1.
constexpr Duration kQueueTarget = Duration::millis(60);  ///< QDELAY_TARGET
constexpr double kBetaLoss = 0.7;
constexpr double kAlphaGain = 1.0 / 16;  ///< L4S_AVG_G
constexpr Duration kVirtualRtt = Duration::millis(25);
constexpr double kPacingHeadroom = 1.5;
constexpr double kInFlightHeadroom = 1.1;
/// How the growth of a window far above the last congestion point speeds up.
constexpr double kMultiplicative = 0.05;
/// After so many round trips without congestion.
constexpr double kPostCongestionRtts = 10;
/// The inflexion point is not moved more often: it is to remember the path, not the last event.
constexpr double kInflexionRtts = 10;
/// A queue above half the target counts as marks, all of them at the target.
constexpr double kVirtualMarkFrom = 0.5;
constexpr double kFarAbove = 1.25;
constexpr Duration kSilence = Duration::millis(1500);

}  // namespace

ScreamController::ScreamController(const RateConstraints& constraints) {
  setLimits(constraints);
  restart(constraints_.start.value_or(kDefaultStart));
}

void ScreamController::setLimits(const RateConstraints& constraints) {
  constraints_ = bounded(constraints);
}

void ScreamController::restart(DataRate start) {
  start = std::clamp(start, constraints_.min, constraints_.max);
  srtt_ = Duration::millis(100);
  rttKnown_ = false;
  refWnd_ = static_cast<double>(std::max(minWindow(), start.bytesIn(srtt_)));
  refWndI_ = 1;
  inflexionSet_.reset();
  l4sAlpha_ = 0;
  markedInRound_ = packetsInRound_ = 0;
  maxInFlight_ = formerMaxInFlight_ = 0;
  lastCongestion_.reset();
  lastReduction_.reset();
  queue_.reset();
  foreign_.reset();
  queueAverage_ = Duration::zero();
  acked_.reset();
  lossAverage_ = 0;
  bytesInFlight_ = 0;
  lastFeedback_.reset();
  lastSilence_.reset();
}

int64_t ScreamController::minWindow() const {
  return std::max(2 * kMss, constraints_.min.bytesIn(srtt_));
}

int64_t ScreamController::maxWindow() const {
  return std::max(minWindow(), (constraints_.max * 1.25).bytesIn(srtt_ + queueAverage_));
}

Duration ScreamController::pace() const {
  return std::max(srtt_, kVirtualRtt);
}

ControlUpdate ScreamController::onNetworkAvailability(const NetworkAvailability& message) {
  ControlUpdate out;
  available_ = message.available;
  if (!available_) nextProcess_ = Timestamp::never();
  emit(out);
  return out;
}

ControlUpdate ScreamController::onRouteChange(const RouteChange& message) {
  ControlUpdate out;
  setLimits(message.constraints);
  restart(constraints_.start.value_or(kDefaultStart));
  emit(out);
  return out;
}

ControlUpdate ScreamController::onConstraints(const RateConstraints& message) {
  ControlUpdate out;
  setLimits(message);
  if (constraints_.start) refWnd_ = static_cast<double>(constraints_.start->bytesIn(srtt_));
  refWnd_ = std::clamp(refWnd_, static_cast<double>(minWindow()), static_cast<double>(maxWindow()));
  emit(out);
  return out;
}

ControlUpdate ScreamController::onStreamsConfig(const StreamsConfig& message) {
  ControlUpdate out;
  streams_ = bounded(message);
  emit(out);
  return out;
}

ControlUpdate ScreamController::onSentPacket(const SentPacket& packet) {
  lastSent_ = packet.sendTime;
  lastSequence_ = std::max(lastSequence_, packet.sequence);
  bytesInFlight_ = packet.bytesInFlight;
  maxInFlight_ = std::max(maxInFlight_, packet.bytesInFlight);
  if (nextProcess_.isNever() && available_) nextProcess_ = packet.sendTime + kProcessInterval;
  return {};
}

void ScreamController::measureRtt(const TransportFeedbackReport& report) {
  Timestamp lastReceive;
  bool any = false;
  for (const PacketResult& p : report.packets) {
    if (!p.received()) continue;
    if (!any || p.receiveTime > lastReceive) lastReceive = p.receiveTime;
    any = true;
  }
  if (!any) return;
  Duration least = Duration::infinite();
  for (const PacketResult& p : report.packets) {
    if (!p.received()) continue;
    least = std::min(least, (report.time - p.sent.sendTime) - (lastReceive - p.receiveTime));
  }
  least = boundedRtt(least);
  srtt_ = rttKnown_ ? srtt_ * 0.875 + least * 0.125 : least;
  rttKnown_ = true;
}

ScreamController::Tally ScreamController::count(const TransportFeedbackReport& report) {
  Tally tally;
  for (const PacketResult& p : report.packets) {
    if (!p.received()) {
      // Once a round trip: what was sent before the last reduction belongs to the same event.
      if (p.sent.sequence > recoverySequence_) ++tally.lost;
      continue;
    }
    ++tally.packets;
    tally.acked += p.sent.size;
    acked_.add(p.receiveTime, p.sent.size, false);
    if (!p.ecnCe) continue;
    ++tally.markedPackets;
    tally.marked += p.sent.size;
  }
  const double total = static_cast<double>(report.packets.size());
  if (total > 0) {
    const double lost = total - tally.packets;
    lossAverage_ += (lost / total - lossAverage_) * 0.1;
  }
  return tally;
}

/// Section 4.2.1.3: the share of marked packets, averaged over round trips.
void ScreamController::updateAlpha(const Tally& tally, Timestamp now) {
  markedInRound_ += tally.markedPackets;
  packetsInRound_ += tally.packets;
  if (now - roundStart_ < pace() || packetsInRound_ == 0) return;
  const double share = static_cast<double>(markedInRound_) / packetsInRound_;
  l4sAlpha_ =
      share > l4sAlpha_ && l4sAlpha_ == 0 ? share : l4sAlpha_ + kAlphaGain * (share - l4sAlpha_);
  markedInRound_ = packetsInRound_ = 0;
  roundStart_ = now;
  formerMaxInFlight_ = maxInFlight_;
  maxInFlight_ = bytesInFlight_;
}

bool ScreamController::reduce(const Tally& tally, Timestamp now) {
  if (lastReduction_ && now - *lastReduction_ < pace()) return false;
  const double target = kQueueTarget.seconds();
  // Sections 4.2.2: a queue is answered like marks whose share grows with it.
  // Unless others keep it up: they do not give way, so only losses and marks count.
  const double delayMarks =
      foreign_.present(now) ? 0.0
                            : std::clamp((queue_.value().seconds() / target - kVirtualMarkFrom) /
                                             (1 - kVirtualMarkFrom),
                                         0.0, 1.0);
  const bool marked = tally.markedPackets > 0;
  if (tally.lost == 0 && !marked && delayMarks <= 0) return false;
  if (!inflexionSet_ || now - *inflexionSet_ > pace() * kInflexionRtts || refWnd_ > refWndI_) {
    inflexionSet_ = now;
    refWndI_ = refWnd_;
  }
  double factor = 1;
  if (tally.lost > 0) factor = std::min(factor, kBetaLoss);
  if (marked) {
    // Small windows feel a mark more: two packets more or less are a large part of them.
    const double scale = 1 / (1 + 2 * static_cast<double>(kMss) / refWnd_);
    factor = std::min(factor, 1 - l4sAlpha_ / 2 * scale);
  }
  if (delayMarks > 0) {
    foreign_.onCut(queue_.value(), now);
    // The queue itself tells how much too large the window is.
    const double excess = queue_.value().seconds() / std::max(0.001, srtt_.seconds());
    factor =
        std::min(factor, 1 - std::min(0.5, std::max(0.05 * delayMarks, excess * delayMarks * 0.5)));
  }
  refWnd_ = std::max(static_cast<double>(minWindow()), refWnd_ * factor);
  lastReduction_ = lastCongestion_ = now;
  recoverySequence_ = lastSequence_;
  return true;
}

/// Section 4.2.3.
void ScreamController::grow(const Tally& tally, Timestamp now) {
  const auto fresh = static_cast<double>(tally.acked - tally.marked);
  if (fresh <= 0) return;
  // A window that is not used says nothing about the path.
  const double used = static_cast<double>(std::max(maxInFlight_, formerMaxInFlight_));
  const double bound = std::max(used * kInFlightHeadroom + kMss, static_cast<double>(minWindow()));
  if (refWnd_ >= bound && refWnd_ > static_cast<double>(constraints_.min.bytesIn(srtt_))) return;
  // Near the point where congestion was met last growth is slow.
  const double distance = std::fabs(refWnd_ - refWndI_) / refWndI_;
  const bool contested = foreign_.present(now);
  const double near =
      refWndI_ > 1 && !contested ? std::clamp(std::pow(4 * distance, 2), 0.1, 1.0) : 1.0;
  const double rtts = srtt_ / pace();
  double step = static_cast<double>(kMss) * near * rtts * rtts;
  // Only far from it: close by, a jump would be cut again at once.
  const bool calm = (!lastCongestion_ || now - *lastCongestion_ > pace() * kPostCongestionRtts) &&
                    refWnd_ > refWndI_ * kFarAbove;
  if (calm) step = std::max(step, refWnd_ * kMultiplicative);
  // Before the first congestion the window doubles per round trip, as in slow start.
  if (refWndI_ <= 1) step = refWnd_ * 0.8;
  // A small queue already: go gently.
  const double room =
      contested
          ? 1.0
          : std::clamp(1 - queue_.value().seconds() / (kQueueTarget.seconds() * kVirtualMarkFrom),
                       0.1, 1.0);
  refWnd_ += step * room * fresh / std::max(refWnd_, 1.0);
  refWnd_ = std::min({refWnd_, std::max(bound, static_cast<double>(minWindow())),
                      static_cast<double>(maxWindow())});
}

ControlUpdate ScreamController::onTransportFeedback(const TransportFeedbackReport& report) {
  ControlUpdate out;
  now_ = report.time;
  lastFeedback_ = report.time;
  lastSilence_.reset();
  bytesInFlight_ = report.bytesInFlight;
  measureRtt(report);
  queue_.update(report.packets, report.time);
  queueAverage_ = queueAverage_ + (queue_.value() - queueAverage_) / 4;
  const Tally tally = count(report);
  updateAlpha(tally, report.time);
  foreign_.update(queue_.value(), tally.lost > 0, false, report.time);
  if (!reduce(tally, report.time)) grow(tally, report.time);
  emit(out);
  return out;
}

ControlUpdate ScreamController::onRoundTripTime(const RoundTripTimeReport& message) {
  if (!rttKnown_ && message.rtt > Duration::zero()) srtt_ = boundedRtt(message.rtt);
  return {};
}

// Without feedback per packet there is no window to move: the loss rule alone remains.
ControlUpdate ScreamController::onLossReport(const LossReport& message) {
  ControlUpdate out;
  const uint64_t total = message.packetsLost + message.packetsReceived;
  if (lastFeedback_ || total == 0) return out;
  now_ = message.time;
  const double loss = static_cast<double>(message.packetsLost) / static_cast<double>(total);
  lossAverage_ = loss;
  refWnd_ *= loss > 0.1 ? 1 - loss / 2 : loss < 0.02 ? 1.05 : 1.0;
  refWnd_ = std::clamp(refWnd_, static_cast<double>(minWindow()), static_cast<double>(maxWindow()));
  emit(out);
  return out;
}

ControlUpdate ScreamController::onRemoteBitrate(const RemoteBitrateReport& message) {
  ControlUpdate out;
  if (lastFeedback_) return out;
  // A peer may name any rate up to 2^81 bit/s.
  const DataRate rate = std::clamp(message.rate, constraints_.min, constraints_.max);
  refWnd_ = std::clamp(static_cast<double>(rate.bytesIn(srtt_)), static_cast<double>(minWindow()),
                       static_cast<double>(maxWindow()));
  emit(out);
  return out;
}

// The window is of media alone; what data channels add to the queue is answered like any other.
ControlUpdate ScreamController::onDataTransfer(const DataTransferReport&) {
  return {};
}

void ScreamController::onSilence(Timestamp now) {
  if (!lastFeedback_ || bytesInFlight_ == 0 || now - *lastFeedback_ < kSilence) return;
  if (lastSilence_ && now - *lastSilence_ < Duration::seconds(1)) return;
  lastSilence_ = now;
  refWnd_ = std::max(static_cast<double>(minWindow()), refWnd_ * kBetaLoss);
}

ControlUpdate ScreamController::onProcess(const ProcessInterval& message) {
  ControlUpdate out;
  if (!available_) return out;
  now_ = message.time;
  const bool active = lastSent_ && now_ - *lastSent_ < kActive;
  nextProcess_ = active ? now_ + kProcessInterval : Timestamp::never();
  onSilence(now_);
  emit(out);
  return out;
}

DataRate ScreamController::rate() const {
  const double seconds = std::max(0.001, srtt_.seconds());
  const auto bps = static_cast<int64_t>(refWnd_ * 8 / seconds);
  return std::clamp(DataRate::bps(bps), constraints_.min, constraints_.max);
}

EstimatorState ScreamController::state() const {
  EstimatorState state;
  state.delayBased = rate();
  state.acknowledged = acked_.rate().value_or(DataRate::zero());
  state.queueDelay = queue_.value();
  state.signal = queue_.value() > kQueueTarget * kVirtualMarkFrom ? DelaySignal::Overusing
                                                                  : DelaySignal::Normal;
  return state;
}

void ScreamController::emit(ControlUpdate& out) {
  TargetRate target;
  target.bandwidth = rate();
  target.target = available_ ? target.bandwidth : DataRate::zero();
  target.lossFraction = std::round(lossAverage_ * 100) / 100;
  target.rtt = Duration::millis(srtt_.millis());
  if (!sentTarget_ || !(*sentTarget_ == target)) {
    sentTarget_ = target;
    out.target = target;
  }
  PacerRates pacer;
  pacer.pacing = std::max(streams_.minTotal, target.bandwidth) * kPacingHeadroom;
  pacer.padding = std::min(streams_.maxPadding, target.bandwidth);
  if (!sentPacer_ || !(*sentPacer_ == pacer)) {
    sentPacer_ = pacer;
    out.pacer = pacer;
  }
}

}  // namespace parley::congestion::scream

namespace parley::congestion {
namespace {

class ScreamFactory final : public ControllerFactory {
 public:
  std::unique_ptr<Controller> create(const RateConstraints& constraints) const override {
    return createScream(constraints);
  }
};

}  // namespace

std::unique_ptr<Controller> createScream(const RateConstraints& constraints) {
  return std::make_unique<scream::ScreamController>(constraints);
}

std::unique_ptr<ControllerFactory> screamFactory() {
  return std::make_unique<ScreamFactory>();
}

}  // namespace parley::congestion
