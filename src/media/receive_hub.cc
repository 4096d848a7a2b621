#include "parley/media/receive_hub.h"

#include <algorithm>
#include <utility>

#include "parley/base/log.h"
#include "parley/base/text.h"
#include "parley/rtp/extensions/transport_sequence_number.h"
#include "parley/rtp/rtx.h"

#include "media/receive_hub_impl.h"

namespace parley::media {

namespace {

// A BYE may overtake packets; RFC 3550 section 6.6 lets data after it be processed.
constexpr Duration kByeHold = Duration::seconds(2);
constexpr Duration kSyncInterval = Duration::seconds(1);
// Even when others have taken nearly all buffers, a session may put a few packets in order.
constexpr size_t kAlwaysHeld = 32;

}  // namespace

void ReceiveHub::Impl::setReceiver(const ReceiveConfig& config) {
  for (size_t i = router_.streams().size(); i-- > 0;) {
    const ReceiveStream& stream = *router_.streams()[i];
    if (stream.receiver() == config.id && stream.handsOnPackets() != config.handsOnPackets)
      router_.removeStream(i);
  }
  announceEnds();
  router_.setReceiver(config);
  rates_.setActive(router_.reportsRate());
  // What a pair has learnt survives a renegotiation.
  const std::vector<SyncPair> former = std::exchange(pairs_, {});
  for (const auto& audio : router_.receivers()) {
    for (const auto& video : router_.receivers()) {
      if (audio->config.kind == MediaKind::Audio && video->config.kind == MediaKind::Video &&
          !audio->config.syncGroup.empty() && audio->config.syncGroup == video->config.syncGroup) {
        SyncPair pair{audio->config.id, video->config.id, {}};
        for (const SyncPair& p : former) {
          if (p.audio == pair.audio && p.video == pair.video) pair.sync = p.sync;
        }
        pairs_.push_back(pair);
      }
    }
  }
}

void ReceiveHub::Impl::removeReceiver(ReceiverId id) {
  router_.removeReceiver(id);
  rates_.setActive(router_.reportsRate());
  announceEnds();
  sources_.remove(id);
  std::erase_if(pairs_, [id](const SyncPair& p) { return p.audio == id || p.video == id; });
}

void ReceiveHub::Impl::setRtt(Duration rtt) {
  rtt_ = std::clamp(rtt, Duration::millis(1), Duration::seconds(5));
  rates_.setRtt(rtt_);
  rttKnown_ = true;
  for (auto& stream : router_.streams()) {
    stream->setRtt(rtt_);
    stream->noteMeasuredRtt(rtt_);
  }
}

void ReceiveHub::Impl::setMinimumDelay(ReceiverId id, Duration delay) {
  ReceiveRouter::Receiver* receiver = router_.receiver(id);
  if (!receiver) return;
  // W3C: jitterBufferTarget is at most four seconds.
  receiver->minimumDelay = std::clamp(delay, Duration::zero(), Duration::seconds(4));
  for (auto& stream : router_.streams()) {
    if (stream->receiver() == id) stream->setMinimumDelay(receiver->minimumDelay);
  }
}

void ReceiveHub::Impl::recordArrival(const rtp::PacketView& view, Ecn ecn, Timestamp now) {
  if (mode_ == ArrivalFeedback::TransportWide) {
    // One numbering for the whole transport, whatever media section the packet belongs to.
    const uint8_t id = router_.extensionId(rtp::ExtensionKind::TransportSequenceNumber);
    const auto bytes = id ? view.extension(id) : std::nullopt;
    const auto sequence = bytes ? rtp::TransportSequenceNumber::parse(*bytes) : std::nullopt;
    if (!sequence) return;
    twcc_.handlePacket(*sequence, view.size(), now);
    lastMediaSsrc_ = view.ssrc();
  } else if (mode_ == ArrivalFeedback::Rfc8888) {
    ccfb_.handlePacket(view.ssrc(), view.sequenceNumber(), view.size(), ecn, now);
  }
}

bool ReceiveHub::Impl::pollRateReport(RateReport& out) {
  const auto rate = rates_.poll(clock_.last());
  if (!rate) return false;
  out.rate = *rate;
  out.ssrcs.clear();
  for (const auto& stream : router_.streams()) {
    const ReceiveRouter::Receiver* receiver = router_.receiver(stream->receiver());
    if (receiver && receiver->config.reportsRate) out.ssrcs.push_back(stream->ssrc());
  }
  return true;
}

void ReceiveHub::Impl::handleRtp(PacketBuf packet, const rtp::PacketView& view, Ecn ecn,
                                 Timestamp now) {
  now = clock_.clamp(now);
  recordArrival(view, ecn, now);
  if (router_.isFlexfec(view.payloadType()) && deliverFlexfec(packet, view, now)) return;
  const ReceiveRouter::Route route = router_.route(view);
  announceEnds();
  if (!route.receiver || !route.codec) {
    ++unrouted_;
    return;
  }
  const ReceiveConfig& config = route.receiver->config;
  rates_.onPacket(view, config, route.isRtx ? nullptr : route.codec, mode_, now);
  if (route.stream) route.stream->noteEcn(ecn);
  if (route.isRtx) {
    deliverRtx(std::move(packet), view, route, now);
    return;
  }
  ReceiveStream* stream = route.stream ? route.stream : createStream(route, view.ssrc());
  if (!stream) {
    ++unrouted_;
    return;
  }
  if (!route.stream) stream->noteEcn(ecn);
  if (stream->endedAt && now >= *stream->endedAt + kByeHold) announceStart(*stream);
  if (nextSync_.isNever()) nextSync_ = now + kSyncInterval;
  sources_.note(config, view, route.codec->clockRate, now);
  deliver(std::move(packet), view, config, *route.codec, *stream, Arrival::Direct, now);
  enforceLimits(now);
}

// The source that holds most gives up all it has: so the work of choosing it is paid for by many
// packets, and sources that behave are not touched.
void ReceiveHub::Impl::enforceLimits(Timestamp now) {
  const auto shedLargest = [&](size_t (ReceiveStream::*held)() const) {
    const auto& streams = router_.streams();
    const auto largest = std::max_element(
        streams.begin(), streams.end(),
        [held](const auto& a, const auto& b) { return (*a.*held)() < (*b.*held)(); });
    (*largest)->shed(now);
  };
  while (held_.packets > kAlwaysHeld &&
         held_.packets >
             std::min(environment_.limits.maxHeldPackets, environment_.pool.available() / 2)) {
    shedLargest(&ReceiveStream::heldPackets);
  }
  while (held_.frameBytes > environment_.limits.maxJitterBytes) {
    shedLargest(&ReceiveStream::heldFrameBytes);
  }
}

void ReceiveHub::Impl::deliverRtx(PacketBuf packet, const rtp::PacketView& view,
                                  const ReceiveRouter::Route& route, Timestamp now) {
  // Without its stream it is a probe, or its original was never announced.
  if (!route.stream) return;
  if (!rtp::unwrapRtx(packet, view, route.stream->ssrc(), route.codec->payloadType)) return;
  const auto original = rtp::PacketView::parse(packet.span());
  if (!original) return;
  deliver(std::move(packet), *original, route.receiver->config, *route.codec, *route.stream,
          Arrival::Repeated, now);
  enforceLimits(now);
}

// What RED carries is handled as if it had come without. Sound that is played undoes RED itself:
// there copies go into the jitter buffer.
void ReceiveHub::Impl::deliver(PacketBuf packet, const rtp::PacketView& view,
                               const ReceiveConfig& config, const ReceiveCodec& codec,
                               ReceiveStream& stream, Arrival arrival, Timestamp now) {
  rtp::PacketView inside = view;
  const ReceiveCodec* carried = &codec;
  const bool undone = stream.kind() == MediaKind::Video || stream.handsOnPackets();
  const bool isRed = undone && equalsIgnoreCase(codec.name, "red");
  if (isRed && !view.payload().empty()) {
    const bool parsed = rtp::RedPayload::parse(view.payload(), red_);
    const ReceiveCodec* primary = parsed ? config.codecOf(red_.primary().payloadType) : nullptr;
    if (primary && !equalsIgnoreCase(primary->name, "red")) {
      deliverRedFec(config, stream, now);
      rtp::unwrapRed(packet, view, red_);
      inside = *rtp::PacketView::parse(packet.span());
      carried = primary;
    } else {
      stream.noteMalformed();
    }
  }
  stream.handlePacket(std::move(packet), inside, config, *carried, arrival, now);
  deliverRestored(stream, config, now);
}

/// RFC 5109 section 14.2: FEC may also ride with a packet, as a redundant block.
void ReceiveHub::Impl::deliverRedFec(const ReceiveConfig& config, ReceiveStream& stream,
                                     Timestamp now) {
  for (size_t i = 0; i + 1 < red_.blocks.size(); ++i) {
    const ReceiveCodec* codec = config.codecOf(red_.blocks[i].payloadType);
    if (!codec || rtp::fecSchemeOf(codec->name) != rtp::FecScheme::Ulpfec) continue;
    PacketBuf copy = environment_.pool.copyOf(red_.blocks[i].data);
    rtp::FecPacket fec;
    if (!copy) continue;
    if (rtp::FecPacket::parseUlpfec(copy.span(), fec)) {
      stream.handleFec(std::move(copy), fec, now);
    } else {
      stream.noteMalformed();
    }
  }
}

/// A FEC packet names the source that it repairs, so neither mid nor description is needed to find
/// it. False: this is no FEC packet for any source heard.
bool ReceiveHub::Impl::deliverFlexfec(PacketBuf& packet, const rtp::PacketView& view,
                                      Timestamp now) {
  for (const rtp::FecScheme scheme : {rtp::FecScheme::Flexfec03, rtp::FecScheme::Flexfec}) {
    rtp::FecPacket fec;
    if (!rtp::FecPacket::parse(scheme, view, fec)) continue;
    ReceiveStream* stream = router_.streamOf(*fec.protectedSsrc);
    ReceiveRouter::Receiver* receiver = stream ? router_.receiver(stream->receiver()) : nullptr;
    if (!receiver || ReceiveRouter::flexfecOf(receiver->config, view.payloadType()) != scheme)
      continue;
    // FEC that covers itself, or comes under the name of media.
    if (router_.streamOf(view.ssrc())) return false;
    stream->setFecSsrc(view.ssrc());
    rates_.onPacket(view, receiver->config, nullptr, mode_, now);
    stream->handleFec(std::move(packet), fec, now);
    deliverRestored(*stream, receiver->config, now);
    stream->advance(now);
    enforceLimits(now);
    return true;
  }
  // A packet with no source yet to belong to, or that is damaged, starts none.
  ++unrouted_;
  return true;
}

/// What FEC has put together is as untrusted as what comes from the network.
void ReceiveHub::Impl::deliverRestored(ReceiveStream& stream, const ReceiveConfig& config,
                                       Timestamp now) {
  PacketBuf packet;
  while (stream.pollRestored(packet)) {
    const auto view = rtp::PacketView::parse(packet.span());
    const ReceiveCodec* codec = view ? config.codecOf(view->payloadType()) : nullptr;
    const bool isMedia = codec && view->ssrc() == stream.ssrc() &&
                         !equalsIgnoreCase(codec->name, "red") && !rtp::fecSchemeOf(codec->name);
    if (!isMedia) {
      stream.noteMalformed();
      continue;
    }
    stream.handlePacket(std::move(packet), *view, config, *codec, Arrival::Restored, now);
  }
}

ReceiveStream* ReceiveHub::Impl::createStream(const ReceiveRouter::Route& route, uint32_t ssrc) {
  std::unique_ptr<ReceiveStream> stream;
  const ReceiveConfig& config = route.receiver->config;
  if (config.handsOnPackets) {
    stream = std::make_unique<ForwardReceiveStream>(environment_, config, ssrc, held_);
  } else if (config.kind == MediaKind::Video) {
    stream = std::make_unique<VideoReceiveStream>(environment_, config, ssrc,
                                                  route.codec->clockRate, held_);
  } else {
    stream = std::make_unique<AudioReceiveStream>(environment_, config, ssrc,
                                                  route.codec->clockRate, held_);
  }
  stream->setRid(route.rid);
  stream->setRtt(rtt_);
  if (rttKnown_) stream->noteMeasuredRtt(rtt_);
  stream->setMinimumDelay(route.receiver->minimumDelay);
  ReceiveStream* added = router_.addStream(std::move(stream), route);
  announceEnds();
  if (added) {
    PARLEY_LOG(environment_.log, Debug, "media", "source %u on mid %s", ssrc, config.mid.c_str());
    announceStart(*added);
  }
  return added;
}

void ReceiveHub::Impl::announceStart(const ReceiveStream& stream) {
  if (events_.full()) events_.dropFront();
  SourceEvent& event = events_.push();
  event.kind = SourceEvent::Kind::Started;
  event.receiver = stream.receiver();
  event.ssrc = stream.ssrc();
  event.rtxSsrc.reset();
  event.fecSsrc.reset();
  event.rid = stream.rid();
}

void ReceiveHub::Impl::announceEnds() {
  for (SourceEvent& gone : router_.gone()) {
    if (events_.full()) events_.dropFront();
    events_.push() = std::move(gone);
  }
  router_.gone().clear();
}

void ReceiveHub::Impl::handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now) {
  now = clock_.clamp(now);
  if (ReceiveStream* stream = router_.streamOf(report.senderSsrc)) {
    stream->handleSenderReport(report, now);
  }
}

