#include <algorithm>
#include <array>
#include <span>

#include "parley/base/text.h"
#include "parley/rtp/extensions/all.h"

#include "media/draw_ssrc.h"
#include "media/send_stream_impl.h"

namespace parley::media {
namespace {

constexpr size_t kOriginalSequenceSize = 2;
constexpr Duration kCaptureTimeInterval = Duration::seconds(1);
/// Layers change seldom; whoever missed it is told again.
constexpr Duration kLayersInterval = Duration::seconds(2);
/// RFC 7741 and RFC 9628: 15 bits.
constexpr uint16_t kPictureIdMask = 0x7fff;
/// As libwebrtc does it: five frames in a second, and those far beyond the others.
constexpr Duration kTimingInterval = Duration::millis(200);
constexpr double kTimingSize = 5;

uint16_t random16(Random& random) {
  return static_cast<uint16_t>(random.u32());
}

}  // namespace

SendStream::SendStream(const Environment& environment, SendStreamId id, SendStreamConfig config,
                       size_t maxPacketSize)
    : environment_(environment),
      id_(id),
      config_(std::move(config)),
      maxPacketSize_(maxPacketSize) {
  Random& random = environment.random;
  if (config_.ssrc == 0) config_.ssrc = drawSsrc(random);
  if (config_.rtxSsrc == 0u) config_.rtxSsrc = drawSsrc(random);
  drawNumbers();
  timestampOffset_ = random.u32();
  pictureId_ = random16(random) & kPictureIdMask;
  tl0PicIdx_ = static_cast<uint8_t>(random.u32());
  stats_.id = id;
  const SendStreamConfig whole = config_;
  update(whole);
}

// The sequence leaves room below the wrap, so that a receiver that joins at packet one sees no wrap
// among the first (RFC 3711 section 3.3.1 would guess wrong).
void SendStream::drawNumbers() {
  Random& random = environment_.random;
  firstSequence_ = nextSequence_ = 1 + random.below(0x7fff);
  nextRtxSequence_ = static_cast<uint16_t>(1 + random.below(0x7fff));
  nextFecSequence_ = static_cast<uint16_t>(1 + random.below(0x7fff));
}

void SendStream::goOnFrom(const SendNumbers& numbers) {
  firstSequence_ = nextSequence_ = numbers.sequence;
  nextRtxSequence_ = numbers.rtx;
  nextFecSequence_ = numbers.fec;
  timestampOffset_ = numbers.timestampOffset;
}

void SendStream::begin(uint32_t ssrc, uint32_t rtxSsrc, uint32_t fecSsrc) {
  config_.ssrc = ssrc;
  if (config_.rtxSsrc) config_.rtxSsrc = rtxSsrc;
  if (config_.fec) {
    config_.fec->ssrc = fecSsrc;
    fec_ = std::make_unique<FecEncoder>(environment_.pool, config_.fec->scheme);
  }
  blockStart_.reset();
  limits_.clear();
  history_.clear();
  secondCopies_.clear();
  drawNumbers();
  newestSequence_.reset();
  lastSent_.reset();
  lastFirSequence_.reset();
  lastWasMarker_ = false;
  // The new source has to say whose it is, and what there is to say of its frames.
  acknowledged_ = false;
  lastCaptureTimeSent_.reset();
  playoutDelayFrom_.reset();
  playoutDelayKnown_ = false;
  layersTold_.reset();
  awaitingKeyFrame_ = config_.kind == MediaKind::Video && !config_.takesPackets;
  // RFC 3550 section 6.4.1: "The count SHOULD be reset if the sender changes its SSRC identifier."
  reportPackets_ = reportOctets_ = 0;
  SendStreamStats fresh;
  fresh.id = id_;
  fresh.targetBitrate = stats_.targetBitrate;
  fresh.frameWidth = stats_.frameWidth;
  fresh.frameHeight = stats_.frameHeight;
  stats_ = std::move(fresh);
  frames_ = frameBytes_ = 0;
  const SendStreamConfig same = config_;
  update(same);
}

void SendStream::update(const SendStreamConfig& config) {
  const uint32_t ssrc = config_.ssrc;
  auto rtxSsrc = config_.rtxSsrc;
  const bool newCodec =
      !packetizer_ || !equalsIgnoreCase(config.codec, config_.codec) ||
      config.payloadFormat.h264PacketizationMode != config_.payloadFormat.h264PacketizationMode;
  if (config.rtxSsrc && !rtxSsrc)
    rtxSsrc = *config.rtxSsrc != 0 ? *config.rtxSsrc : drawSsrc(environment_.random);
  if (!config.rtxSsrc) rtxSsrc.reset();
  const uint32_t fecSsrc = config_.fec && config_.fec->ssrc != 0 ? config_.fec->ssrc
                           : config.fec                          ? config.fec->ssrc
                                                                 : 0;
  const bool newFec =
      !fec_ || !config.fec || !config_.fec || config.fec->scheme != config_.fec->scheme;
  if (config.mid != config_.mid || config.rid != config_.rid) acknowledged_ = false;
  if (config.playoutDelay != config_.playoutDelay) {
    playoutDelayFrom_.reset();
    playoutDelayKnown_ = false;
  }
  config_ = config;
  config_.ssrc = ssrc;
  config_.rtxSsrc = rtxSsrc;
  if (config_.fec) config_.fec->ssrc = fecSsrc != 0 ? fecSsrc : drawSsrc(environment_.random);
  if (newFec) fec_.reset();
  if (newFec && config_.fec)
    fec_ = std::make_unique<FecEncoder>(environment_.pool, config_.fec->scheme);
  if (newCodec) packetizer_ = rtp::createPacketizer(config_.codec, config_.payloadFormat);
  const bool twoByte = config_.extensions.needsTwoByteForm() || config_.mid.size() > kOneByteMax ||
                       config_.rid.size() > kOneByteMax;
  form_ = twoByte ? rtp::ExtensionForm::TwoByte : rtp::ExtensionForm::OneByte;
  if (!config_.nack) history_.clear();
  stats_.kind = config_.kind;
  stats_.mid = config_.mid;
  stats_.rid = config_.rid;
  stats_.ssrc = config_.ssrc;
  stats_.rtxSsrc = config_.rtxSsrc;
  stats_.payloadType = config_.payloadType;
  stats_.active = config_.active;
}

rtp::PacketHeader SendStream::header(const PacketPlan& plan, uint16_t sequence) const {
  rtp::PacketHeader h;
  h.payloadType = config_.payloadType;
  if (plan.red) h.payloadType = plan.audio ? config_.red->payloadType : config_.fec->redPayloadType;
  h.marker = plan.marker;
  h.sequenceNumber = sequence;
  h.timestamp = plan.timestamp;
  h.ssrc = config_.ssrc;
  return h;
}

void SendStream::addExtensions(rtp::PacketWriter& writer, const PacketPlan& plan) const {
  const rtp::ExtensionMap& map = config_.extensions;
  writer.reserve<rtp::AbsSendTime>(map);
  writer.reserve<rtp::TransmissionOffset>(map);
  writer.reserve<rtp::TransportSequenceNumber>(map);
  // A layer of simulcast is named again on key frames: there a server begins to forward it.
  const bool namesLayer = !config_.rid.empty() && plan.video != nullptr && plan.video->keyFrame;
  if (!acknowledged_ || namesLayer) {
    if (!config_.mid.empty()) writer.add<rtp::Mid>(map, config_.mid);
    if (!config_.rid.empty()) writer.add<rtp::Rid>(map, config_.rid);
  }
  if (plan.audio != nullptr) {
    writer.add<rtp::AudioLevel>(map, {plan.audio->voice, plan.audio->audioLevel});
    rtp::CsrcAudioLevel::Value levels;
    for (const codec::Contributor& c : plan.audio->contributors) levels.push_back(c.level);
    if (!levels.empty()) writer.add<rtp::CsrcAudioLevel>(map, levels);
  }
  // Until the peer surely knows it, and for who begins with a key frame.
  if (plan.video != nullptr && config_.playoutDelay &&
      (!playoutDelayKnown_ || plan.video->keyFrame))
    writer.add<rtp::PlayoutDelay>(map, *config_.playoutDelay);
  if (plan.video != nullptr && plan.last) {
    // 3GPP TS 26.114 section 7.4.5: on the last packet of each key frame, and of a frame that
    // changes it.
    const auto rotation = plan.video->rotation;
    if (plan.video->keyFrame || rotation != lastRotation_ || rotation != codec::VideoRotation::None)
      writer.add<rtp::VideoOrientation>(map, {static_cast<uint16_t>(rotation), false, false});
    if (plan.video->keyFrame && plan.video->screenContent)
      writer.add<rtp::ContentType>(map, rtp::VideoContentType::Screenshare);
    if (plan.video->corruption) writer.add<rtp::CorruptionDetection>(map, *plan.video->corruption);
    if (timingFlags_ != 0) {
      rtp::VideoTimingValue timing = timingOf(*plan.video);
      timing.packetized = rtp::VideoTiming::sinceCapture(plan.now - plan.video->capture);
      writer.add<rtp::VideoTiming>(map, timing);
    }
  }
  if (plan.video != nullptr) addLayers(writer, plan);
  if (plan.first && captureTimeDue_) {
    const Timestamp capture = plan.video != nullptr ? plan.video->capture : plan.audio->capture;
    // The clock is our own, but for a mix: of what others captured nothing is known.
    std::optional<int64_t> offset = 0;
    if (plan.audio != nullptr && !plan.audio->contributors.empty()) offset.reset();
    writer.add<rtp::AbsCaptureTime>(map, {environment_.wallClock.ntpAt(capture), offset});
  }
}

void SendStream::addLayers(rtp::PacketWriter& writer, const PacketPlan& plan) const {
  const rtp::ExtensionMap& map = config_.extensions;
  if (const uint8_t id = map.id(rtp::ExtensionKind::DependencyDescriptor); id != 0) {
    std::array<uint8_t, rtp::DependencyWriter::kMaxSize> bytes;
    const size_t size = dependencies_.write(plan.dependencies, plan.first, plan.last, bytes);
    if (size > 0) writer.addRaw(id, ByteSpan(bytes).first(size));
  }
  if (plan.first && layersDue_) writer.add<rtp::VideoLayersAllocation>(map, layers_);
}

// What tells about layers is sent with the first packet of a frame.
void SendStream::prepareLayers(PacketPlan& plan, Timestamp now) {
  const codec::EncodedVideoFrame& frame = *plan.video;
  if (config_.extensions.has(rtp::ExtensionKind::DependencyDescriptor)) {
    plan.dependencies = references_.next(frame);
    if (plan.dependencies.keyFrame && frame.spatialId == 0)
      dependencies_.setLayers(FrameReferences::layersOf(frame));
  }
  layersDue_ = config_.extensions.has(rtp::ExtensionKind::VideoLayersAllocation) &&
               !layers_.layers.empty() &&
               (frame.keyFrame || !layersTold_ || now - *layersTold_ >= kLayersInterval);
}

void SendStream::prepareTiming(const codec::EncodedVideoFrame& frame) {
  timingFlags_ = 0;
  if (!config_.extensions.has(rtp::ExtensionKind::VideoTiming) || !frame.endsPicture()) return;
  if (!lastTiming_ || frame.capture - *lastTiming_ >= kTimingInterval) {
    timingFlags_ |= rtp::VideoTimingValue::kByTimer;
    lastTiming_ = frame.capture;
  }
  const double bytes = static_cast<double>(frame.data.size()) * static_cast<double>(frames_);
  if (frames_ > 0 && bytes >= kTimingSize * static_cast<double>(frameBytes_))
    timingFlags_ |= rtp::VideoTimingValue::kBySize;
}

rtp::VideoTimingValue SendStream::timingOf(const codec::EncodedVideoFrame& frame) const {
  rtp::VideoTimingValue out;
  out.flags = timingFlags_;
  if (frame.encodeStart)
    out.encodeStart = rtp::VideoTiming::sinceCapture(*frame.encodeStart - frame.capture);
  if (frame.encodeEnd)
    out.encodeFinish = rtp::VideoTiming::sinceCapture(*frame.encodeEnd - frame.capture);
  return out;
}

rtp::ExtensionForm SendStream::formOf(const PacketPlan& plan) const {
  if (!config_.mixedForms || plan.video == nullptr || !plan.first) return form_;
  const bool structure = config_.extensions.has(rtp::ExtensionKind::DependencyDescriptor) &&
                         plan.dependencies.keyFrame && dependencies_.layers().spatial > 1;
  return structure || layersDue_ ? rtp::ExtensionForm::TwoByte : form_;
}

size_t SendStream::headerSizeFor(PacketBuf& scratch, const PacketPlan& plan) const {
  rtp::PacketWriter writer(scratch, header(plan, 0), {}, formOf(plan));
  addExtensions(writer, plan);
  writer.beginPayload();
  return writer.headerSize();
}

rtp::Vp8Descriptor SendStream::describeVp8(const codec::EncodedVideoFrame& frame,
                                           const codec::Vp8Info& info) {
  rtp::Vp8Descriptor d;
  d.nonReference = info.nonReference;
  d.pictureId = info.pictureId.value_or(pictureId_);
  if (frame.temporalLayers > 1) {
    d.temporalId = frame.temporalId;
    d.layerSync = info.layerSync;
    d.tl0PicIdx = info.tl0PicIdx.value_or(tl0PicIdx_);
  }
  return d;
}

rtp::Vp9Descriptor SendStream::describeVp9(const codec::EncodedVideoFrame& frame,
                                           const codec::Vp9Info& info) {
  rtp::Vp9Descriptor d;
  d.interPicturePredicted = info.interPicturePredicted;
  d.flexible = info.flexibleMode;
  d.pictureId = info.pictureId.value_or(pictureId_);
  if (frame.temporalLayers > 1 || info.spatialLayers > 1) {
    d.hasLayers = true;
    d.temporalId = frame.temporalId;
    d.spatialId = frame.spatialId;
    d.switchingUp = info.switchingPoint;
    d.interLayerPredicted = info.interLayerPredicted;
    d.tl0PicIdx = info.tl0PicIdx.value_or(tl0PicIdx_);
  }
  for (size_t i = 0; info.flexibleMode && i < info.refCount && i < info.refDiffs.size(); ++i)
    d.referenceDiffs.push_back(info.refDiffs[i]);
  return d;
}

namespace {

/// The sizes of the spatial layers and the group of pictures; nothing if the encoder does not tell
/// the sizes.
std::optional<rtp::Vp9ScalabilityStructure> structureOf(const codec::EncodedVideoFrame& frame,
                                                        const codec::Vp9Info& info) {
  rtp::Vp9ScalabilityStructure structure;
  structure.hasSizes = true;
  for (size_t i = 0; i < info.spatialLayers && i < info.layerSizes.size(); ++i)
    structure.layers.push_back({info.layerSizes[i].width, info.layerSizes[i].height});
  if (info.spatialLayers == 1) {
    structure.layers.clear();
    structure.layers.push_back(
        {static_cast<uint16_t>(frame.width), static_cast<uint16_t>(frame.height)});
  }
  for (const rtp::VideoSize& size : structure.layers) {
    if (size.width == 0 || size.height == 0) return std::nullopt;
  }
  for (const auto& picture : info.group) structure.group.push_back(picture);
  return structure;
}

}  // namespace

rtp::FrameDescription SendStream::describe(const codec::EncodedVideoFrame& frame) {
  rtp::FrameDescription description;
  // AV1 RTP payload format, section 4.4: N stands where the sequence begins, which is in the lowest
  // layer.
  const bool above = std::holds_alternative<codec::Av1Info>(frame.info) && frame.spatialId > 0;
  description.keyFrame = frame.keyFrame && !above;
  // A base layer frame begins a new period, counted by all frames that follow it.
  const auto* vp9 = std::get_if<codec::Vp9Info>(&frame.info);
  if (frame.temporalId == 0 && frame.spatialId == 0) ++tl0PicIdx_;
  if (equalsIgnoreCase(config_.codec, "VP8")) {
    const auto* vp8 = std::get_if<codec::Vp8Info>(&frame.info);
    description.codec = describeVp8(frame, vp8 != nullptr ? *vp8 : codec::Vp8Info{});
  } else if (equalsIgnoreCase(config_.codec, "VP9")) {
    codec::Vp9Info info;
    info.interPicturePredicted = !frame.keyFrame;
    if (vp9 != nullptr) info = *vp9;
    description.codec = describeVp9(frame, info);
    if (frame.keyFrame && frame.spatialId == 0) description.vp9Structure = structureOf(frame, info);
  }
  if (frame.endsPicture()) pictureId_ = (pictureId_ + 1) & kPictureIdMask;
  return description;
}

bool SendStream::enqueue(PacketBuf packet, int64_t sequence, PacketType type, Pacer& pacer,
                         Timestamp now) {
  PacedPacket paced;
  paced.size = static_cast<uint32_t>(packet.size());
  paced.data = std::move(packet);
  paced.stream = id_.value;
  paced.sequence = sequence;
  paced.type = type;
  paced.queued = now;
  return pacer.push(std::move(paced));
}

SendStream::Accepted SendStream::sendVideo(const codec::EncodedVideoFrame& frame, Pacer& pacer,
                                           Timestamp now) {
  if (!packetizer_ || config_.kind != MediaKind::Video || frame.data.empty())
    return Accepted::Unfit;
  if (awaitingKeyFrame_ && !frame.keyFrame) {
    ++stats_.framesDropped;
    return Accepted::AwaitingKeyFrame;
  }
  PacketPlan plan;
  plan.video = &frame;
  plan.now = now;
  plan.timestamp = frame.rtpTimestamp + timestampOffset_;
  captureTimeDue_ = config_.extensions.has(rtp::ExtensionKind::AbsCaptureTime) &&
                    (frame.keyFrame || !lastCaptureTimeSent_ ||
                     now - *lastCaptureTimeSent_ >= kCaptureTimeInterval);
  const auto refuse = [&](Accepted why) {
    ++stats_.framesDropped;
    awaitingKeyFrame_ = true;  // what follows would refer to a picture that the peer never gets
    return why;
  };
  PacketBuf packet = environment_.pool.allocate();
  if (!packet) return refuse(Accepted::NoRoom);
  prepareLayers(plan, now);
  prepareTiming(frame);
  plan.first = plan.last = true;
  const bool protecting = beginProtection(now);
  plan.red = protecting && config_.fec->scheme == rtp::FecScheme::Ulpfec;
  const size_t overhead = headerSizeFor(packet, plan) +
                          (config_.rtxSsrc ? kOriginalSequenceSize : 0) +
                          (protecting ? protectionOverhead() : 0);
  if (overhead + 64 > maxPacketSize_) return refuse(Accepted::Unfit);
  const size_t count = packetizer_->begin(frame.data, describe(frame), maxPacketSize_ - overhead);
  if (count == 0) return refuse(Accepted::Unfit);
  if (count > pacer.room(PacketType::Video)) return refuse(Accepted::NoRoom);
  const bool endOfPicture = frame.endsPicture();
  if (config_.playoutDelay && !playoutDelayFrom_ &&
      config_.extensions.has(rtp::ExtensionKind::PlayoutDelay))
    playoutDelayFrom_ = nextSequence_;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) packet = environment_.pool.allocate();
    if (!packet) return refuse(Accepted::NoRoom);
    plan.first = i == 0;
    plan.last = i + 1 == count;
    plan.marker = plan.last && endOfPicture;
    rtp::PacketWriter writer(packet, header(plan, static_cast<uint16_t>(nextSequence_)), {},
                             formOf(plan));
    addExtensions(writer, plan);
    MutableByteSpan room = writer.beginPayload();
    if (plan.red) {
      room[0] = config_.payloadType;
      room = room.subspan(1);
    }
    writer.finish(packetizer_->next(room) + (plan.red ? 1 : 0));
    if (protecting) protect(nextSequence_, packet, writer.headerSize(), plan.red);
    enqueue(std::move(packet), nextSequence_, PacketType::Video, pacer, now);
    ++nextSequence_;
  }
  if (protecting) finishFrame(plan, pacer, now);
  awaitingKeyFrame_ = false;
  lastRotation_ = frame.rotation;
  if (captureTimeDue_) lastCaptureTimeSent_ = now;
  if (layersDue_) layersTold_ = now;
  lastTimestamp_ = plan.timestamp;
  lastFrameTime_ = frame.capture;
  if (endOfPicture) ++stats_.framesSent;
  if (frame.keyFrame && endOfPicture) ++stats_.keyFramesSent;
  stats_.frameWidth = frame.width;
  stats_.frameHeight = frame.height;
  noteFrameSize(frame.data.size());
  return Accepted::Yes;
}

