#include "parley/media/rtp_session.h"

#include <algorithm>
#include <utility>

#include "parley/base/check.h"
#include "parley/congestion/gcc.h"
#include "parley/rtp/extensions/all.h"

#include "media/draw_ssrc.h"
#include "media/rtp_session_impl.h"

namespace parley::media {
namespace {

constexpr size_t kMaxSendStreams = 256;
constexpr size_t kMinPacketSize = 256;
constexpr Duration kEstimateInterval = Duration::millis(50);
/// Data channels that wait get at least this share of the path: a file must arrive some day.
constexpr double kDataShare = 0.1;
/// After this without media the path belongs to data alone.
constexpr Duration kMediaMemory = Duration::seconds(2);

std::unique_ptr<congestion::Controller> makeController(const RtpSessionConfig& config) {
  return config.controllers != nullptr ? config.controllers->create(config.rates)
                                       : congestion::createGcc(config.rates);
}

size_t clampPacketSize(size_t bytes) {
  return std::clamp(bytes, kMinPacketSize, PacketBuf::kMaxPayload);
}

/// Of video timing: when the packet leaves the pacer, that is `waited` after it was made.
void stampTiming(MutableByteSpan packet, const rtp::ExtensionMap& map, Duration waited) {
  const uint8_t id = map.id(rtp::ExtensionKind::VideoTiming);
  const MutableByteSpan timing = id != 0 ? rtp::findExtension(packet, id) : MutableByteSpan{};
  if (timing.size() != rtp::VideoTiming::kMaxSize) return;
  const uint16_t made = loadU16(&timing[rtp::VideoTiming::kPacketizedAt]);
  storeU16(&timing[rtp::VideoTiming::kLeftPacerAt],
           rtp::VideoTiming::sinceCapture(Duration::millis(made) + waited));
}

}  // namespace

RtpSession::Impl::Impl(const Environment& environment, const RtpSessionConfig& config)
    : environment_(environment),
      config_(config),
      hub_(environment_),
      controller_(makeController(config)),
      pacer_(environment.limits.maxQueuedTransmits),
      ownSsrc_(drawSsrc(environment.random)),
      schedule_(environment.random),
      outbound_(environment.limits.maxQueuedTransmits),
      events_(environment.limits.maxQueuedEvents) {
  config_.controllers = nullptr;
  config_.maxPacketSize = clampPacketSize(config.maxPacketSize);
  hub_.setArrivalFeedback(config_.arrivalFeedback);
}

// --- control

void RtpSession::Impl::reconfigure(const RtpSessionConfig& config, Timestamp now) {
  now = clock_.clamp(now);
  config_ = config;
  config_.controllers = nullptr;
  hub_.setArrivalFeedback(config_.arrivalFeedback);
  congestion::RateConstraints rates = config.rates;
  rates.time = now;
  applyUpdate(controller_->onConstraints(rates), now);
  setMaxPacketSize(config.maxPacketSize);
}

void RtpSession::Impl::setMaxPacketSize(size_t bytes) {
  config_.maxPacketSize = clampPacketSize(bytes);
  for (const auto& stream : streams_) stream->setMaxPacketSize(config_.maxPacketSize);
}

SendStream* RtpSession::Impl::find(uint32_t id) const {
  for (const auto& stream : streams_) {
    if (stream->id().value == id) return stream.get();
  }
  return nullptr;
}

SendStream* RtpSession::Impl::findBySsrc(uint32_t ssrc) const {
  for (const auto& stream : streams_) {
    if (stream->config().ssrc == ssrc) return stream.get();
  }
  return nullptr;
}

Result<SendStreamId> RtpSession::Impl::addSendStream(const SendStreamConfig& config,
                                                     Timestamp now) {
  now = clock_.clamp(now);
  if (streams_.size() >= kMaxSendStreams)
    return fail(ErrorCode::ResourceExhausted, "a session carries at most 256 send streams");
  const bool rtxTaken = config.rtxSsrc && *config.rtxSsrc != 0 &&
                        (ssrcInUse(*config.rtxSsrc) || *config.rtxSsrc == config.ssrc);
  if ((config.ssrc != 0 && ssrcInUse(config.ssrc)) || rtxTaken)
    return fail(ErrorCode::InvalidAccess, "the SSRC is in use by another stream");
  SendStreamConfig chosen = config;
  if (chosen.ssrc == 0) chosen.ssrc = freshSsrc();
  const SendStreamId id{nextStreamId_};
  auto stream =
      std::make_unique<SendStream>(environment_, id, std::move(chosen), config_.maxPacketSize);
  if (!stream->usable())
    return fail(ErrorCode::NotSupported, "no payload format is known for \"" + config.codec + "\"");
  const auto former =
      std::find_if(formerSources_.begin(), formerSources_.end(),
                   [&](const FormerSource& f) { return f.ssrc == stream->config().ssrc; });
  if (former != formerSources_.end()) stream->goOnFrom(former->next);
  ++nextStreamId_;
  streams_.push_back(std::move(stream));
  describeStreams(now);
  updateReporting(now);
  return id;
}

Result<void> RtpSession::Impl::updateSendStream(SendStreamId id, const SendStreamConfig& config,
                                                Timestamp now) {
  now = clock_.clamp(now);
  SendStream* stream = find(id.value);
  if (stream == nullptr) return fail(ErrorCode::NotFound, "no such send stream");
  if (!config.takesPackets && rtp::createPacketizer(config.codec, config.payloadFormat) == nullptr)
    return fail(ErrorCode::NotSupported, "no payload format is known for \"" + config.codec + "\"");
  if (config.kind != stream->config().kind)
    return fail(ErrorCode::InvalidModification, "a stream cannot change between audio and video");
  if (config.active && !stream->config().active) startAgain(*stream, now);
  stream->update(config);
  describeStreams(now);
  return ok();
}

void RtpSession::Impl::removeSendStream(SendStreamId id, Timestamp now) {
  now = clock_.clamp(now);
  SendStream* stream = find(id.value);
  if (stream == nullptr) return;
  const uint32_t ssrc = stream->config().ssrc;
  if (stream->everSent()) sendBye({&ssrc, 1});
  retire(*stream);
  pacer_.removeStream(id.value);
  std::erase_if(lossStates_, [ssrc](const LossState& s) { return s.ssrc == ssrc; });
  std::erase_if(streams_, [id](const auto& s) { return s->id() == id; });
  describeStreams(now);
  updateReporting(now);
  settle(now);
}

void RtpSession::Impl::setReceiver(const ReceiveConfig& config, Timestamp now) {
  now = clock_.clamp(now);
  hub_.setReceiver(config);
  const auto known = std::find_if(receivers_.begin(), receivers_.end(),
                                  [&](const Receiver& r) { return r.id == config.id; });
  const Receiver receiver{config.id, config.kind};
  if (known != receivers_.end()) {
    *known = receiver;
  } else {
    receivers_.push_back(receiver);
  }
  updateReporting(now);
}

void RtpSession::Impl::removeReceiver(ReceiverId id, Timestamp now) {
  now = clock_.clamp(now);
  hub_.removeReceiver(id);
  std::erase_if(receivers_, [id](const Receiver& r) { return r.id == id; });
  updateReporting(now);
}

bool RtpSession::Impl::receivesVideo() const {
  return std::any_of(receivers_.begin(), receivers_.end(),
                     [](const Receiver& r) { return r.kind == MediaKind::Video; });
}

void RtpSession::Impl::updateReporting(Timestamp now) {
  if (available_ && !closed_ && (!streams_.empty() || !receivers_.empty())) {
    schedule_.start(now);
  } else {
    schedule_.stop();
  }
}

void RtpSession::Impl::setNetworkAvailable(bool available, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || available == available_) return;
  available_ = available;
  applyUpdate(controller_->onNetworkAvailability({now, available}), now);
  if (available) startAllAgain(now);
  for (const auto& stream : streams_) stream->breaker().restart();
  updateReporting(now);
  settle(now);
}