void ReceiveHub::Impl::handleBye(uint32_t ssrc, Timestamp now) {
  now = clock_.clamp(now);
  ReceiveStream* stream = router_.streamOf(ssrc);
  if (stream && !stream->endedAt) stream->endedAt = now;
}

void ReceiveHub::Impl::requestKeyFrame(ReceiverId id, Timestamp now) {
  now = clock_.clamp(now);
  for (auto& stream : router_.streams()) {
    if (stream->receiver() == id) stream->requestKeyFrame(now);
  }
}

void ReceiveHub::Impl::decoderLostState(ReceiverId id, Timestamp now) {
  now = clock_.clamp(now);
  for (auto& stream : router_.streams()) {
    if (stream->receiver() == id) stream->decoderLostState(now);
  }
}

void ReceiveHub::Impl::advance(Timestamp now) {
  now = clock_.clamp(now);
  for (auto& stream : router_.streams()) stream->advance(now);
  removeEnded(now);
  if (now >= nextSync_) synchronize();
}

void ReceiveHub::Impl::removeEnded(Timestamp now) {
  for (size_t i = router_.streams().size(); i-- > 0;) {
    ReceiveStream& stream = *router_.streams()[i];
    if (!stream.endedAt || now < *stream.endedAt + kByeHold) continue;
    router_.removeStream(i);
  }
  announceEnds();
}

