#include "media/video_receive_stream.h"

#include <algorithm>

#include "parley/rtp/extensions/dependency_descriptor.h"
#include "parley/rtp/extensions/playout_delay.h"

namespace parley::media {

namespace {

// Without retransmission, a gap older than this is a loss and not reordering.
constexpr Duration kReorderLimit = Duration::millis(100);
// How long a first key frame may take to be complete.
constexpr Duration kFirstFrameLimit = Duration::millis(200);
// How long retransmission may try before we ask for a key frame instead.
constexpr Duration kRepairLimit = Duration::millis(500);
// Unfinished frames, and frames that need one which never came, are kept for so long.
constexpr Duration kMaxWait = Duration::seconds(3);
constexpr Duration kMinSweepInterval = Duration::millis(500);
// Nobody is asked for anything when packets have stopped coming.
constexpr Duration kAliveLimit = Duration::seconds(2);
// How long a picture waits for its upper layers: for one repetition, or for packets out of order.
constexpr Duration kRepetitionMargin = Duration::millis(50);
constexpr Duration kLayerReorderLimit = Duration::millis(20);

}  // namespace

VideoReceiveStream::VideoReceiveStream(const Environment& environment, const ReceiveConfig& config,
                                       uint32_t ssrc, uint32_t clockRate, HeldTotals& held)
    : ReceiveStream(environment, config, ssrc, held), buffer_(environment.limits, clockRate) {}

const VideoReceiveStream::Format* VideoReceiveStream::formatOf(const ReceiveCodec& codec) {
  for (Format& f : formats_) {
    if (f.payloadType != codec.payloadType) continue;
    if (f.name == codec.name) return f.depacketizer ? &f : nullptr;
    // The payload type was given to another codec: packets of the old one make no sense any more.
    restart();
    f.name = codec.name;
    f.depacketizer = rtp::createDepacketizer(codec.name);
    return f.depacketizer ? &f : nullptr;
  }
  formats_.push_back({codec.payloadType, codec.name, rtp::createDepacketizer(codec.name)});
  return formats_.back().depacketizer ? &formats_.back() : nullptr;
}

void VideoReceiveStream::restart() {
  assembler_.reset();
  buffer_.reset();
  waitingSince_.reset();
  clearFec();
  noteHeld(0, 0);
}

void VideoReceiveStream::shed(Timestamp now) {
  clearFec();
  counters_.packetsDiscarded += assembler_.dropOlderThan(Timestamp::never());
  buffer_.reset();
  requester_.want();
  advance(now);
}

void VideoReceiveStream::setRtt(Duration rtt) {
  ReceiveStream::setRtt(rtt);
  requester_.setRtt(rtt);
}

void VideoReceiveStream::receive(PacketBuf packet, const rtp::PacketView& view,
                                 const ReceiveConfig& config, const ReceiveCodec& codec,
                                 int64_t sequence, int64_t rtp, Arrival arrival, Timestamp now) {
  now_ = now;
  const bool recovered = arrival != Arrival::Direct;
  if (rtp::fecSchemeOf(codec.name) == rtp::FecScheme::Ulpfec) {
    nack_.handlePacket(sequence, false, recovered, now);
    noteInsert(assembler_.insertEmpty(sequence));
    rtp::FecPacket fec;
    if (!view.payload().empty() && !rtp::FecPacket::parse(rtp::FecScheme::Ulpfec, view, fec)) {
      ++counters_.malformedPackets;
    } else if (!view.payload().empty()) {
      handleFec(std::move(packet), fec, now);
    }
    takeFrames(config.extensions, now);
    advance(now);
    return;
  }
  pli_ = codec.pli;
  fir_ = codec.fir;
  keepForFec(view, config, sequence, arrival);
  if (const auto delay = rtp::getExtension<rtp::PlayoutDelay>(view, config.extensions)) {
    buffer_.setPlayoutLimits(delay->min, delay->max);
  }
  const Format* format = formatOf(codec);
  const ByteSpan payload = view.payload();
  if (payload.empty() || !format) {
    nack_.handlePacket(sequence, false, recovered, now);
    noteInsert(assembler_.insertEmpty(sequence));
  } else {
    VideoPacket p;
    if (!format->depacketizer->parse(payload, p.info)) {
      // It arrived, so it is not asked for again; but it completes nothing.
      ++counters_.malformedPackets;
      nack_.handlePacket(sequence, false, recovered, now);
      return;
    }
    nack_.handlePacket(sequence, p.info.keyFrame && p.info.frameStart, recovered, now);
    p.sequence = sequence;
    p.rtp = rtp;
    p.payloadType = codec.payloadType;
    p.marker = view.marker();
    p.recovered = recovered;
    p.arrival = now;
    p.depacketizer = format->depacketizer.get();
    p.payload = payload;
    if (const uint8_t id = config.extensions.id(rtp::ExtensionKind::DependencyDescriptor); id != 0)
      p.dependencies = view.extension(id).value_or(ByteSpan{});
    if (!p.dependencies.empty()) buffer_.setLayerPatience(layerPatience());
    p.buffer = std::move(packet);
    noteInsert(assembler_.insert(std::move(p)));
  }
  lastRtp_ = rtp;
  takeFrames(config.extensions, now);
  if (!waitingSince_) waitingSince_ = now;
  if (expiry_.isNever() && (assembler_.packets() > 0 || !buffer_.isEmpty())) {
    expiry_ = now + kMaxWait;
  }
  advance(now);
}

void VideoReceiveStream::handleFec(PacketBuf packet, const rtp::FecPacket& fec, Timestamp now) {
  addFec(std::move(packet), fec, now);
  if (expiry_.isNever()) expiry_ = now + kMaxWait;
}

void VideoReceiveStream::noteInsert(FrameAssembler::Insert result) {
  if (result != FrameAssembler::Insert::Ok) ++counters_.packetsDiscarded;
  if (assembler_.takeGaveUp()) requester_.want();
}

void VideoReceiveStream::takeFrames(const rtp::ExtensionMap& extensions, Timestamp now) {
  while (assembler_.poll(buffer_.scratch(), extensions)) {
    const AssembledFrame& frame = buffer_.scratch();
    const size_t longSide = std::max(frame.size.width, frame.size.height);
    const size_t shortSide = std::min(frame.size.width, frame.size.height);
    const Limits& limits = environment_.limits;
    if (longSide > std::max(limits.maxVideoWidth, limits.maxVideoHeight) ||
        shortSide > std::min(limits.maxVideoWidth, limits.maxVideoHeight)) {
      // No decoder should even see the header of a picture that we would refuse to hold.
      ++counters_.framesDropped;
      continue;
    }
    if (frame.endsPicture) ++counters_.framesReceived;
    if (frame.lastSequence > frame.firstSequence) {
      ++counters_.framesAssembledFromMultiplePackets;
      counters_.totalAssemblyTime += frame.lastArrival - frame.firstArrival;
    }
    if (frame.keyFrame) {
      ++counters_.keyFramesReceived;
      if (frame.size.width != 0) counters_.frameSize = frame.size;
      requester_.satisfied();
    }
    if (!buffer_.insert(assembler_, now)) requester_.want();
  }
}

void VideoReceiveStream::requestKeyFrame(Timestamp now) {
  now_ = std::max(now, now_);
  requester_.want();
  advance(now_);
}

void VideoReceiveStream::decoderLostState(Timestamp now) {
  // Where no key frame can be asked for, a damaged picture is better than one that may never move
  // again.
  if (pli_ || fir_) buffer_.requireKeyFrame();
  requestKeyFrame(now);
}

Duration VideoReceiveStream::stallLimit() const {
  if (buffer_.needsKeyFrame()) return kFirstFrameLimit + rtt();
  return nackEnabled_ ? kRepairLimit + rtt() * 2 : kReorderLimit;
}

Duration VideoReceiveStream::layerPatience() const {
  return nackEnabled_ ? std::min(rtt() * 2 + kRepetitionMargin, kRepairLimit) : kLayerReorderLimit;
}

bool VideoReceiveStream::isAlive() const {
  return now_ < lastHeard_ + kAliveLimit;
}

void VideoReceiveStream::advance(Timestamp now) {
  now_ = now;
  release(now);
  expire(now);
  noteHeld(assembler_.packets() + heldForFec(), buffer_.bytes());
  collectNacks(now);
  if (nack_.takeGaveUp() && nackEnabled_) requester_.want();
  if (waitingSince_ && now >= *waitingSince_ + stallLimit()) {
    waitingSince_.reset();
    requester_.want();
  }
  askForKeyFrame(now);
}

void VideoReceiveStream::expire(Timestamp now) {
  if (now < expiry_) return;
  counters_.packetsDiscarded += assembler_.dropOlderThan(now - kMaxWait);
  const Timestamp silent = lastHeard_ + kMaxWait;
  expireFec(silent <= now, now);
  const auto isStuck = [this] {
    return !buffer_.isEmpty() && buffer_.nextDeadline(assembler_).isNever();
  };
  // While packets come, the frame that is missing may still be among them.
  if (silent <= now && isStuck()) buffer_.reset();
  if (silent <= now) assembler_.shrink();
  expiry_ = assembler_.oldestArrival() + kMaxWait;
  // Also while a frame waits for its time: those behind it may be stuck once it has gone.
  if (!buffer_.isEmpty() || assembler_.hasGrown()) expiry_ = earliest(expiry_, silent);
  if (!expiry_.isNever()) expiry_ = std::max(expiry_, now + kMinSweepInterval);
}

void VideoReceiveStream::askForKeyFrame(Timestamp now) {
  if (!pli_ && !fir_) {
    requester_.satisfied();
    return;
  }
  if (!isAlive() || feedback_.full() || !requester_.take(now)) return;
  pushKeyFrameRequest();
}

void VideoReceiveStream::release(Timestamp now) {
  Timestamp playout;
  while (!ready_.full() && buffer_.take(assembler_, now, taken_, playout)) {
    waitingSince_.reset();
    assembler_.forgetBefore(taken_.lastSequence + 1);
    nack_.forgetBefore(taken_.lastSequence + 1);
    hand(taken_, playout, now);
  }
  // The picture goes on without them, but not as it was meant to.
  if (buffer_.takeLayersLost()) requester_.want();
  // A frame that only waits for its time is not a stall.
  if (buffer_.nextDeadline(assembler_) != Timestamp::never()) waitingSince_.reset();
}

void VideoReceiveStream::hand(AssembledFrame& frame, Timestamp playout, Timestamp now) {
  const FrameTraits& traits = frame.traits;
  if (traits.orientation) orientation_ = *traits.orientation;
  if (traits.contentType) contentType_ = *traits.contentType;
  // It comes with key frames: the next one without it takes it back.
  if (traits.colorSpace || frame.keyFrame) colorSpace_ = traits.colorSpace;
  ReceivedFrame& out = ready_.push();
  out.receiver = receiver();
  out.ssrc = ssrc();
  out.rid = rid();
  out.isLayer = isLayer();
  out.payloadType = frame.payloadType;
  for (const Format& f : formats_) {
    if (f.payloadType == frame.payloadType) out.codecName = f.name;
  }
  std::swap(out.payload, frame.data);
  out.rtpTimestamp = static_cast<uint32_t>(frame.rtp);
  out.keyFrame = frame.keyFrame;
  out.size = frame.size;
  out.orientation = orientation_;
  out.contentType = contentType_;
  out.firstPacketArrival = frame.firstArrival;
  out.lastPacketArrival = frame.lastArrival;
  out.playoutTime = playout;
  const Captured captured = capturedAt(out.rtpTimestamp);
  out.captureTime = captured.time;
  out.captureClockOffset = captured.clockOffset;
  out.capturedHere = captured.here;
  if (traits.captureTime) {
    out.captureTime = traits.captureTime->captureTime;
    out.captureClockOffset = traits.captureTime->clockOffset;
  }
  out.timing = traits.timing;
  out.colorSpace = colorSpace_;
  out.corruption = traits.corruption;
  out.spatialId = frame.spatialId;
  out.temporalId = frame.temporalId;
  counters_.jitterBufferDelay += (now - frame.firstArrival).seconds();
  counters_.jitterBufferTargetDelay += buffer_.targetDelay().seconds();
  counters_.jitterBufferMinimumDelay += buffer_.jitterDelay().seconds();
  ++counters_.jitterBufferEmittedCount;
}

Timestamp VideoReceiveStream::nextDeadline() const {
  Timestamp t = earliest(nackDeadline(), expiry_);
  if (!ready_.full()) t = earliest(t, buffer_.nextDeadline(assembler_));
  if (waitingSince_) t = earliest(t, *waitingSince_ + stallLimit());
  if (isAlive() && !feedback_.full()) t = earliest(t, requester_.nextDeadline());
  return t;
}

std::optional<Duration> VideoReceiveStream::captureToPlayout() const {
  if (!lastRtp_ || buffer_.isLearning()) return std::nullopt;
  const auto capture = captureBySender(static_cast<uint32_t>(*lastRtp_));
  if (!capture) return std::nullopt;
  return buffer_.idealPlayout(*lastRtp_) - *capture;
}

void VideoReceiveStream::fillKindStats(InboundStats& out) const {
  out.framesDropped += buffer_.framesDropped();
}

}  // namespace parley::media
