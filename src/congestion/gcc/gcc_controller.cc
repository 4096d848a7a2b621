#include "congestion/gcc/gcc_controller.h"

#include <algorithm>
#include <cmath>

#include "parley/congestion/gcc.h"

#include "congestion/rate_bounds.h"

namespace parley::congestion::gcc {
namespace {

constexpr Duration kProcessInterval = Duration::millis(50);
/// After the last packet sent the controller sleeps.
constexpr Duration kActive = Duration::seconds(1);
constexpr DataRate kDefaultStart = DataRate::kbps(300);
/// Section 6: up below 2 % loss, down above 10 %.
constexpr double kLowLoss = 0.02;
constexpr double kHighLoss = 0.10;
constexpr Duration kDecreaseInterval = Duration::millis(300);
/// Data is sent and nothing is heard of it.
constexpr Duration kSilence = Duration::millis(1500);
constexpr Duration kSilenceStep = Duration::seconds(1);
constexpr double kSilenceFactor = 0.8;
/// How much may wait on the path beyond one round trip before the encoders are pushed back.
constexpr Duration kQueueAllowance = Duration::millis(350);
constexpr double kLeastReported = 0.45;
constexpr double kLeastStalled = 0.05;
/// So long without a report, and so many of their intervals, and the path stands still.
constexpr Duration kReported = Duration::millis(250);
constexpr double kReportedIntervals = 4;
constexpr Duration kStallMemory = Duration::seconds(1);
constexpr int64_t kMinWindow = 2 * 1500;
constexpr int64_t kNoWindow = int64_t{1} << 40;
constexpr Duration kNoQueue = Duration::millis(5);
/// A queue of this length for this long is too much.
constexpr Duration kLongQueue = Duration::millis(40);
constexpr Duration kLongQueueTime = Duration::millis(200);
/// Beyond this the queue is drained by all means.
constexpr Duration kDrainedQueue = Duration::millis(100);
constexpr double kDrainPacing = 1.1;
/// A probe on top of a queue measures the queue.
constexpr Duration kProbeQueue = Duration::millis(15);
/// So much in the pacer is a queue of our own making that is still on its way to the path.
constexpr Duration kOwnBacklog = Duration::millis(200);
/// Three frames.
constexpr Duration kSmallBacklog = Duration::millis(100);
constexpr DataRate kDataCeiling = DataRate::kbps(1'000'000);
/// Data acknowledged longer ago says nothing about now.
constexpr Duration kDataMemory = Duration::seconds(1);

}  // namespace

GccController::GccController(const RateConstraints& constraints)
    : constraints_(bounded(constraints)),
      aimd_(constraints_.start.value_or(kDefaultStart)),
      loss_(constraints_.start.value_or(kDefaultStart)),
      reportBased_(constraints_.start.value_or(kDefaultStart)) {
  applyLimits();
}

void GccController::applyLimits() {
  constraints_ = bounded(constraints_);
  aimd_.setLimits(constraints_.min, ceiling());
  loss_.setLimits(constraints_.min, ceiling());
  probes_.setLimits(ceiling());
  reportBased_ = std::clamp(reportBased_, constraints_.min, constraints_.max);
}

DataRate GccController::ceiling() const {
  return dataWaiting_ ? kDataCeiling : constraints_.max;
}

DataRate GccController::clamp(DataRate rate) const {
  return std::clamp(rate, constraints_.min, std::max(constraints_.min, ceiling()));
}

std::optional<DataRate> GccController::acknowledged() const {
  const auto media = acked_.rate();
  if (!media || !lastDataAcked_ || now_ - *lastDataAcked_ > kDataMemory) return media;
  return *media + dataAcked_.rate().value_or(DataRate::zero());
}

void GccController::restart(DataRate start) {
  groups_.reset();
  trendline_.reset();
  acked_.reset();
  queue_.reset();
  queueLongSince_.reset();
  foreign_.reset();
  dataAcked_.reset();
  aimd_ = AimdRateControl(start);
  loss_ = LossBasedEstimator(start);
  probeEstimator_.reset();
  probes_.stop();
  alr_ = AlrDetector();
  feedbackSeen_ = false;
  reportBased_ = start;
  remote_ = DataRate::infinite();
  rtt_ = baseRtt_ = Duration::millis(200);
  rttKnown_ = false;
  pushback_ = 1;
  stalled_ = false;
  // What waits was made for another path.
  holding_ = true;
  bytesInFlight_ = 0;
  lastFeedback_.reset();
  firstUnansweredSent_.reset();
  lastSilenceDecrease_.reset();
  lastReport_.reset();
  lastReportDecrease_.reset();
  sentWindow_.reset();
  applyLimits();
}

ControlUpdate GccController::onNetworkAvailability(const NetworkAvailability& message) {
  ControlUpdate out;
  available_ = message.available;
  if (!available_) nextProcess_ = Timestamp::never();
  emit(out);
  return out;
}

ControlUpdate GccController::onRouteChange(const RouteChange& message) {
  ControlUpdate out;
  constraints_ = bounded(message.constraints);
  restart(constraints_.start.value_or(bandwidth()));
  emit(out);
  return out;
}

ControlUpdate GccController::onConstraints(const RateConstraints& message) {
  ControlUpdate out;
  constraints_ = message;
  applyLimits();
  if (constraints_.start) {
    aimd_.setEstimate(*constraints_.start, message.time);
    loss_.setEstimate(*constraints_.start);
    reportBased_ = *constraints_.start;
  }
  emit(out);
  return out;
}

ControlUpdate GccController::onStreamsConfig(const StreamsConfig& message) {
  ControlUpdate out;
  streams_ = bounded(message);
  probes_.setApplicationLimited(alr_.limited(), streams_.probeWhenApplicationLimited);
  probes_.setWanted(dataWaiting_ ? kDataCeiling : streams_.maxTotal, bandwidth(), message.time,
                    out);
  emit(out);
  return out;
}

ControlUpdate GccController::onSentPacket(const SentPacket& packet) {
  const bool wasLimited = alr_.limited();
  alr_.setEstimate(bandwidth());
  alr_.onSent(packet.size, packet.sendTime);
  if (wasLimited && !alr_.limited()) acked_.expectFastChange();
  probes_.setApplicationLimited(alr_.limited(), streams_.probeWhenApplicationLimited);
  bytesInFlight_ = packet.bytesInFlight;
  lastSent_ = packet.sendTime;
  if (!firstUnansweredSent_) firstUnansweredSent_ = packet.sendTime;
  if (nextProcess_.isNever() && available_) nextProcess_ = packet.sendTime + kProcessInterval;
  ControlUpdate out;
  if (available_ && !packet.audio && !probes_.started()) {
    // Only now is there something to probe with, and somebody who wants the answer.
    probes_.start(bandwidth(), packet.sendTime, out);
    emit(out);
  }
  return out;
}

void GccController::measureRtt(const TransportFeedbackReport& report) {
  Timestamp lastReceive;
  bool any = false;
  for (const PacketResult& p : report.packets) {
    if (!p.received()) continue;
    if (!any || p.receiveTime > lastReceive) lastReceive = p.receiveTime;
    any = true;
  }
  if (!any) return;
  // What a packet waited for the report to be sent is not part of the path.
  Duration least = Duration::infinite();
  for (const PacketResult& p : report.packets) {
    if (!p.received()) continue;
    least = std::min(least, (report.time - p.sent.sendTime) - (lastReceive - p.receiveTime));
  }
  least = std::clamp(least, Duration::zero(), kLongestRtt);
  // The queueing delay is that of the same packet.
  const Duration base = std::max(Duration::zero(), least - queue_.value());
  rtt_ = rttKnown_ ? rtt_ * 0.8 + least * 0.2 : least;
  baseRtt_ = rttKnown_ ? baseRtt_ * 0.8 + base * 0.2 : base;
  rttKnown_ = true;
}

std::optional<DataRate> GccController::takeArrivals(const TransportFeedbackReport& report) {
  byArrival_.clear();
  for (const PacketResult& p : report.packets) {
    if (p.received()) byArrival_.push_back(p);
  }
  std::sort(byArrival_.begin(), byArrival_.end(), [](const PacketResult& a, const PacketResult& b) {
    return a.receiveTime != b.receiveTime ? a.receiveTime < b.receiveTime
                                          : a.sent.sequence < b.sent.sequence;
  });
  for (const PacketResult& p : byArrival_) {
    acked_.add(p.receiveTime, p.sent.size, alr_.limited());
    if (p.sent.probeId >= 0) probeEstimator_.onArrival(p);
    if (const auto delta = groups_.add(p.sent.sendTime, p.receiveTime, report.time))
      trendline_.add(*delta, p.receiveTime);
  }
  return probeEstimator_.estimate();
}

/// The trend tells a queue that grows, not one that stands. Against others that fill the queue
/// whatever we do holding back is of no use: then only the trend counts.
bool GccController::queueStands(bool lost, Timestamp now) {
  const Duration queue = queue_.value();
  foreign_.update(queue, lost, backlogged(), now);
  if (queue <= kLongQueue) {
    queueLongSince_.reset();
    return false;
  }
  if (!queueLongSince_) queueLongSince_ = now;
  if (foreign_.present(now) || aimd_.draining()) return false;
  return now - *queueLongSince_ >= kLongQueueTime;
}

void GccController::updateDelayBased(std::optional<DataRate> probe, bool lost, Timestamp now) {
  const bool stands = queueStands(lost, now);
  aimd_.setContested(foreign_.present(now));
  BandwidthUse use = stands ? BandwidthUse::Overusing : trendline_.state();
  // A trend without any queue is noise.
  if (use == BandwidthUse::Overusing && queue_.value() < kNoQueue) use = BandwidthUse::Normal;
  const auto acked = acknowledged();
  if (use == BandwidthUse::Overusing) {
    if (aimd_.mayDecreaseAgain(acked, now)) {
      const DataRate before = aimd_.estimate();
      foreign_.onCut(queue_.value(), now);
      aimd_.update(use, acked, alr_.limited(), queue_.value(), now);
      probes_.onOveruse(before, now);
    }
  } else if (probe) {
    // Delivery proves at least this much; a lower result counts only if the path was full, which
    // the delay would have told.
    if (*probe > aimd_.estimate() || alr_.limited()) {
      if (probes_.gentle()) {
        aimd_.setProbedGently(*probe, now);
      } else {
        aimd_.setProbed(*probe, now);
      }
      loss_.setEstimate(aimd_.estimate());
    }
  } else {
    aimd_.update(use, acked, alr_.limited(), queue_.value(), now);
  }
}

ControlUpdate GccController::onTransportFeedback(const TransportFeedbackReport& report) {
  ControlUpdate out;
  now_ = report.time;
  queue_.update(report.packets, report.time);
  feedbackSeen_ = true;
  if (lastFeedback_) {
    const Duration interval = std::min(report.time - *lastFeedback_, Duration::millis(250));
    feedbackInterval_ = feedbackInterval_ * 0.9 + interval * 0.1;
  }
  lastFeedback_ = report.time;
  bytesInFlight_ = report.bytesInFlight;
  if (bytesInFlight_ == 0) {
    firstUnansweredSent_.reset();
  } else {
    firstUnansweredSent_ = report.time;
  }
  lastSilenceDecrease_.reset();
  measureRtt(report);
  // A queue of others is no reason to be slow.
  aimd_.setRtt(std::max(Duration::millis(1), rtt_ - queue_.value()));
  const auto probe = takeArrivals(report);
  const bool lost = std::any_of(report.packets.begin(), report.packets.end(),
                                [](const PacketResult& p) { return !p.received(); });
  updateDelayBased(probe, lost, report.time);
  loss_.update(report.packets, aimd_.estimate(), acknowledged());
  if (probe) probes_.onEstimate(*probe, true, report.time, out);
  if (queue_.value() < kProbeQueue) probes_.process(bandwidth(), report.time, out);
  updateStall(report.time);
  updateHolding();
  updatePushback();
  emit(out);
  return out;
}

ControlUpdate GccController::onRoundTripTime(const RoundTripTimeReport& message) {
  ControlUpdate out;
  if (!feedbackSeen_ && message.rtt >= Duration::zero()) {
    const Duration rtt = boundedRtt(message.rtt);
    rtt_ = rttKnown_ ? rtt_ * 0.8 + rtt * 0.2 : rtt;
    rttKnown_ = true;
    aimd_.setRtt(rtt_);
    emit(out);
  }
  return out;
}

ControlUpdate GccController::onLossReport(const LossReport& message) {
  ControlUpdate out;
  const uint64_t total = message.packetsLost + message.packetsReceived;
  if (feedbackSeen_ || total == 0) return out;
  const double loss = static_cast<double>(message.packetsLost) / static_cast<double>(total);
  reportLoss_ = loss;
  const double seconds =
      lastReport_ ? std::clamp((message.time - *lastReport_).seconds(), 0.0, 1.0) : 0.0;
  lastReport_ = message.time;
  if (loss <= kLowLoss && !alr_.limited()) {
    reportBased_ = reportBased_ * std::pow(1.08, seconds) + DataRate::kbps(1);
  } else if (loss > kHighLoss && (!lastReportDecrease_ || message.time - *lastReportDecrease_ >=
                                                              kDecreaseInterval + rtt_)) {
    reportBased_ = reportBased_ * (1 - 0.5 * loss);
    lastReportDecrease_ = message.time;
  }
  reportBased_ = std::clamp(reportBased_, constraints_.min, constraints_.max);
  emit(out);
  return out;
}

ControlUpdate GccController::onRemoteBitrate(const RemoteBitrateReport& message) {
  ControlUpdate out;
  if (feedbackSeen_) return out;
  // A peer may name any rate up to 2^81 bit/s.
  remote_ = std::clamp(message.rate, constraints_.min, kHighestRate);
  // The receiver measured it: no need to creep up to it.
  if (!lastReport_ || reportLoss_ <= kLowLoss) reportBased_ = std::min(remote_, constraints_.max);
  emit(out);
  return out;
}

ControlUpdate GccController::onDataTransfer(const DataTransferReport& message) {
  ControlUpdate out;
  now_ = message.time;
  if (message.bytesSent > 0) {
    alr_.setEstimate(bandwidth());
    alr_.onSent(message.bytesSent, message.time);
  }
  if (message.bytesAcked > 0) {
    if (lastDataAcked_ && message.time - *lastDataAcked_ > kDataMemory) dataAcked_.reset();
    dataAcked_.add(message.time, message.bytesAcked, false);
    lastDataAcked_ = message.time;
  }
  if (message.waiting != dataWaiting_) {
    dataWaiting_ = message.waiting;
    applyLimits();
    probes_.setWanted(dataWaiting_ ? kDataCeiling : streams_.maxTotal, bandwidth(), message.time,
                      out);
    // What is known so far is what media needed.
    if (dataWaiting_ && feedbackSeen_) probes_.lookForMore(bandwidth(), message.time, out);
  }
  emit(out);
  return out;
}

EstimatorState GccController::state() const {
  EstimatorState state;
  if (feedbackSeen_) {
    state.delayBased = aimd_.estimate();
    state.lossBased = loss_.estimate();
  } else {
    state.lossBased = reportBased_;
    state.remote = remote_;
  }
  state.acknowledged = acknowledged().value_or(DataRate::zero());
  state.signal = trendline_.state();
  state.queueDelay = queue_.value();
  state.applicationLimited = alr_.limited();
  state.probes = probes_.sent();
  return state;
}

void GccController::onSilence(Timestamp now) {
  if (!feedbackSeen_ || !firstUnansweredSent_ || bytesInFlight_ == 0) return;
  const Timestamp since =
      lastFeedback_ ? std::max(*lastFeedback_, *firstUnansweredSent_) : *firstUnansweredSent_;
  if (now - since < kSilence) return;
  if (lastSilenceDecrease_ && now - *lastSilenceDecrease_ < kSilenceStep) return;
  lastSilenceDecrease_ = now;
  probes_.onOveruse(aimd_.estimate(), now);
  aimd_.setEstimate(aimd_.estimate() * kSilenceFactor, now);
  acked_.reset();
}

ControlUpdate GccController::onProcess(const ProcessInterval& message) {
  ControlUpdate out;
  const Timestamp now = now_ = message.time;
  if (!available_) return out;
  const bool active = lastSent_ && now - *lastSent_ < kActive;
  nextProcess_ = active ? now + kProcessInterval : Timestamp::never();
  pacerQueueBytes_ = message.pacerQueueBytes;
  onSilence(now);
  if (queue_.value() < kProbeQueue) probes_.process(bandwidth(), now, out);
  updateStall(now);
  updateHolding();
  updatePushback();
  emit(out);
  return out;
}

bool GccController::backlogged() const {
  return pacerQueueBytes_ > bandwidth().bytesIn(kOwnBacklog);
}

/// A report now and then from a path that stands still is no reason to fill it: it moves again when
/// what waits there is gone, or when reports come steadily, and then what still waits is of others.
void GccController::updateStall(Timestamp now) {
  if (!lastFeedback_) return;
  if (now - *lastFeedback_ > std::max(kReported, feedbackInterval_ * kReportedIntervals)) {
    stalled_ = true;
    silentAt_ = now;
    return;
  }
  const bool gone = now == *lastFeedback_ && queue_.value() < kDrainedQueue && !backlogged();
  if (gone || now - silentAt_ > kStallMemory) stalled_ = false;
}

/// What may be in flight. While reports come the rates answer them.
int64_t GccController::sendWindow() const {
  if (!stalled_) return kNoWindow;
  return std::max(kMinWindow, bandwidth().bytesIn(baseRtt_ + kDrainedQueue));
}

void GccController::updatePushback() {
  if (!feedbackSeen_) return;
  // What a path that stands still makes of the round trip is no room for more.
  const Duration rtt = stalled_ ? baseRtt_ : rtt_;
  const int64_t window = std::max(kMinWindow, bandwidth().bytesIn(rtt + kQueueAllowance));
  const double fill =
      static_cast<double>(bytesInFlight_ + pacerQueueBytes_) / static_cast<double>(window);
  if (fill > 1.5) {
    pushback_ *= stalled_ ? 0.7 : 0.9;
  } else if (fill > 1.0) {
    pushback_ *= 0.95;
  } else if (fill < 0.1) {
    pushback_ = 1;
  } else {
    pushback_ = std::min(1.0, pushback_ * 1.05);
  }
  // While reports come the estimate itself answers the queue.
  pushback_ = std::max(pushback_, stalled_ ? kLeastStalled : kLeastReported);
}

/// What encoders made before they were told, and what is repeated, is better held back here than
/// added to a queue that is to drain and may overflow. Let go at once when the queue is short, it
/// would be the next queue.
void GccController::updateHolding() {
  if (foreign_.present(now_)) {
    holding_ = false;
  } else if (queue_.value() >= kDrainedQueue) {
    holding_ = true;
  } else if (pacerQueueBytes_ <= bandwidth().bytesIn(kSmallBacklog)) {
    holding_ = false;
  }
}

double GccController::pacingFactor() const {
  if (!stalled_ && !holding_) return streams_.pacingFactor;
  return std::min(streams_.pacingFactor, kDrainPacing);
}

DataRate GccController::bandwidth() const {
  DataRate rate = feedbackSeen_ ? std::min(aimd_.estimate(), loss_.estimate())
                                : std::min(reportBased_, remote_);
  return clamp(rate);
}

void GccController::emit(ControlUpdate& out) {
  for (const ProbeCluster& p : out.probes()) probeEstimator_.onProbeSent(p);
  TargetRate target;
  target.bandwidth = bandwidth();
  target.target = available_
                      ? std::clamp(target.bandwidth * pushback_, constraints_.min, constraints_.max)
                      : DataRate::zero();
  // Whole percents and milliseconds, so that noise alone is no news.
  const double loss = feedbackSeen_ ? loss_.lossFraction() : reportLoss_;
  target.lossFraction = std::round(loss * 100) / 100;
  target.rtt = Duration::millis(rtt_.millis());
  if (!sentTarget_ || !(*sentTarget_ == target)) {
    sentTarget_ = target;
    out.target = target;
  }
  PacerRates pacer;
  pacer.pacing = std::max(streams_.minTotal, target.bandwidth) * pacingFactor();
  pacer.padding = std::min(streams_.maxPadding, target.bandwidth);
  if (!sentPacer_ || !(*sentPacer_ == pacer)) {
    sentPacer_ = pacer;
    out.pacer = pacer;
  }
  const int64_t window = sendWindow();
  if (feedbackSeen_ && sentWindow_ != window) {
    sentWindow_ = window;
    out.congestionWindow = window;
  }
}

}  // namespace parley::congestion::gcc

namespace parley::congestion {
namespace {

class GccFactory final : public ControllerFactory {
 public:
  std::unique_ptr<Controller> create(const RateConstraints& constraints) const override {
    return createGcc(constraints);
  }
};

}  // namespace

std::unique_ptr<Controller> createGcc(const RateConstraints& constraints) {
  return std::make_unique<gcc::GccController>(constraints);
}

std::unique_ptr<ControllerFactory> gccFactory() {
  return std::make_unique<GccFactory>();
}

}  // namespace parley::congestion