void ReceiveHub::Impl::synchronize() {
  nextSync_ = Timestamp::never();
  for (SyncPair& pair : pairs_) {
    ReceiveStream* audio = router_.latestStream(pair.audio);
    ReceiveStream* video = router_.latestStream(pair.video);
    if (!audio || !video) continue;
    const AvSync::Delays delays =
        pair.sync.update(audio->captureToPlayout(), video->captureToPlayout());
    audio->setSyncDelay(delays.audio);
    video->setSyncDelay(delays.video);
  }
}

Timestamp ReceiveHub::Impl::nextDeadline() const {
  Timestamp t = Timestamp::never();
  for (const auto& stream : router_.streams()) {
    t = earliest(t, stream->nextDeadline());
    if (stream->endedAt) t = earliest(t, *stream->endedAt + kByeHold);
  }
  if (!pairs_.empty()) t = earliest(t, nextSync_);
  // A report that is due waits to be polled; there is nothing to wake up for.
  const Timestamp feedback = mode_ == ArrivalFeedback::TransportWide ? twcc_.nextDeadline()
                             : mode_ == ArrivalFeedback::Rfc8888     ? ccfb_.nextDeadline()
                                                                     : Timestamp::never();
  if (feedback > clock_.last()) t = earliest(t, feedback);
  return t;
}