void RtpSession::Impl::onRouteChange(Timestamp now, std::optional<DataRate> known) {
  now = clock_.clamp(now);
  adapter_.reset();
  rtt_.reset();
  losses_.reset();
  pacer_.clearWindow();
  congestion::RateConstraints rates = config_.rates;
  rates.time = now;
  if (known) rates.start = known;
  applyUpdate(controller_->onRouteChange({now, rates}), now);
  startAllAgain(now);
  settle(now);
}

void RtpSession::Impl::close(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  InlineVector<uint32_t, kMaxSendStreams> ssrcs;
  for (const auto& stream : streams_) {
    if (stream->everSent()) ssrcs.push_back(stream->config().ssrc);
    pacer_.removeStream(stream->id().value);
  }
  for (size_t at = 0; at < ssrcs.size(); at += rtp::rtcp::Bye::kMaxSources)
    sendBye({ssrcs.data() + at, std::min(rtp::rtcp::Bye::kMaxSources, ssrcs.size() - at)});
  streams_.clear();
  applyUpdate(controller_->onNetworkAvailability({now, false}), now);
  closed_ = true;
  available_ = false;
  schedule_.stop();
}

void RtpSession::Impl::describeStreams(Timestamp now) {
  congestion::StreamsConfig streams;
  streams.time = now;
  for (const auto& stream : streams_) {
    const SendStreamConfig& c = stream->config();
    if (!c.active || stream->stopped()) continue;
    const BitrateDemand demand = demandOf(*stream);
    // Higher layers of simulcast need not be sent at all.
    if (!c.layer) streams.minTotal = streams.minTotal + demand.min;
    streams.maxTotal = streams.maxTotal + demand.max;
    streams.probeWhenApplicationLimited |= c.kind == MediaKind::Video;
  }
  applyUpdate(controller_->onStreamsConfig(streams), now);
  allocate();
}

