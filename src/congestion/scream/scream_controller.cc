#include "congestion/scream/scream_controller.h"

#include <algorithm>
#include <cmath>

#include "parley/congestion/scream.h"

#include "congestion/rate_bounds.h"

namespace parley::congestion::scream {
namespace {

constexpr double kMss = 1200;
constexpr Duration kProcessInterval = Duration::millis(50);
constexpr Duration kActive = Duration::seconds(1);
constexpr DataRate kDefaultStart = DataRate::kbps(300);
// Constants of the draft, where they are its.
constexpr Duration kQueueTarget = Duration::millis(60);  ///< QDELAY_TARGET_LO
constexpr double kQueueGain = 1.0 / 4;                   ///< QDELAY_AVG_G
constexpr double kBetaLoss = 0.7;                        ///< BETA_LOSS
/// A loss without a queue is rather the radio's: RFC 8511 answers marks of short queues so.
constexpr double kBetaLossNoQueue = 0.8;
/// What drains shows at once; what grows is smoothed as in RFC 6298.
constexpr double kRttGainDown = 0.5;
constexpr double kRttGainUp = 0.125;
constexpr double kAlphaUp = 1.0 / 8;      ///< L4S_AVG_G_UP
constexpr double kAlphaDown = 1.0 / 128;  ///< L4S_AVG_G_DOWN
constexpr Duration kAlphaInterval = Duration::millis(10);
constexpr Duration kVirtualRtt = Duration::millis(25);  ///< VIRTUAL_RTT
constexpr double kMultiplicative = 0.02;                ///< MUL_INCREASE_FACTOR
constexpr double kPostCongestionRtts = 100;             ///< POST_CONGESTION_DELAY_RTTS
constexpr double kInFlightHeadroom = 1.5;               ///< BYTES_IN_FLIGHT_HEAD_ROOM
/// The draft says 10; the sooner, the slower the window grows where it must.
constexpr double kInflexionRtts = 5;
/// REF_WND_OVERHEAD. The draft's 5 would let a path that stands still fill for five round trips;
/// with pacing, and the time between reports counted, half more than the window is enough.
constexpr double kWindowOverhead = 1.5;
/// PACKET_PACING_HEADROOM: bursts that leave faster make L4S queues mark at rates that fit.
constexpr double kPacingHeadroom = 1.15;
constexpr double kPacingHeadroomMarked = 1.05;
/// The draft grows by a segment per round trip, so rates by the inverse square of it. Here all
/// rates grow alike, as at this round trip: so flows of different ways share a path.
constexpr Duration kReferenceRtt = Duration::millis(100);
constexpr double kMostOfReference = 9;
constexpr double kLeastGrowth = 0.15;
constexpr DataRate kOrdinaryRate = DataRate::kbps(1000);
/// A queue that is to drain takes as long until a report tells so.
constexpr Duration kDelayReactionTime = Duration::millis(100);
constexpr double kDeepestCut = 0.5;
/// No cut below what the peer was seen to get, with a part left for the queue to drain.
constexpr double kOfAcknowledged = 0.92;
constexpr Duration kSilence = Duration::seconds(1);
constexpr Duration kSilenceStep = Duration::seconds(1);
/// So much may wait in the pacer.
constexpr Duration kPacerQueue = Duration::millis(150);
constexpr double kLeastPushback = 0.1;
constexpr double kLeastPushbackReported = 0.5;
constexpr DataRate kDataCeiling = DataRate::kbps(1'000'000);
constexpr Duration kDataMemory = Duration::seconds(1);

}  // namespace

ScreamController::ScreamController(const RateConstraints& constraints) {
  setLimits(constraints);
  restart(constraints_.start.value_or(kDefaultStart));
}

void ScreamController::setLimits(const RateConstraints& constraints) {
  constraints_ = bounded(constraints);
}

DataRate ScreamController::ceiling() const {
  return dataWaiting_ ? std::max(kDataCeiling, constraints_.max) : constraints_.max;
}

void ScreamController::restart(DataRate start) {
  start = std::clamp(start, constraints_.min, constraints_.max);
  srtt_ = Duration::millis(100);
  rttKnown_ = false;
  refWnd_ = std::max(minWindow(), static_cast<double>(start.bytesIn(srtt_)));
  refWndI_ = 1;
  inflexionSet_.reset();
  l4sAlpha_ = 0;
  markedInRound_ = packetsInRound_ = 0;
  maxInFlight_ = formerMaxInFlight_ = 0;
  lastCongestion_.reset();
  lastReduction_.reset();
  lastDelayReduction_.reset();
  queue_.reset();
  foreign_.reset();
  queueAverage_ = Duration::zero();
  losses_.reset();
  acked_.reset();
  dataAcked_.reset();
  lossAverage_ = 0;
  bytesInFlight_ = 0;
  pacerQueueBytes_ = 0;
  pushback_ = 1;
  lastFeedback_.reset();
  lastSilence_.reset();
  sentWindow_.reset();
}

double ScreamController::minWindow() const {
  return static_cast<double>(constraints_.min.bytesIn(srtt_));
}

double ScreamController::maxWindow() const {
  return std::max(minWindow(), static_cast<double>((ceiling() * 1.25).bytesIn(srtt_)));
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
  refWnd_ = std::clamp(refWnd_, minWindow(), maxWindow());
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
  maxInFlight_ = std::max(maxInFlight_, inFlight());
  if (nextProcess_.isNever() && available_) nextProcess_ = packet.sendTime + kProcessInterval;
  return {};
}

void ScreamController::takeRtt(Duration rtt) {
  rtt = boundedRtt(rtt);
  if (rttKnown_) {
    const double gain = rtt < srtt_ ? kRttGainDown : kRttGainUp;
    srtt_ = srtt_ * (1 - gain) + rtt * gain;
    return;
  }
  // What was set so far was a rate.
  refWnd_ = refWnd_ * (rtt / srtt_);
  srtt_ = rtt;
  rttKnown_ = true;
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
  takeRtt(least);
}

ScreamController::Tally ScreamController::count(const TransportFeedbackReport& report) {
  Tally tally;
  for (const PacketResult& p : report.packets) {
    if (!p.received()) {
      losses_.onMissing(p.sent.sequence, report.time);
      continue;
    }
    losses_.onArrived(p.sent.sequence, report.time);
    ++tally.packets;
    tally.acked += p.sent.size;
    acked_.add(p.receiveTime, p.sent.size, false);
    if (!p.ecnCe) continue;
    ++tally.markedPackets;
    tally.marked += p.sent.size;
  }
  // Once a round trip: what was sent before the last reduction belongs to the same event.
  tally.lost = losses_.takeLoss(recoverySequence_, srtt_, report.time);
  const double total = static_cast<double>(report.packets.size());
  if (total > 0) lossAverage_ += ((total - tally.packets) / total - lossAverage_) * 0.1;
  // What SCTP was told meanwhile moves the window like media.
  tally.acked += dataAckedSinceReport_;
  dataAckedSinceReport_ = 0;
  return tally;
}

/// "a slow attack, fast decay EWMA filter"
void ScreamController::updateQueueAverage(Timestamp now) {
  if (now - queueAverageUpdated_ < std::min(kVirtualRtt, srtt_)) return;
  queueAverageUpdated_ = now;
  const Duration delay = queue_.value();
  queueAverage_ =
      delay < queueAverage_ ? delay : queueAverage_ + (delay - queueAverage_) * kQueueGain;
}

/// The share of marked packets, "fast attack slow decay".
void ScreamController::updateAlpha(const Tally& tally, Timestamp now) {
  markedInRound_ += tally.markedPackets;
  packetsInRound_ += tally.packets;
  if (packetsInRound_ == 0 || now - alphaUpdated_ < std::min(kAlphaInterval, srtt_)) return;
  const double share = static_cast<double>(markedInRound_) / packetsInRound_;
  l4sAlpha_ += share >= l4sAlpha_ ? kAlphaUp * (share - l4sAlpha_) : -kAlphaDown * l4sAlpha_;
  markedInRound_ = packetsInRound_ = 0;
  alphaUpdated_ = now;
}

void ScreamController::updateRound(Timestamp now) {
  if (now - roundStart_ < std::max(kVirtualRtt, srtt_)) return;
  roundStart_ = now;
  formerMaxInFlight_ = maxInFlight_;
  maxInFlight_ = inFlight();
}

double ScreamController::distanceToInflexion() const {
  const double distance = (refWnd_ - refWndI_) / refWndI_ * 8;
  return std::clamp(distance * distance, 0.1, 1.0);
}

double ScreamController::afterMarks(Timestamp now) const {
  double backoff = l4sAlpha_ / 2;
  // "Increase stability for very small ref_wnd"
  backoff *= std::max(0.5, 1 - std::min(1.0, kMss / refWnd_));
  if (queue_.value() < kQueueTarget * 0.25)
    backoff *= std::max(kLeastGrowth, distanceToInflexion());
  double window = refWnd_;
  const Duration longAgo = std::max(kVirtualRtt, srtt_) * kPostCongestionRtts;
  // "There is a certain risk that ref_wnd has increased way above bytes in flight"
  if (!lastReduction_ || now - *lastReduction_ > longAgo)
    window = std::min(window, static_cast<double>(std::max(maxInFlight_, formerMaxInFlight_)));
  return std::min(window, std::max(window * (1 - backoff), acknowledgedWindow()));
}

/// What was seen to arrive keeps its part, whatever a queue, or marks of the last moments, say of
/// it: no more than is needed for the queue to drain.
double ScreamController::acknowledgedWindow() const {
  const auto acked = acked_.rate();
  if (!acked || dataInFlight_ > 0) return 0;
  const Duration base = std::max(srtt_ - queue_.value(), srtt_ * 0.25);
  return static_cast<double>(acked->bytesIn(base)) * kOfAcknowledged;
}

/// The draft lowers the window by a packet or two while the queue is long: flows that share it
/// then stay as unequal as they are, and the queue never empties, so that who comes later takes it
/// for a part of the way. Here the window gives up what stands in the queue: all flows the same
/// part of theirs, and the queue is gone a round trip later.
double ScreamController::afterDelay() const {
  const double share = queue_.value() / std::max(srtt_, queue_.value());
  const double window = refWnd_ * (1 - std::min(kDeepestCut, share));
  return std::min(refWnd_, std::max(window, acknowledgedWindow()));
}

bool ScreamController::reduce(const Tally& tally, Timestamp now) {
  const bool marked = tally.markedPackets > 0;
  if (tally.lost || marked) lastCongestion_ = now;
  if (lastReduction_ && now - *lastReduction_ < std::max(kVirtualRtt, srtt_)) return false;
  // Where the queue marks, marks tell more. Where others keep it up, they do not give way.
  const bool delayed =
      !marked && !tally.lost && !marksSeen() && !foreign_.present(now) &&
      queueAverage_ > kQueueTarget * 0.5 &&
      (!lastDelayReduction_ || now - *lastDelayReduction_ > srtt_ + kDelayReactionTime);
  if (!tally.lost && !marked && !delayed) return false;
  if (!inflexionSet_ || now - *inflexionSet_ > srtt_ * kInflexionRtts) {
    inflexionSet_ = now;
    refWndI_ = std::max(1.0, refWnd_);
  }
  double window = refWnd_;
  if (tally.lost)
    window = std::min(
        window, refWnd_ * (queue_.value() < kQueueTarget * 0.25 ? kBetaLossNoQueue : kBetaLoss));
  if (marked) window = std::min(window, afterMarks(now));
  if (delayed) {
    foreign_.onCut(queue_.value(), now);
    window = std::min(window, afterDelay());
    lastDelayReduction_ = lastCongestion_ = now;
  }
  refWnd_ = std::max(minWindow(), window);
  lastReduction_ = now;
  recoverySequence_ = lastSequence_;
  return true;
}

/// "Reference Window Increase"
void ScreamController::grow(const Tally& tally, Timestamp now) {
  const auto fresh = static_cast<double>(tally.acked - tally.marked);
  if (fresh <= 0) return;
  // A window that is not used says nothing about the path.
  const auto used = static_cast<double>(std::max(maxInFlight_, formerMaxInFlight_));
  const double bound =
      std::max(minWindow(), std::min(maxWindow(), kMss + used * kInFlightHeadroom));
  if (refWnd_ >= bound) return;
  const bool contested = foreign_.present(now);
  const double delay = contested || marksSeen() ? 0 : queueAverage_ / (kQueueTarget * 0.5);
  const double room = std::clamp(1 - delay, 0.1, 1.0);
  double step = 0;
  if (refWndI_ <= 1) {
    // Before the first congestion the window doubles per round trip, as in slow start.
    step = refWnd_ * 0.8;
  } else {
    const double small = std::max(0.5, 1 - std::min(1.0, kMss / refWnd_));
    const double rtts = marksSeen() ? std::min(1.0, srtt_ / kVirtualRtt) : srtt_ / kReferenceRtt;
    const double near = contested ? 1 : distanceToInflexion();
    const double since = lastCongestion_ ? (now - *lastCongestion_) /
                                               (std::max(kVirtualRtt, srtt_) * kPostCongestionRtts)
                                         : 1.0;
    const double multiplicative =
        1 + kMultiplicative * refWnd_ / kMss * std::clamp(since, 0.0, 1.0) * near;
    // The larger of two flows grows a little less, so that they become equal.
    const double large = std::sqrt(kOrdinaryRate / std::max(kOrdinaryRate, rate()));
    step = kMss * small * large * std::min(kMostOfReference, rtts * rtts) *
           std::max(kLeastGrowth, near) * multiplicative;
  }
  refWnd_ = std::min(bound, refWnd_ + step * room * fresh / std::max(refWnd_, 1.0));
}

ControlUpdate ScreamController::onTransportFeedback(const TransportFeedbackReport& report) {
  ControlUpdate out;
  now_ = report.time;
  if (lastFeedback_) {
    const Duration interval =
        std::clamp(report.time - *lastFeedback_, Duration::millis(5), Duration::millis(250));
    feedbackInterval_ = feedbackInterval_ * 0.9 + interval * 0.1;
  }
  lastFeedback_ = report.time;
  lastSilence_.reset();
  bytesInFlight_ = report.bytesInFlight;
  measureRtt(report);
  queue_.update(report.packets, report.time);
  updateQueueAverage(report.time);
  const Tally tally = count(report);
  updateAlpha(tally, report.time);
  foreign_.update(queue_.value(), tally.lost, false, report.time);
  if (!reduce(tally, report.time)) grow(tally, report.time);
  updateRound(report.time);
  emit(out);
  return out;
}

ControlUpdate ScreamController::onRoundTripTime(const RoundTripTimeReport& message) {
  if (!lastFeedback_ && message.rtt > Duration::zero()) takeRtt(message.rtt);
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
  refWnd_ = std::clamp(refWnd_, minWindow(), maxWindow());
  emit(out);
  return out;
}

ControlUpdate ScreamController::onRemoteBitrate(const RemoteBitrateReport& message) {
  ControlUpdate out;
  if (lastFeedback_) return out;
  // A peer may name any rate up to 2^81 bit/s.
  const DataRate rate = std::clamp(message.rate, constraints_.min, constraints_.max);
  refWnd_ = std::clamp(static_cast<double>(rate.bytesIn(srtt_)), minWindow(), maxWindow());
  emit(out);
  return out;
}

// The window is of media and data together: data is in flight like media, and what is left of the
// rate is what RtpSession lets SCTP have.
ControlUpdate ScreamController::onDataTransfer(const DataTransferReport& message) {
  ControlUpdate out;
  now_ = message.time;
  dataInFlight_ = std::max<int64_t>(0, dataInFlight_ + message.bytesSent - message.bytesAcked);
  maxInFlight_ = std::max(maxInFlight_, inFlight());
  if (message.bytesAcked > 0) {
    if (lastDataAcked_ && message.time - *lastDataAcked_ > kDataMemory) dataAcked_.reset();
    dataAcked_.add(message.time, message.bytesAcked, false);
    dataAckedSinceReport_ += message.bytesAcked;
    lastDataAcked_ = message.time;
  }
  dataWaiting_ = message.waiting;
  if (!dataWaiting_ && (!lastDataAcked_ || message.time - *lastDataAcked_ > kDataMemory))
    dataInFlight_ = 0;
  refWnd_ = std::clamp(refWnd_, minWindow(), maxWindow());
  emit(out);
  return out;
}

void ScreamController::onSilence(Timestamp now) {
  if (!lastFeedback_ || bytesInFlight_ == 0 || now - *lastFeedback_ < kSilence) return;
  if (lastSilence_ && now - *lastSilence_ < kSilenceStep) return;
  lastSilence_ = now;
  refWnd_ = std::max(minWindow(), refWnd_ * kBetaLoss);
}

/// What encoders make while the window is full would wait here and be old when it leaves.
void ScreamController::updatePushback(Timestamp now) {
  if (!lastFeedback_) return;
  const Duration silent = now - *lastFeedback_;
  const bool stalled =
      bytesInFlight_ >= sendWindow() && silent > std::max(srtt_ * 1.5, feedbackInterval_ * 3);
  if (stalled) {
    pushback_ = std::max(kLeastPushback, pushback_ * 0.8);
  } else if (pacerQueueBytes_ > rate().bytesIn(kPacerQueue)) {
    pushback_ = std::max(kLeastPushbackReported, pushback_ * 0.93);
  } else {
    pushback_ = std::min(1.0, pushback_ * 1.15);
  }
}

ControlUpdate ScreamController::onProcess(const ProcessInterval& message) {
  ControlUpdate out;
  if (!available_) return out;
  now_ = message.time;
  const bool active = lastSent_ && now_ - *lastSent_ < kActive;
  nextProcess_ = active ? now_ + kProcessInterval : Timestamp::never();
  pacerQueueBytes_ = message.pacerQueueBytes;
  onSilence(now_);
  updatePushback(now_);
  emit(out);
  return out;
}

/// target_bitrate = 8 * ref_wnd / s_rtt
DataRate ScreamController::rate() const {
  const double seconds = std::max(0.001, srtt_.seconds());
  const auto bps = static_cast<int64_t>(refWnd_ * 8 / seconds);
  return std::clamp(DataRate::bps(bps), constraints_.min, std::max(constraints_.min, ceiling()));
}

/// What may be in flight. What a report has not told yet is in flight for as long as reports are
/// apart, however short the way.
int64_t ScreamController::sendWindow() const {
  const auto betweenReports = static_cast<double>(rate().bytesIn(feedbackInterval_));
  const double all = (refWnd_ + betweenReports) * kWindowOverhead + 2 * kMss;
  // Data was let through by its own limit; media comes first.
  return static_cast<int64_t>(std::max(all / 2, all - static_cast<double>(dataInFlight_)));
}

EstimatorState ScreamController::state() const {
  EstimatorState state;
  state.delayBased = rate();
  state.acknowledged = acked_.rate().value_or(DataRate::zero());
  if (lastDataAcked_ && now_ - *lastDataAcked_ <= kDataMemory)
    state.acknowledged = state.acknowledged + dataAcked_.rate().value_or(DataRate::zero());
  state.queueDelay = queue_.value();
  state.signal = queueAverage_ > kQueueTarget * 0.5 ? DelaySignal::Overusing : DelaySignal::Normal;
  return state;
}

void ScreamController::emit(ControlUpdate& out) {
  TargetRate target;
  target.bandwidth = rate();
  target.target = available_
                      ? std::clamp(target.bandwidth * pushback_, constraints_.min, constraints_.max)
                      : DataRate::zero();
  target.lossFraction = std::round(lossAverage_ * 100) / 100;
  target.rtt = Duration::millis(srtt_.millis());
  if (!sentTarget_ || !(*sentTarget_ == target)) {
    sentTarget_ = target;
    out.target = target;
  }
  PacerRates pacer;
  pacer.pacing = std::max(streams_.minTotal, target.bandwidth) *
                 (marksSeen() ? kPacingHeadroomMarked : kPacingHeadroom);
  pacer.padding = std::min(streams_.maxPadding, target.bandwidth);
  if (!sentPacer_ || !(*sentPacer_ == pacer)) {
    sentPacer_ = pacer;
    out.pacer = pacer;
  }
  // Before the first report nobody knows whether there will be any.
  const int64_t window = sendWindow();
  if (lastFeedback_ && sentWindow_ != window) {
    sentWindow_ = window;
    out.congestionWindow = window;
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
