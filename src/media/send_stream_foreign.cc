// SendStream: packets that were made elsewhere, in place of frames.

#include <algorithm>
#include <iterator>

#include "parley/rtp/extensions/all.h"

#include "media/send_stream_impl.h"

namespace parley::media {
namespace {

/// With the trailer of SRTP, UDP, IPv6 and a TURN channel's header it is just below what Ethernet
/// carries. Cameras and encoders fill their packets to there, and nobody can cut those anew.
constexpr size_t kMaxPacket = 1430;

/// What tells about the content. The rest is of the way it takes, and the stream's own.
constexpr rtp::ExtensionKind kContent[] = {
    rtp::ExtensionKind::AudioLevel,           rtp::ExtensionKind::CsrcAudioLevel,
    rtp::ExtensionKind::AbsCaptureTime,       rtp::ExtensionKind::PlayoutDelay,
    rtp::ExtensionKind::VideoOrientation,     rtp::ExtensionKind::ContentType,
    rtp::ExtensionKind::VideoTiming,          rtp::ExtensionKind::ColorSpace,
    rtp::ExtensionKind::DependencyDescriptor, rtp::ExtensionKind::VideoLayersAllocation};

struct Carried {
  uint8_t id = 0;
  ByteSpan value;
};

}  // namespace

SendStream::Foreign SendStream::sendForeign(const ForeignPacket& foreign, Pacer& pacer,
                                            Timestamp now) {
  const rtp::PacketView& packet = foreign.packet;
  if (foreign.telephoneEvent && !config_.eventPayloadType) return Foreign::NoEvents;
  const PacketType type = config_.kind == MediaKind::Audio ? PacketType::Audio : PacketType::Video;
  InlineVector<Carried, std::size(kContent)> carried;
  bool needsTwoByte = false;
  for (const rtp::ExtensionKind kind : kContent) {
    const uint8_t theirs =
        foreign.extensions != nullptr ? foreign.extensions->id(kind) : uint8_t{0};
    const uint8_t ours = config_.extensions.id(kind);
    const auto value = theirs != 0 && ours != 0 ? packet.extension(theirs) : std::nullopt;
    if (!value) continue;
    needsTwoByte = needsTwoByte || value->empty() || value->size() > kOneByteMax;
    carried.push_back({ours, *value});
  }
  const auto form = needsTwoByte && config_.mixedForms ? rtp::ExtensionForm::TwoByte : form_;
  PacketBuf out = environment_.pool.allocate();
  if (!out || pacer.room(type) == 0) return Foreign::NoRoom;
  rtp::PacketHeader h = header({}, 0);
  h.marker = packet.marker();
  if (foreign.telephoneEvent) h.payloadType = *config_.eventPayloadType;
  InlineVector<uint32_t, 15> csrcs;
  for (size_t i = 0; i < packet.csrcCount(); ++i) csrcs.push_back(packet.csrc(i));
  rtp::PacketWriter writer(out, h, {csrcs.data(), csrcs.size()}, form);
  addExtensions(writer, {});
  // One that does not fit the form that was agreed on stays away; the packet does not.
  for (const Carried& extension : carried) (void)writer.addRaw(extension.id, extension.value);
  const MutableByteSpan room = writer.beginPayload();
  const ByteSpan payload = packet.payload();
  if (writer.headerSize() + payload.size() > kMaxPacket) return Foreign::TooLarge;
  std::copy(payload.begin(), payload.end(), room.begin());
  writer.finish(payload.size());
  // Last, for a number that is given to nothing would look like a loss.
  const bool begun = everSent() || foreign_.hasBegun();
  uint32_t clock = begun ? timestampAt(now) : timestampOffset_;
  if (begun && !isNewer(clock, lastTimestamp_))
    clock = lastTimestamp_ + static_cast<uint32_t>(config_.clockRate / 50);
  const auto numbers = foreign_.map(packet.ssrc(), packet.sequenceNumber(), packet.timestamp(),
                                    nextSequence_, lastTimestamp_, clock);
  if (!numbers) return Foreign::Late;
  rtp::setSequenceNumber(out.mutableSpan(), static_cast<uint16_t>(numbers->sequence));
  rtp::setTimestamp(out.mutableSpan(), numbers->timestamp);
  nextSequence_ = std::max(nextSequence_, numbers->sequence + 1);
  if (!begun || lastTimestamp_ != foreign_.newestTimestamp()) {
    lastTimestamp_ = foreign_.newestTimestamp();
    lastFrameTime_ = now;
  }
  if (packet.marker() || type == PacketType::Audio) ++stats_.framesSent;
  enqueue(std::move(out), numbers->sequence, type, pacer, now);
  return Foreign::Yes;
}

}  // namespace parley::media