void RtpSession::Impl::applyUpdate(const congestion::ControlUpdate& update, Timestamp now) {
  if (update.pacer) pacer_.setRates(*update.pacer, now);
  if (update.congestionWindow) pacer_.setWindow(*update.congestionWindow);
  for (const congestion::ProbeCluster& probe : update.probes()) pacer_.addProbe(probe, now);
  if (!update.target) return;
  target_ = *update.target;
  estimateChanged_ = true;
  allocate();
  updateRtt();
}

DataRate RtpSession::Impl::mediaBudget() const {
  if (!dataWaiting_) return target_.target;
  return std::min(target_.target, target_.bandwidth * (1 - kDataShare));
}

void RtpSession::Impl::onDataTransfer(int64_t bytesSent, int64_t bytesAcked, bool waiting,
                                      Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  const bool changed = waiting != std::exchange(dataWaiting_, waiting);
  applyUpdate(controller_->onDataTransfer({now, bytesSent, bytesAcked, waiting}), now);
  if (changed) allocate();
  settle(now);
}

DataRate RtpSession::Impl::dataRate(Timestamp now) const {
  const bool mediaFlows = lastMediaSent_ && now - *lastMediaSent_ < kMediaMemory;
  if (!available_ || !mediaFlows || controller_->state().acknowledged.isZero())
    return DataRate::infinite();
  const DataRate left =
      target_.bandwidth > allocated_ ? target_.bandwidth - allocated_ : DataRate::zero();
  return std::max(left, target_.bandwidth * kDataShare);
}

bool RtpSession::Impl::pollMissing(MissingPacket& out) {
  if (missing_.empty()) return false;
  out = missing_.pop();
  return true;
}

void RtpSession::Impl::requestKeyFrameOf(uint32_t ssrc, Timestamp now) {
  now = clock_.clamp(now);
  hub_.requestKeyFrameOf(ssrc, now);
  settle(now);
}

void RtpSession::Impl::requestKeyFrame(ReceiverId id, Timestamp now) {
  now = clock_.clamp(now);
  hub_.requestKeyFrame(id, now);
  settle(now);
}

void RtpSession::Impl::decoderLostState(ReceiverId id, Timestamp now) {
  now = clock_.clamp(now);
  hub_.decoderLostState(id, now);
  settle(now);
}

void RtpSession::Impl::wantKeyFrame(SendStream& stream, Timestamp now) {
  if (stream.wantKeyFrame(now)) events_.push(KeyFrameRequested{stream.id()});
}

// --- RTP out

void RtpSession::Impl::push(OutgoingPacket packet) {
  if (!outbound_.push(std::move(packet))) ++drops_.outboundQueue;
}

SendStream* RtpSession::Impl::paddingStream() const {
  // The one that sent last has the freshest packets to repeat.
  SendStream* best = nullptr;
  for (const auto& stream : streams_) {
    if (stream->canPad() && (best == nullptr || stream->lastSent() > best->lastSent()))
      best = stream.get();
  }
  return best;
}

