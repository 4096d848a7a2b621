#include "forwarding/subscription.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "parley/base/inline_vector.h"
#include "parley/base/seq_num.h"
#include "parley/base/text.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_writer.h"

namespace parley::forwarding {
namespace {

using rtp::ExtensionKind;

constexpr ExtensionKind kPassedOn[] = {
    ExtensionKind::AudioLevel,       ExtensionKind::CsrcAudioLevel,
    ExtensionKind::AbsCaptureTime,   ExtensionKind::PlayoutDelay,
    ExtensionKind::VideoOrientation, ExtensionKind::ContentType,
    ExtensionKind::ColorSpace,       ExtensionKind::DependencyDescriptor,
    ExtensionKind::VideoTiming,      ExtensionKind::CorruptionDetection};
/// Of abs-capture-time, without the offset of the clock.
constexpr size_t kCaptureTimeSize = 8;
/// Asked for so soon after it was sent, a packet may still be on its way.
constexpr Duration kUnknownRttGate = Duration::millis(30);
/// Bad-input rule B35: what a peer that asks for everything may have repeated.
constexpr double kRepeatBytesPerSecond = 250'000;
constexpr double kRepeatBurst = 150'000;

uint16_t firstSequence(Random& random) {
  // RFC 3711 section 3.3.1: in the lower half, so that losing the first packets does not put the
  // peer's rollover counter wrong.
  return static_cast<uint16_t>(random.u32() & 0x7fff);
}

}  // namespace

Subscription::Subscription(const Environment& environment, SubscriptionId id, PeerId peer,
                           Publication& publication, SubscriptionConfig config)
    : environment_(environment),
      id_(id),
      peer_(peer),
      publication_(publication.id()),
      config_(std::move(config)),
      kind_(publication.config().kind),
      sequences_(firstSequence(environment.random)),
      sent_(kSent) {
  mapExtensions(publication.config());
  lastTimestamp_ = environment.random.u32();
  lastPictureId_ = static_cast<uint16_t>(environment.random.u32() & 0x7fff);
  lastTl0_ = static_cast<uint8_t>(environment.random.u32());
  lastFrame_ = static_cast<uint16_t>(environment.random.u32());
  goOnAfter(config_.after);
  if (publication.isVideo()) return;
  selector_.setTarget(LayerChoice{});
}

void Subscription::mapExtensions(const PublicationConfig& source) {
  extensionIds_.fill(0);
  knownCodec_.reset();
  sourceDescriptorId_ = source.extensions.id(ExtensionKind::DependencyDescriptor);
  for (const ExtensionKind kind : kPassedOn) {
    const uint8_t theirs = source.extensions.id(kind);
    if (theirs != 0) extensionIds_[theirs] = config_.extensions.id(kind);
  }
  // The two-byte form also carries what is longer than 16 octets: structures of dependencies.
  const bool wide = config_.extensions.needsTwoByteForm() ||
                    config_.extensions.has(ExtensionKind::DependencyDescriptor);
  form_ = wide ? rtp::ExtensionForm::TwoByte : rtp::ExtensionForm::OneByte;
}

void Subscription::reconfigure(const SubscriptionConfig& config, const PublicationConfig& source) {
  config_ = config;
  mapExtensions(source);
  goOnAfter(config_.after);
}

void Subscription::goOnAfter(const std::optional<media::SentPosition>& position) {
  if (!position || packets_ != 0) return;
  sequences_ = SequenceMap(static_cast<uint16_t>(position->sequence + 1));
  lastTimestamp_ = position->timestamp + 1;
}

void Subscription::forget(uint8_t encoding) {
  selector_.forget(encoding);
  if (kind_ == media::MediaKind::Audio && selector_.target()->encoding == encoding)
    started_ = false;
}

Subscription::Outcome Subscription::leaveOut(const Arrival& arrival) {
  const auto& current = selector_.current();
  const bool isOurs = kind_ == media::MediaKind::Audio
                          ? started_ && selector_.target()->encoding == arrival.encoding
                          : current && current->encoding == arrival.encoding;
  if (!isOurs) return Outcome::NotOurs;
  if (const auto filler = sequences_.drop(arrival.sequence)) noteFiller(*filler, arrival);
  return Outcome::LeftOut;
}

/// The numbers of another encoding go on where those of the last one ended.
void Subscription::beginEncoding(const Arrival& arrival) {
  const uint32_t timestamp = arrival.view.timestamp();
  if (packets_ == 0) {
    rewrite_.timestampOffset = lastTimestamp_ - timestamp;
  } else {
    // Encodings of one picture mostly share its time: then nothing changes. Else by the clock.
    const double elapsed = (arrival.time - lastTime_).seconds() * arrival.source->codec().clockRate;
    const auto expected =
        lastTimestamp_ + std::max<uint32_t>(1, static_cast<uint32_t>(std::llround(elapsed)));
    const auto off = static_cast<int32_t>(timestamp + rewrite_.timestampOffset - expected);
    const bool isNext = isNewer(timestamp + rewrite_.timestampOffset, lastTimestamp_);
    if (!isNext || std::abs(off) > static_cast<int32_t>(arrival.source->codec().clockRate / 5))
      rewrite_.timestampOffset = expected - timestamp;
  }
  const PacketLayers& layers = arrival.layers;
  if (layers.pictureId)
    rewrite_.pictureIdOffset = static_cast<uint16_t>(lastPictureId_ + 1 - *layers.pictureId);
  if (layers.tl0PicIdx) rewrite_.tl0Offset = static_cast<uint8_t>(lastTl0_ + 1 - *layers.tl0PicIdx);
  rewrite_.frameOffset = static_cast<uint16_t>(lastFrame_ + 1 - layers.frameNumber);
  sequences_.restart();
  started_ = true;
  ++stats_.switches;
}

void Subscription::noteFrame(const Arrival& arrival, const LayerSelector::Decision& decision) {
  const PacketLayers& layers = arrival.layers;
  const bool isNewest =
      decision.isSwitch || !isNewer(lastSourceTimestamp_, arrival.view.timestamp());
  if (isNewest) lastSourceTimestamp_ = arrival.view.timestamp();
  // RFC 7741 has receivers of VP8 take a hole in the picture ids for a loss; those of VP9 find the
  // pictures referred to by the difference of their ids, so there they must stay as they are.
  if (!decision.forward && isNewest && layers.isVp8) --rewrite_.pictureIdOffset;
  frameRewrites_[decision.frame] = rewrite_;
  if (!decision.forward || !isNewest) return;
  lastTimestamp_ = arrival.view.timestamp() + rewrite_.timestampOffset;
  lastTime_ = arrival.time;
  if (layers.pictureId)
    lastPictureId_ = static_cast<uint16_t>(*layers.pictureId + rewrite_.pictureIdOffset);
  if (layers.tl0PicIdx) lastTl0_ = static_cast<uint8_t>(*layers.tl0PicIdx + rewrite_.tl0Offset);
  lastFrame_ = static_cast<uint16_t>(layers.frameNumber + rewrite_.frameOffset);
}

void Subscription::noteFiller(int64_t out, const Arrival& arrival) {
  Sent& sent = sentAt(out);
  sent = {};
  sent.out = out;
  sent.isFiller = true;
  sent.rewrite = rewrite_;
  sent.source = arrival.sequence;
  sent.encoding = arrival.encoding;
}

bool Subscription::takesCodec(const PublicationConfig::Codec& codec) {
  if (knownCodec_ != codec.payloadType) {
    knownCodec_ = codec.payloadType;
    takesKnownCodec_ = equalsIgnoreCase(config_.codec, codec.name);
  }
  return takesKnownCodec_;
}

Subscription::Outcome Subscription::forward(Arrival& arrival, media::PreparedPacket& out) {
  const bool isVideo = kind_ == media::MediaKind::Video;
  if (config_.ssrc == 0) return Outcome::NotOurs;
  // What the peer has not negotiated it could not read.
  if (!takesCodec(arrival.source->codec())) return leaveOut(arrival);
  LayerSelector::Decision decision;
  if (isVideo) {
    decision = selector_.decide(arrival.layers, arrival.encoding, arrival.view.timestamp(),
                                arrival.source->structure());
    if (!decision.isOurs) return Outcome::NotOurs;
  } else {
    if (paused) {
      started_ = false;
      return Outcome::NotOurs;
    }
    decision.isOurs = decision.forward = decision.startsFrame = true;
    // Sound has one source at a time, and every packet is a beginning.
    decision.isSwitch = !started_ || selector_.target()->encoding != arrival.encoding;
    if (decision.isSwitch) selector_.setTarget(LayerChoice{arrival.encoding, 0, 0});
  }
  if (decision.isSwitch) beginEncoding(arrival);
  if (decision.startsFrame) noteFrame(arrival, decision);
  if (!decision.forward) {
    if (const auto filler = sequences_.drop(arrival.sequence)) noteFiller(*filler, arrival);
    return Outcome::LeftOut;
  }
  const std::optional<int64_t> number = sequences_.forward(arrival.sequence);
  if (!number) return Outcome::LeftOut;
  Sent& sent = sentAt(*number);
  sent.out = *number;
  sent.source = arrival.sequence;
  sent.rewrite = isVideo ? frameRewrites_[decision.frame] : rewrite_;
  sent.ssrc = arrival.view.ssrc();
  sent.encoding = arrival.encoding;
  sent.marker = arrival.view.marker() || decision.endsPicture;
  sent.isFiller = false;
  sent.badDescriptor = arrival.layers.badDescriptor;
  sent.last = arrival.time;
  if (!write(arrival.view, arrival.layers, sent, out, &arrival.written)) return Outcome::NoBuffer;
  ++stats_.packetsForwarded;
  stats_.bytesForwarded += out.data.size();
  return Outcome::Written;
}

namespace {

void putPictureId(const PacketLayers& layers, uint16_t offset, uint8_t* payload) {
  const auto id = static_cast<uint16_t>(*layers.pictureId + offset);
  uint8_t* const at = payload + layers.pictureIdAt;
  if (layers.longPictureId) {
    storeU16(at, static_cast<uint16_t>(0x8000 | (id & 0x7fff)));
  } else {
    *at = id & 0x7f;
  }
}

}  // namespace

/// The same packet was written for somebody before: other numbers in a copy of its header.
bool Subscription::copy(const WrittenHeader& written, const rtp::PacketView& view,
                        const PacketLayers& layers, const Sent& sent,
                        media::PreparedPacket& prepared) {
  prepared.data = environment_.pool.allocate();
  if (!prepared.data) return false;
  const ByteSpan payload = view.payload();
  prepared.data.resize(written.size + payload.size());
  std::memcpy(prepared.data.data(), written.bytes.data(), written.size);
  std::memcpy(prepared.data.data() + written.size, payload.data(), payload.size());
  prepared.headerSize = written.size;
  prepared.transportSequenceAt = written.transportSequenceAt;
  prepared.sendTimeAt = written.sendTimeAt;
  ++packets_;
  uint8_t* const bytes = prepared.data.data();
  bytes[1] = static_cast<uint8_t>((sent.marker ? 0x80 : 0) | (config_.payloadType & 0x7f));
  storeU16(bytes + 2, static_cast<uint16_t>(sent.out));
  storeU32(bytes + 4, view.timestamp() + sent.rewrite.timestampOffset);
  storeU32(bytes + 8, config_.ssrc);
  rewritePayload(layers, sent.rewrite, bytes + written.size);
  if (written.frameNumberAt != 0) {
    storeU16(bytes + written.frameNumberAt,
             static_cast<uint16_t>(written.frameNumber + sent.rewrite.frameOffset));
  }
  return true;
}

bool Subscription::write(const rtp::PacketView& view, const PacketLayers& layers, const Sent& sent,
                         media::PreparedPacket& prepared, WrittenHeader* written) {
  // Until the peer has surely learnt it (RFC 8852 section 3.1 has the same for rids), and for who
  // starts again with a key frame.
  const bool withMid = !config_.mid.empty() && (packets_ < kMidPackets || layers.keyFrame);
  if (withMid) written = nullptr;
  if (written != nullptr && written->size != 0 && written->extensions == config_.extensions)
    return copy(*written, view, layers, sent, prepared);
  prepared.data = environment_.pool.allocate();
  if (!prepared.data) return false;
  const rtp::PacketHeader header{config_.payloadType, sent.marker, static_cast<uint16_t>(sent.out),
                                 view.timestamp() + sent.rewrite.timestampOffset, config_.ssrc};
  // Who is heard in a mix stays so behind a server, and levels go by this list (RFC 6465).
  InlineVector<uint32_t, 15> csrcs;
  for (size_t i = 0; i < view.csrcCount(); ++i) csrcs.push_back(view.csrc(i));
  rtp::PacketWriter writer(prepared.data, header, std::span(csrcs.data(), csrcs.size()), form_);
  reserveSendTimes(writer, prepared);
  if (withMid) writer.add<rtp::Mid>(config_.extensions, config_.mid);
  ++packets_;
  passOnExtensions(writer, view, sent.badDescriptor);
  const ByteSpan payload = view.payload();
  const MutableByteSpan room = writer.beginPayload();
  if (room.size() < payload.size()) return false;
  std::copy(payload.begin(), payload.end(), room.begin());
  rewritePayload(layers, sent.rewrite, room.data());
  writer.finish(payload.size());
  prepared.headerSize = static_cast<uint16_t>(writer.headerSize());
  WrittenHeader done;
  if (!sent.badDescriptor) rewriteFrameNumber(prepared.data.mutableSpan(), sent.rewrite, done);
  if (written == nullptr || prepared.headerSize > WrittenHeader::kMaxSize) return true;
  std::memcpy(done.bytes.data(), prepared.data.data(), prepared.headerSize);
  done.size = prepared.headerSize;
  done.extensions = config_.extensions;
  done.transportSequenceAt = prepared.transportSequenceAt;
  done.sendTimeAt = prepared.sendTimeAt;
  *written = done;
  return true;
}

void Subscription::reserveSendTimes(rtp::PacketWriter& writer,
                                    media::PreparedPacket& prepared) const {
  if (config_.extensions.has(ExtensionKind::AbsSendTime)) {
    writer.reserve<rtp::AbsSendTime>(config_.extensions);
    prepared.sendTimeAt = static_cast<uint16_t>(writer.lastValueAt());
  }
  if (config_.extensions.has(ExtensionKind::TransportSequenceNumber)) {
    writer.reserve<rtp::TransportSequenceNumber>(config_.extensions);
    prepared.transportSequenceAt = static_cast<uint16_t>(writer.lastValueAt());
  }
}

void Subscription::passOnExtensions(rtp::PacketWriter& writer, const rtp::PacketView& view,
                                    bool withoutDescriptor) const {
  const uint8_t captureTimeId = config_.extensions.id(ExtensionKind::AbsCaptureTime);
  rtp::ExtensionReader reader = view.extensions();
  rtp::ExtensionElement element;
  while (reader.next(element)) {
    const uint8_t id = extensionIds_[element.id];
    if (id == 0 || (withoutDescriptor && element.id == sourceDescriptorId_)) continue;
    ByteSpan value = element.value;
    // "The sender's estimate of the offset between its own NTP clock and the capture system's": to
    // the peer we are the sender, and we have made none.
    if (id == captureTimeId && value.size() > kCaptureTimeSize)
      value = value.first(kCaptureTimeSize);
    writer.addRaw(id, value);
  }
}

void Subscription::rewritePayload(const PacketLayers& layers, const Rewrite& rewrite,
                                  uint8_t* payload) {
  if (layers.pictureId) putPictureId(layers, rewrite.pictureIdOffset, payload);
  if (layers.tl0PicIdx)
    payload[layers.tl0PicIdxAt] = static_cast<uint8_t>(*layers.tl0PicIdx + rewrite.tl0Offset);
}

/// That of the dependency descriptor, if there is one; `done` is told where it is.
void Subscription::rewriteFrameNumber(MutableByteSpan packet, const Rewrite& rewrite,
                                      WrittenHeader& done) const {
  const uint8_t id = sourceDescriptorId_ != 0 ? extensionIds_[sourceDescriptorId_] : uint8_t{0};
  if (id == 0) return;
  const MutableByteSpan descriptor = rtp::findExtension(packet, id);
  if (descriptor.size() < rtp::DependencyDescriptor::kMinSize) return;
  uint8_t* const at = descriptor.data() + rtp::DependencyDescriptor::kFrameNumberAt;
  done.frameNumber = loadU16(at);
  done.frameNumberAt = static_cast<uint16_t>(at - packet.data());
  storeU16(at, static_cast<uint16_t>(done.frameNumber + rewrite.frameOffset));
}

Subscription::Answer Subscription::repeat(uint16_t sequence, Publication& source, Duration rtt,
                                          Timestamp now, media::PreparedPacket& out) {
  const int64_t newest = sequences_.next() - 1;
  const int64_t number = newest - static_cast<uint16_t>(static_cast<uint16_t>(newest) - sequence);
  Sent& sent = sentAt(number);
  if (sent.out != number) {
    ++stats_.packetsNotCached;
    return Answer::Gone;
  }
  // The request may have crossed the repetition on its way.
  const Duration gate = rtt > Duration::zero() ? rtt : kUnknownRttGate;
  if (now - sent.last < gate) return Answer::Refused;
  const double gained = (now - budgetTime_).seconds() * kRepeatBytesPerSecond;
  repeatBudget_ = std::min(kRepeatBurst, repeatBudget_ + gained);
  budgetTime_ = now;
  if (repeatBudget_ <= 0) return Answer::Refused;
  const bool known = sent.encoding < source.encodings().size();
  const PacketBuf* const packet =
      known && !sent.isFiller ? source.encoding(sent.encoding).cache().find(sent.source) : nullptr;
  const auto view = packet != nullptr ? rtp::PacketView::parse(packet->span()) : std::nullopt;
  const auto isLegible = [&] {
    return view && view->ssrc() == sent.ssrc &&
           (kind_ == media::MediaKind::Audio ||
            source.isOfCodec(view->payloadType(), source.encoding(sent.encoding).codec()));
  };
  if (!sent.isFiller && !isLegible()) {
    ++stats_.packetsNotCached;
    return Answer::Gone;
  }
  sent.last = now;
  ++stats_.packetsRepeated;
  if (sent.isFiller) {
    // Nothing is missing; an empty packet says so.
    out.data = environment_.pool.allocate();
    if (!out.data) return Answer::Refused;
    rtp::PacketWriter writer(out.data,
                             {config_.payloadType, false, sequence, lastTimestamp_, config_.ssrc});
    writer.beginPayload();
    writer.finish(0);
    out.headerSize = static_cast<uint16_t>(writer.headerSize());
    return Answer::Written;
  }
  PacketLayers layers;
  if (kind_ == media::MediaKind::Video) source.encoding(sent.encoding).reread(*view, layers);
  if (!write(*view, layers, sent, out, nullptr)) return Answer::Refused;
  repeatBudget_ -= static_cast<double>(out.data.size());
  return Answer::Written;
}

}  // namespace parley::forwarding