// webrtc-stats, hugeFramesSent: "an encoded size at least 2.5 times the average size".
void SendStream::noteFrameSize(size_t bytes) {
  const double mean =
      frames_ == 0 ? 0 : static_cast<double>(frameBytes_) / static_cast<double>(frames_);
  if (frames_ > 0 && static_cast<double>(bytes) >= 2.5 * mean) ++stats_.hugeFramesSent;
  ++frames_;
  frameBytes_ += bytes;
}

SendStream::Accepted SendStream::sendAudio(const codec::EncodedAudioFrame& frame, Pacer& pacer,
                                           Timestamp now) {
  if (!packetizer_ || config_.kind != MediaKind::Audio || frame.data.empty())
    return Accepted::Unfit;
  PacketPlan plan;
  plan.audio = &frame;
  plan.first = plan.last = true;
  plan.red = copiesOfSound() > 0;
  plan.timestamp = frame.rtpTimestamp + timestampOffset_;
  lastTimestamp_ = plan.timestamp;
  lastFrameTime_ = frame.capture;
  if (tone_.isPlaying(now)) return Accepted::Yes;
  if (frame.dtx)
    return Accepted::Yes;  // the gap in the timestamps says it (RFC 7587 section 3.1.3)
  captureTimeDue_ = config_.extensions.has(rtp::ExtensionKind::AbsCaptureTime) &&
                    (!lastCaptureTimeSent_ || now - *lastCaptureTimeSent_ >= kCaptureTimeInterval);
  PacketBuf packet = environment_.pool.allocate();
  if (!packet || pacer.room(PacketType::Audio) == 0) {
    ++stats_.framesDropped;
    return Accepted::NoRoom;
  }
  InlineVector<uint32_t, 15> csrcs;
  for (const codec::Contributor& c : frame.contributors) csrcs.push_back(c.ssrc);
  rtp::PacketWriter writer(packet, header(plan, static_cast<uint16_t>(nextSequence_)),
                           std::span(csrcs.data(), csrcs.size()), form_);
  addExtensions(writer, plan);
  const MutableByteSpan room = writer.beginPayload();
  const size_t limit =
      std::min(room.size(), maxPacketSize_ - std::min(maxPacketSize_, writer.headerSize()));
  const size_t size = writeSound(plan.timestamp, frame.data, room.first(limit), plan.red);
  if (size == 0) return Accepted::Unfit;
  writer.finish(size);
  enqueue(std::move(packet), nextSequence_, PacketType::Audio, pacer, now);
  ++nextSequence_;
  if (captureTimeDue_) lastCaptureTimeSent_ = now;
  ++stats_.framesSent;
  return Accepted::Yes;
}

}  // namespace parley::media