void RtpSession::Impl::pump(Timestamp now) {
  if (!available_) return;
  PacedPacket packet;
  int32_t probeId = -1;
  pacer_.setPaddingPossible(paddingStream() != nullptr);
  pacer_.setInFlight(adapter_.bytesInFlight());
  for (;;) {
    if (pacer_.pop(packet, probeId, now)) {
      release(std::move(packet), probeId, now);
      pacer_.setPaddingPossible(paddingStream() != nullptr);
      continue;
    }
    const size_t wanted = pacer_.paddingDue(probeId, now);
    if (wanted == 0) return;
    const size_t made = sendPadding(wanted, probeId, now);
    if (made == 0) {
      pacer_.abandonPadding();
      return;
    }
    pacer_.onPaddingSent(made, probeId, now);
  }
}

void RtpSession::Impl::release(PacedPacket packet, int32_t probeId, Timestamp now) {
  SendStream* stream = find(packet.stream);
  if (stream == nullptr) return;
  PacketBuf wire;
  bool counted = false;
  if (packet.type == PacketType::Retransmission && packet.data) {
    wire = std::move(packet.data);
    counted = stamp(*stream, wire, now);
  } else if (packet.type == PacketType::Retransmission) {
    if (!stream->buildRetransmission(packet.sequence, wire, now)) return;
    // Under its own number a packet goes out again as it was, send time and all: with AES-GCM
    // another one would reuse the nonce. So it is not counted by the peer's feedback a second time.
    if (stream->repeatsAsRtx()) counted = stamp(*stream, wire, now);
  } else if (stream->keepsHistory() && packet.type != PacketType::Fec) {
    stampTiming(packet.data.mutableSpan(), stream->config().extensions, now - packet.queued);
    // The one copy of a sent packet: repetitions need the plaintext, SRTP works in place.
    wire = environment_.pool.allocate();
    if (wire) {
      counted = stamp(*stream, packet.data, now);
      wire.assign(packet.data.span());
    }
    stream->remember(packet.sequence, std::move(packet.data), now);
    if (!wire) {
      ++drops_.packetPool;
      return;
    }
  } else {
    wire = std::move(packet.data);
    stampTiming(wire.mutableSpan(), stream->config().extensions, now - packet.queued);
    counted = stamp(*stream, wire, now);
  }
  transmit(*stream, std::move(wire), packet.type, packet.queued, probeId, counted, now);
}

size_t RtpSession::Impl::sendPadding(size_t bytes, int32_t probeId, Timestamp now) {
  SendStream* stream = paddingStream();
  PacketBuf wire;
  if (stream == nullptr || !stream->buildPadding(bytes, wire, now)) return 0;
  const size_t size = wire.size();
  const bool counted = stamp(*stream, wire, now);
  transmit(*stream, std::move(wire), PacketType::Padding, now, probeId, counted, now);
  return size;
}

bool RtpSession::Impl::stamp(const SendStream& stream, PacketBuf& packet, Timestamp now) {
  const rtp::ExtensionMap& map = stream.config().extensions;
  const MutableByteSpan bytes = packet.mutableSpan();
  rtp::setExtension<rtp::AbsSendTime>(bytes, map, rtp::AbsSendTime::fromTimestamp(now));
  if (map.has(rtp::ExtensionKind::TransmissionOffset))
    rtp::setExtension<rtp::TransmissionOffset>(
        bytes, map, stream.transmissionOffset(loadU32(bytes.data() + 4), now));
  if (config_.peerReportsRfc8888) return true;
  return rtp::setExtension<rtp::TransportSequenceNumber>(bytes, map, adapter_.nextSequence());
}

void RtpSession::Impl::transmit(SendStream& stream, PacketBuf packet, PacketType type,
                                Timestamp queued, int32_t probeId, bool counted, Timestamp now) {
  stream.onSent(packet, type, queued, now);
  leave(stream, std::move(packet), type, probeId, counted, now);
}

void RtpSession::Impl::leave(SendStream& stream, PacketBuf packet, PacketType type, int32_t probeId,
                             bool counted, Timestamp now) {
  schedule_.onMedia(stream.config().kind == MediaKind::Video, now);
  const auto size = static_cast<uint32_t>(packet.size());
  const TxClass txClass = type == PacketType::Audio ? TxClass::Audio : TxClass::Media;
  const bool marked = config_.peerReportsRfc8888 && controller_->wantsEarlyMarks();
  if (marked) ++stream.stats().packetsSentWithEct1;
  const uint32_t ssrc = loadU32(packet.data() + 8);
  const uint16_t rtpSequence = loadU16(packet.data() + 2);
  const Ecn ecn = marked ? Ecn::Ect1 : Ecn::NotEct;
  push({std::move(packet), false, txClass, stream.config().dscp, ecn});
  stream.breaker().onSent(size, now);
  lastMediaSent_ = now;
  congestion::SentPacket sent;
  if (counted) {
    sent = adapter_.onSent({size, probeId, type == PacketType::Audio, ssrc, rtpSequence, ecn}, now);
    pacer_.setInFlight(adapter_.bytesInFlight());
  } else {
    sent.sendTime = now;
    sent.size = size;
    sent.audio = type == PacketType::Audio;
  }
  applyUpdate(controller_->onSentPacket(sent), now);
}

