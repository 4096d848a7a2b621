// SendStream: what happens to packets after they were cut: history, repetition, padding, reports;
// and telephone events, which are no frames.

#include <algorithm>
#include <cmath>
#include <utility>

#include "parley/rtp/extensions/all.h"

#include "media/send_stream_impl.h"

namespace parley::media {
namespace {

/// Bad-input rule B36: one key frame per 300 ms and stream, however many ask.
constexpr Duration kKeyFrameInterval = Duration::millis(300);
/// Bad-input rule B35: at most this share of the target rate goes into repetitions.
constexpr double kRetransmissionShare = 0.5;
constexpr double kMinRetransmissionBudget = 20'000;
constexpr Duration kUnknownRttGate = Duration::millis(30);
constexpr double kGateShare = 0.7;
constexpr size_t kMaxPadding = 255;
/// From this loss on, where an answer takes so long, repetitions go out twice. On a path that loses
/// 5 % one in twenty is lost as well, and costs the receiver, which waits for one, a second round
/// trip: a freeze.
constexpr double kLossyPath = 0.02;
constexpr Duration kSlowRepetition = Duration::millis(45);
/// The share of repetitions is a mean over so many bytes, or a second, and moves in steps: each is
/// a new target for the encoder.
constexpr double kShareMemory = 60'000;
constexpr double kShareStep = 1.0 / 32;
/// Losses come in runs: not both at once.
constexpr Duration kSecondCopyDelay = Duration::millis(10);

}  // namespace

void SendStream::remember(int64_t sequence, PacketBuf packet, Timestamp now) {
  history_.add(sequence, std::move(packet), now);
}

void SendStream::buildRtx(const rtp::PacketView& original, PacketBuf& out) {
  const rtp::ExtensionMap& map = config_.extensions;
  rtp::PacketHeader h;
  // A repetition carries what its payload type repeats, so without one for RED it is unwrapped.
  const bool red = isRed(original);
  const bool unwrap = red && !config_.fec->redRtxPayloadType;
  h.payloadType = red && !unwrap ? *config_.fec->redRtxPayloadType : *config_.rtxPayloadType;
  h.marker = original.marker();
  h.sequenceNumber = nextRtxSequence_++;
  h.timestamp = original.timestamp();
  h.ssrc = *config_.rtxSsrc;
  rtp::PacketWriter writer(out, h, {}, form_);
  // RFC 8852: a repair packet names the stream it repairs, not itself.
  if (!acknowledged_ && !config_.rid.empty()) writer.add<rtp::RepairedRid>(map, config_.rid);
  rtp::ExtensionReader reader = original.extensions();
  rtp::ExtensionElement element;
  while (reader.next(element)) {
    if (element.id == map.id<rtp::Rid>()) continue;
    writer.addRaw(element.id, element.value);
  }
  const MutableByteSpan room = writer.beginPayload();
  const ByteSpan payload = original.payload().subspan(unwrap ? 1 : 0);
  const size_t taken = std::min(payload.size(), room.size() - 2);
  storeU16(room.data(), original.sequenceNumber());
  std::copy_n(payload.begin(), taken, room.begin() + 2);
  writer.finish(taken + 2);
}

bool SendStream::buildRetransmission(int64_t sequence, PacketBuf& out, Timestamp now) {
  SendHistory::Entry* entry = history_.find(sequence);
  if (entry == nullptr) return false;
  entry->queued = false;
  const auto view = rtp::PacketView::parse(entry->packet.span());
  if (!view) return false;
  out = environment_.pool.allocate();
  if (!out) return false;
  if (repeatsAsRtx()) {
    buildRtx(*view, out);
  } else {
    out.assign(entry->packet.span());
  }
  entry->lastSent = now;
  return true;
}

SendStream::Accepted SendStream::sendPacket(PacketBuf packet, bool isRepetition, Pacer& pacer,
                                            Timestamp now) {
  const auto view = rtp::PacketView::parse(packet.span());
  if (!config_.takesPackets || !view || view->ssrc() != config_.ssrc) return Accepted::Unfit;
  if (isRepetition) {
    // Under its own number it would have to be what it was to the bit (see RtpSession).
    if (!repeatsAsRtx()) return Accepted::Unfit;
    if (!takeRetransmissionBudget(packet.size(), now)) return Accepted::NoRoom;
    PacketBuf repetition = environment_.pool.allocate();
    if (!repetition) return Accepted::NoRoom;
    buildRtx(*view, repetition);
    return enqueue(std::move(repetition), 0, PacketType::Retransmission, pacer, now)
               ? Accepted::Yes
               : Accepted::NoRoom;
  }
  if (!everSent()) firstSequence_ = view->sequenceNumber();
  notePreparedTime(view->timestamp(), now);
  if (view->marker()) ++stats_.framesSent;
  const PacketType type = config_.kind == MediaKind::Audio ? PacketType::Audio : PacketType::Video;
  return enqueue(std::move(packet), view->sequenceNumber(), type, pacer, now) ? Accepted::Yes
                                                                              : Accepted::NoRoom;
}

/// Reports tell what time a timestamp stands for: that of a frame is when its first packet leaves.
void SendStream::notePreparedTime(uint32_t timestamp, Timestamp now) {
  if (everSent() && !isNewer(timestamp, lastTimestamp_)) return;
  lastTimestamp_ = timestamp;
  lastFrameTime_ = now;
}

bool SendStream::fits(const PreparedPacket& packet) const {
  return packet.headerSize >= rtp::kFixedHeaderSize && packet.data.size() >= packet.headerSize &&
         loadU32(packet.data.data() + 8) == config_.ssrc;
}

void SendStream::onSentPrepared(const PreparedPacket& packet, Timestamp now) {
  const uint8_t* const bytes = packet.data.data();
  const size_t payload = packet.data.size() - packet.headerSize;
  if (!everSent()) firstSequence_ = loadU16(bytes + 2);
  notePreparedTime(loadU32(bytes + 4), now);
  lastSent_ = now;
  noteSequence(loadU16(bytes + 2));
  lastWasMarker_ = (bytes[1] & 0x80) != 0;
  if (lastWasMarker_) ++stats_.framesSent;
  ++stats_.packetsSent;
  stats_.headerBytesSent += packet.headerSize;
  stats_.bytesSent += payload;
  ++reportPackets_;
  reportOctets_ += payload;
}

bool SendStream::canPad() const {
  if (config_.kind != MediaKind::Video || !config_.active || !everSent() || stopped()) return false;
  // Padding on the media SSRC takes a sequence number, so it must not split a frame; numbers of a
  // forwarder's are not ours to take.
  return repeatsAsRtx() || (!config_.takesPackets && lastWasMarker_);
}

bool SendStream::buildPadding(size_t bytes, PacketBuf& out, Timestamp now) {
  const bool rtx = repeatsAsRtx();
  SendHistory::Entry* entry = rtx && bytes > kMaxPadding ? history_.newest() : nullptr;
  if (entry != nullptr && !entry->queued) return buildRetransmission(entry->sequence, out, now);
  out = environment_.pool.allocate();
  if (!out) return false;
  rtp::PacketHeader h;
  h.payloadType = rtx ? *config_.rtxPayloadType : config_.payloadType;
  h.ssrc = rtx ? *config_.rtxSsrc : config_.ssrc;
  h.sequenceNumber = rtx ? nextRtxSequence_++ : static_cast<uint16_t>(nextSequence_++);
  h.timestamp = lastTimestamp_;
  rtp::PacketWriter writer(out, h, {}, form_);
  writer.reserve<rtp::AbsSendTime>(config_.extensions);
  writer.reserve<rtp::TransmissionOffset>(config_.extensions);
  writer.reserve<rtp::TransportSequenceNumber>(config_.extensions);
  if (!acknowledged_ && !config_.mid.empty()) writer.add<rtp::Mid>(config_.extensions, config_.mid);
  if (!acknowledged_ && !config_.rid.empty()) {
    if (rtx) {
      writer.add<rtp::RepairedRid>(config_.extensions, config_.rid);
    } else {
      writer.add<rtp::Rid>(config_.extensions, config_.rid);
    }
  }
  writer.beginPayload();
  writer.finish(0);
  return rtp::addPadding(out, std::clamp<size_t>(bytes, 1, kMaxPadding));
}

void SendStream::onSent(const PacketBuf& packet, PacketType type, Timestamp queued, Timestamp now) {
  const auto view = rtp::PacketView::parse(packet.span());
  if (!view) return;
  const size_t payload = view->payload().size();
  ++stats_.packetsSent;
  stats_.headerBytesSent += packet.size() - payload;
  stats_.bytesSent += payload;
  if (type == PacketType::Retransmission) {
    ++stats_.retransmittedPacketsSent;
    stats_.retransmittedBytesSent += payload;
  } else if (type == PacketType::Padding) {
    ++stats_.paddingPacketsSent;
  } else if (type == PacketType::Fec) {
    ++stats_.fecPacketsSent;
    stats_.fecBytesSent += payload;
  } else {
    stats_.totalPacketSendDelay += now - queued;
    lastSent_ = now;
  }
  if (type == PacketType::Video || type == PacketType::Retransmission)
    noteRepetitionShare(packet.size(), type == PacketType::Retransmission);
  if (view->ssrc() != config_.ssrc) return;
  noteSequence(view->sequenceNumber());
  lastWasMarker_ = view->marker() || type == PacketType::Padding || type == PacketType::Fec;
  ++reportPackets_;
  reportOctets_ += payload;
}

std::optional<DataRate> SendStream::requestedLimit() const {
  // Of packets that are as they were so far; first ones tell little.
  constexpr uint64_t kEnough = 20;
  const double usual = config_.kind == MediaKind::Video ? 1000 : 100;
  const double mean = stats_.packetsSent < kEnough ? usual
                                                   : static_cast<double>(stats_.bytesSent) /
                                                         static_cast<double>(stats_.packetsSent);
  return limits_.limit(std::max(mean, 1.0));
}

DataRate SendStream::mostAllowed() const {
  // Each packet of sound may carry earlier ones again.
  const DataRate most =
      std::max(config_.minBitrate, config_.maxBitrate) * static_cast<double>(copiesOfSound() + 1);
  const auto limit = requestedLimit();
  return limit ? std::clamp(*limit, config_.minBitrate, most) : most;
}

bool SendStream::hasSentLately(const rtp::PacketView& packet) const {
  constexpr uint16_t kPackets = 8192;
  constexpr int64_t kSeconds = 30;
  if (!newestSequence_) return false;
  uint16_t newest = *newestSequence_;
  if (packet.ssrc() == config_.rtxSsrc) {
    newest = static_cast<uint16_t>(nextRtxSequence_ - 1);
  } else if (packet.ssrc() != config_.ssrc) {
    newest = static_cast<uint16_t>(nextFecSequence_ - 1);
  }
  const int64_t age = static_cast<int32_t>(lastTimestamp_ - packet.timestamp());
  // What waits in the pacer has told its time and not yet left.
  return static_cast<uint16_t>(newest - packet.sequenceNumber()) < kPackets &&
         age >= -config_.clockRate && age < kSeconds * config_.clockRate;
}

void SendStream::noteRepetitionShare(size_t bytes, bool repetition) {
  sentBytes_ += static_cast<double>(bytes);
  if (repetition) repeatedBytes_ += static_cast<double>(bytes);
  const double memory = std::max(kShareMemory, static_cast<double>(retransmissionRate_.bps()) / 8);
  if (sentBytes_ > memory) {
    repeatedBytes_ *= memory / sentBytes_;
    sentBytes_ = memory;
  }
  const double share = repeatedBytes_ / sentBytes_;
  if (share < kShareStep / 8) {
    repetitionShare_ = 0;
  } else if (std::abs(share - repetitionShare_) > 0.75 * kShareStep) {
    repetitionShare_ = std::round(share / kShareStep) * kShareStep;
  }
}

bool SendStream::takeRetransmissionBudget(size_t bytes, Timestamp now) {
  const DataRate rate = retransmissionRate_ * kRetransmissionShare;
  const double full = std::max(kMinRetransmissionBudget, static_cast<double>(rate.bps()) / 8);
  if (!budgetTime_) {
    retransmissionBudget_ = full;
  } else {
    const double gained = static_cast<double>(rate.bps()) / 8 * (now - *budgetTime_).seconds();
    retransmissionBudget_ = std::min(full, retransmissionBudget_ + gained);
  }
  budgetTime_ = now;
  if (retransmissionBudget_ < static_cast<double>(bytes)) return false;
  retransmissionBudget_ -= static_cast<double>(bytes);
  return true;
}

void SendStream::onNack(std::span<const uint16_t> sequences, Pacer& pacer, Duration rtt,
                        Timestamp now) {
  ++stats_.nackCount;
  if (!config_.nack) return;
  // A further request may have crossed the repetition on its way: wait a round trip before the next
  // one, or a little less: half of the round trips are shorter than their mean, and a request that
  // is ignored costs another one. The first crosses nothing.
  const Duration gate = rtt > Duration::zero() ? rtt * kGateShare : kUnknownRttGate;
  // With two copies under way it is hardly ever more than impatience.
  const Duration gateOfTwo = std::max(rtt, kUnknownRttGate);
  for (const uint16_t sequence : sequences) {
    SendHistory::Entry* entry = history_.findWrapped(sequence);
    if (entry == nullptr || entry->queued) continue;
    const bool again = std::exchange(entry->requested, true);
    if (again && now - entry->lastSent < (repeatsTwice() ? gateOfTwo : gate)) continue;
    if (!takeRetransmissionBudget(entry->packet.size(), now)) return;
    PacedPacket paced;
    paced.stream = id_.value;
    paced.sequence = entry->sequence;
    paced.size = static_cast<uint32_t>(entry->packet.size());
    paced.type = PacketType::Retransmission;
    paced.queued = now;
    if (!pacer.push(std::move(paced))) return;
    entry->queued = true;
    if (repeatsTwice() && !again) secondCopies_.push({entry->sequence, now + kSecondCopyDelay});
  }
}

// Under their own numbers copies would be taken for replays (RFC 3711 section 3.3.2). FEC does the
// same for less.
bool SendStream::repeatsTwice() const {
  return repeatsAsRtx() && !fec_ && loss_.fraction >= kLossyPath && rtt_ >= kSlowRepetition;
}

void SendStream::sendSecondCopies(Pacer& pacer, Timestamp now) {
  while (!secondCopies_.empty() && secondCopies_.front().due <= now) {
    const SecondCopy copy = secondCopies_.pop();
    SendHistory::Entry* entry = history_.find(copy.sequence);
    // The first one still waits: the path is full, and has no room for two.
    if (entry == nullptr || entry->queued) continue;
    if (!takeRetransmissionBudget(entry->packet.size(), now)) continue;
    PacedPacket paced;
    paced.stream = id_.value;
    paced.sequence = entry->sequence;
    paced.size = static_cast<uint32_t>(entry->packet.size());
    paced.type = PacketType::Retransmission;
    paced.queued = now;
    entry->queued = pacer.push(std::move(paced));
  }
}

bool SendStream::onPli(Timestamp now) {
  ++stats_.pliCount;
  return wantKeyFrame(now);
}

// RFC 5104 section 4.3.1.1: "A repetition SHALL NOT increase the sequence number." So the number is
// done with once it was obeyed: one that came too soon behind another key frame may be about the
// loss of that one, and only its repetitions say so.
bool SendStream::onFir(uint8_t sequence, Timestamp now) {
  ++stats_.firCount;
  if (lastFirSequence_ == sequence || !wantKeyFrame(now)) return false;
  lastFirSequence_ = sequence;
  return true;
}

bool SendStream::wantKeyFrame(Timestamp now) {
  if (config_.kind != MediaKind::Video) return false;
  if (lastKeyFrameEvent_ && now - *lastKeyFrameEvent_ < kKeyFrameInterval) return false;
  lastKeyFrameEvent_ = now;
  return true;
}

void SendStream::stop(CircuitBreakerReason reason, Pacer& pacer) {
  stats_.stopped = reason;
  pacer.removeStream(id_.value);
  history_.forgetQueued();
}

void SendStream::startAgain() {
  stats_.stopped.reset();
  breaker_.restart();
  skipToKeyFrame();
}

void SendStream::onReportBlock(const rtp::rtcp::ReportBlock& block, std::optional<Duration> rtt,
                               Timestamp now) {
  acknowledged_ = true;
  // All packets since the first with the wish have it, so the newest that came has.
  if (playoutDelayFrom_ &&
      !isNewer(static_cast<uint32_t>(*playoutDelayFrom_), block.extendedHighestSequence))
    playoutDelayKnown_ = true;
  if (!stats_.remote) stats_.remote.emplace();
  RemoteInboundStats& remote = *stats_.remote;
  remote.updated = now;
  remote.packetsLost = block.cumulativeLost;
  // RFC 3550 section 6.4.1: lost is expected less received, counted from the first packet.
  const int64_t expected = static_cast<int64_t>(block.extendedHighestSequence) - firstSequence_ + 1;
  remote.packetsReceived =
      static_cast<uint64_t>(std::max<int64_t>(expected - block.cumulativeLost, 0));
  remote.fractionLost = block.fractionLost / 256.0;
  remote.jitterSeconds = static_cast<double>(block.jitter) / std::max(1, config_.clockRate);
  if (!rtt) return;
  remote.roundTripTime = *rtt;
  remote.totalRoundTripTime += *rtt;
  ++remote.roundTripTimeMeasurements;
}

void CongestionReportStats::add(const congestion::PacketResult& packet) {
  if (!packet.received()) {
    ++packetsReportedAsLost;
    return;
  }
  if (packet.wasReportedLost) ++packetsReportedAsLostButRecovered;
  if (packet.arrivedAs == Ecn::Ect1) ++packetsReceivedWithEct1;
  if (packet.arrivedAs == Ecn::Ce) ++packetsReceivedWithCe;
  if (packet.sentAs == Ecn::Ect1 && packet.arrivedAs == Ecn::NotEct)
    ++packetsWithBleachedEct1Marking;
}

uint32_t SendStream::timestampAt(Timestamp now) const {
  const double ticks = (now - lastFrameTime_).seconds() * config_.clockRate;
  return lastTimestamp_ + static_cast<uint32_t>(static_cast<int64_t>(ticks));
}

// RFC 5450 section 2: the time of capture is that of the timestamp.
int32_t SendStream::transmissionOffset(uint32_t timestamp, Timestamp now) const {
  constexpr int32_t kMost = 0x7fffff;
  return std::clamp(static_cast<int32_t>(timestampAt(now) - timestamp), -kMost, kMost);
}

std::optional<SentPosition> SendStream::position(Timestamp now) const {
  if (!newestSequence_) return std::nullopt;
  return SentPosition{*newestSequence_, timestampAt(now)};
}

void SendStream::startTone(uint8_t event, Duration duration, Timestamp now) {
  // RFC 4733 section 2.1: the stream's own time line, also while there is no sound.
  tone_.start(event, duration, timestampAt(now), config_.clockRate, now);
}

void SendStream::sendTones(Pacer& pacer, Timestamp now) {
  ToneSender::Packet due;
  while (tone_.poll(now, due)) {
    PacketBuf packet = environment_.pool.allocate();
    if (!packet || !config_.eventPayloadType) continue;
    PacketPlan plan;
    plan.marker = due.marker;
    plan.timestamp = due.timestamp;
    rtp::PacketHeader h = header(plan, static_cast<uint16_t>(nextSequence_));
    h.payloadType = *config_.eventPayloadType;
    rtp::PacketWriter writer(packet, h, {}, form_);
    addExtensions(writer, plan);
    ByteWriter payload(writer.beginPayload());
    due.event.write(payload);
    writer.finish(payload.size());
    if (enqueue(std::move(packet), nextSequence_, PacketType::Audio, pacer, now)) ++nextSequence_;
  }
}

rtp::rtcp::SenderReport SendStream::senderReport(const WallClock& clock, Timestamp now) const {
  rtp::rtcp::SenderReport report;
  report.senderSsrc = config_.ssrc;
  report.ntp = clock.ntpAt(now);
  // RFC 3550 section 6.4.1: the media time of the same instant, extrapolated from the last frame.
  report.rtpTimestamp = timestampAt(now);
  report.packetCount = static_cast<uint32_t>(reportPackets_);
  report.octetCount = static_cast<uint32_t>(reportOctets_);
  return report;
}

}  // namespace parley::media