size_t ReceiveHub::Impl::writeCongestionFeedback(ByteWriter& w, uint32_t senderSsrc,
                                                 size_t maxBytes, Timestamp now) {
  const size_t size = ccfb_.write(w, senderSsrc, maxBytes, environment_.wallClock.ntpAt(now), now);
  for (const CcfbRecorder::Told& told : ccfb_.told()) {
    if (ReceiveStream* stream = router_.streamOf(told.ssrc))
      stream->noteReported(told.lost, told.recovered);
  }
  return size;
}

size_t ReceiveHub::Impl::pollArrivalFeedback(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes) {
  const Timestamp now = clock_.last();
  switch (mode_) {
    case ArrivalFeedback::TransportWide:
      return twcc_.write(w, senderSsrc, lastMediaSsrc_, maxBytes, now);
    case ArrivalFeedback::Rfc8888:
      return writeCongestionFeedback(w, senderSsrc, maxBytes, now);
    case ArrivalFeedback::None:
      break;
  }
  return 0;
}

void ReceiveHub::Impl::takeReportBlocks(Timestamp now, size_t max,
                                        std::vector<rtp::rtcp::ReportBlock>& out) {
  now = clock_.clamp(now);
  for (size_t taken = 0; taken < max; ++taken) {
    // Those that waited longest come first, so that a small compound serves all in turn.
    ReceiveStream* next = nullptr;
    for (auto& stream : router_.streams()) {
      if (!stream->statistics().heardSinceReport()) continue;
      if (!next || stream->lastReport < next->lastReport) next = stream.get();
    }
    if (!next) return;
    next->lastReport = now;
    out.push_back(next->statistics().makeReport(next->ssrc(), now));
  }
}

}  // namespace parley::media