void RtpSession::Impl::settle(Timestamp now) {
  pump(now);
  sendFeedback();
}

// --- RTP in

void RtpSession::Impl::handleRtp(PacketBuf packet, Timestamp now, Ecn ecn) {
  now = clock_.clamp(now);
  if (closed_) return;
  const auto view = rtp::PacketView::parse(packet.span());
  if (!view) {
    ++drops_.malformedRtp;
    return;
  }
  const bool ours = ssrcInUse(view->ssrc()) || view->ssrc() == ownSsrc_;
  if (ours && !isCollision(*view, now)) {
    ++drops_.ownSsrc;
    return;
  }
  const rtp::PacketView borrowed = *view;
  hub_.handleRtp(std::move(packet), borrowed, ecn, now);
  if (available_) schedule_.onMedia(receivesVideo(), now);
  settle(now);
}

void RtpSession::Impl::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  hub_.advance(now);
  if (controller_->nextDeadline() <= now)
    applyUpdate(controller_->onProcess({now, pacer_.queuedBytes()}), now);
  if (available_) {
    for (const auto& stream : streams_) {
      if (stream->stopped()) continue;
      stream->sendTones(pacer_, now);
      stream->sendSecondCopies(pacer_, now);
    }
  }
  checkBreakers(now);
  if (schedule_.due(now)) sendReports(now);
  settle(now);
}

Timestamp RtpSession::Impl::nextDeadline() const {
  if (closed_) return Timestamp::never();
  if (!available_) return hub_.nextDeadline();
  Timestamp sending =
      earliest(pacer_.nextDeadline(), controller_->nextDeadline(), schedule_.nextDeadline());
  for (const auto& stream : streams_) {
    if (!stream->stopped()) sending = earliest(sending, stream->nextDeadline());
  }
  if (noticeAt_) sending = earliest(sending, *noticeAt_);
  return earliest(sending, breakerDeadline(), hub_.nextDeadline());
}

// --- out

bool RtpSession::Impl::pollTransmit(OutgoingPacket& out) {
  if (outbound_.empty()) return false;
  out = outbound_.pop();
  return true;
}

bool RtpSession::Impl::pollEvent(RtpEvent& out) {
  if (!events_.empty()) {
    out = events_.pop();
    return true;
  }
  SourceEvent source;
  if (hub_.pollEvent(source)) {
    out = source;
    return true;
  }
  ToneEvent tone;
  if (hub_.pollTone(tone)) {
    out = tone;
    return true;
  }
  if (estimatesWanted_ && estimateChanged_ &&
      (!lastEstimateTold_ || clock_.last() - *lastEstimateTold_ >= kEstimateInterval)) {
    estimateChanged_ = false;
    lastEstimateTold_ = clock_.last();
    out = EstimateChanged{bandwidth()};
    return true;
  }
  for (const auto& stream : streams_) {
    if (!std::exchange(stream->ssrcChanged, false)) continue;
    out = SsrcChanged{stream->id()};
    return true;
  }
  for (const auto& stream : streams_) {
    if (!stream->pendingTarget) continue;
    out = TargetBitrateChanged{stream->id(), *stream->pendingTarget, target_.lossFraction,
                               target_.rtt};
    stream->pendingTarget.reset();
    return true;
  }
  return false;
}

BandwidthStats RtpSession::Impl::bandwidth() const {
  BandwidthStats stats;
  stats.target = target_.target;
  stats.estimate = target_.bandwidth;
  stats.pacing = pacer_.rate();
  stats.lossFraction = target_.lossFraction;
  stats.roundTripTime = rtt_.smoothed();
  stats.bytesInFlight = adapter_.bytesInFlight();
  stats.pacerQueueBytes = pacer_.queuedBytes();
  stats.estimator = controller_->state();
  stats.congestionFeedbackSent = congestionFeedbackSent_;
  stats.congestionFeedbackReceived = congestionFeedbackReceived_;
  return stats;
}

}  // namespace parley::media
