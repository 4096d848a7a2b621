// Media that is given to be sent: frames, tones, packets that are ready.

#include <algorithm>
#include <string>
#include <utility>

#include "parley/rtp/extensions/all.h"

#include "media/rtp_session_impl.h"

namespace parley::media {
namespace {

/// So much too early the controller has its turn when packets are sent: a wake-up for it alone
/// costs more than it does.
constexpr Duration kAlong = Duration::millis(20);

Result<void> unavailable(const SendStream& stream) {
  if (!stream.stopped()) return fail(ErrorCode::InvalidState, "the transport is not connected");
  return fail(ErrorCode::InvalidState, std::string("the circuit breaker has stopped the stream: ") +
                                           toString(*stream.stopped()));
}

}  // namespace

Result<void> RtpSession::Impl::refuse(SendStream& stream, SendStream::Accepted accepted,
                                      Timestamp now) {
  switch (accepted) {
    case SendStream::Accepted::Yes:
      return ok();
    case SendStream::Accepted::Unfit:
      if (stream.awaitsKeyFrame()) wantKeyFrame(stream, now);
      return fail(ErrorCode::Type,
                  "the frame is empty, not of this stream's kind, or cannot be cut into packets");
    case SendStream::Accepted::NoRoom:
    case SendStream::Accepted::AwaitingKeyFrame:
      break;
  }
  wantKeyFrame(stream, now);
  return fail(ErrorCode::ResourceExhausted, "the frame was dropped: send a key frame next");
}

Result<void> RtpSession::Impl::sendVideo(SendStreamId id, const codec::EncodedVideoFrame& frame,
                                         Timestamp now) {
  now = clock_.clamp(now);
  SendStream* stream = find(id.value);
  if (stream == nullptr) return fail(ErrorCode::NotFound, "no such send stream");
  if (!available_ || stream->stopped()) {
    stream->skipToKeyFrame();
    return unavailable(*stream);
  }
  const int width = stream->stats().frameWidth;
  tellPath(*stream, now);
  const auto accepted = stream->sendVideo(frame, pacer_, now);
  // How much the layers of simulcast can use follows from the sizes of their pictures.
  if (stream->config().layer && width != stream->stats().frameWidth) describeStreams(now);
  settle(now);
  return refuse(*stream, accepted, now);
}

Result<void> RtpSession::Impl::sendAudio(SendStreamId id, const codec::EncodedAudioFrame& frame,
                                         Timestamp now) {
  now = clock_.clamp(now);
  SendStream* stream = find(id.value);
  if (stream == nullptr) return fail(ErrorCode::NotFound, "no such send stream");
  if (!available_ || stream->stopped()) return unavailable(*stream);
  tellPath(*stream, now);
  const auto accepted = stream->sendAudio(frame, pacer_, now);
  settle(now);
  if (accepted == SendStream::Accepted::NoRoom)
    return fail(ErrorCode::ResourceExhausted, "the packet was dropped: too much is waiting");
  return refuse(*stream, accepted, now);
}

Result<void> RtpSession::Impl::sendTone(SendStreamId id, uint8_t event, Duration duration,
                                        Timestamp now) {
  now = clock_.clamp(now);
  SendStream* stream = find(id.value);
  if (stream == nullptr) return fail(ErrorCode::NotFound, "no such send stream");
  if (!available_ || stream->stopped()) return unavailable(*stream);
  if (!stream->config().eventPayloadType)
    return fail(ErrorCode::NotSupported, "no payload type for telephone events is agreed");
  stream->startTone(event, duration, now);
  return ok();
}

Result<void> RtpSession::Impl::sendForeign(SendStreamId id, const ForeignPacket& packet,
                                           Timestamp now) {
  now = clock_.clamp(now);
  SendStream* const stream = find(id.value);
  if (stream == nullptr) return fail(ErrorCode::NotFound, "no such send stream");
  if (!available_ || stream->stopped()) return unavailable(*stream);
  if (!stream->config().active || stream->config().takesPackets)
    return fail(ErrorCode::InvalidState, "the stream is inactive or sends for a forwarder");
  const SendStream::Foreign taken = stream->sendForeign(packet, pacer_, now);
  settle(now);
  switch (taken) {
    case SendStream::Foreign::Yes:
      return ok();
    case SendStream::Foreign::Late:
      ++drops_.foreign;
      return ok();
    case SendStream::Foreign::NoEvents:
      return fail(ErrorCode::NotSupported, "no payload type for telephone events is agreed");
    case SendStream::Foreign::TooLarge:
      return fail(ErrorCode::Range, "the packet is too large for the way through the network");
    case SendStream::Foreign::NoRoom:
      break;
  }
  wantKeyFrame(*stream, now);
  return fail(ErrorCode::ResourceExhausted, "the packet was dropped: too much is waiting");
}

void RtpSession::Impl::sendPackets(SendStreamId id, std::span<PreparedPacket> packets,
                                   Timestamp now) {
  now = clock_.clamp(now);
  SendStream* const stream = find(id.value);
  if (stream == nullptr || !available_ || !stream->config().takesPackets || stream->stopped()) {
    drops_.forwarded += packets.size();
    return;
  }
  const PacketType type =
      stream->config().kind == MediaKind::Audio ? PacketType::Audio : PacketType::Video;
  for (PreparedPacket& packet : packets) {
    if (!packet.isRepetition && stream->fits(packet) &&
        pacer_.pass(type, static_cast<int64_t>(packet.data.size()), now)) {
      sendAtOnce(*stream, std::move(packet), type, now);
    } else if (stream->sendPacket(std::move(packet.data), packet.isRepetition, pacer_, now) !=
               SendStream::Accepted::Yes) {
      ++drops_.forwarded;
    }
  }
  if (controller_->nextDeadline() <= now + kAlong)
    applyUpdate(controller_->onProcess({now, pacer_.queuedBytes()}), now);
  // Nothing was received, so there is nothing to report.
  if (!pacer_.isIdle()) pump(now);
}

void RtpSession::Impl::sendAtOnce(SendStream& stream, PreparedPacket packet, PacketType type,
                                  Timestamp now) {
  uint8_t* const bytes = packet.data.data();
  if (packet.sendTimeAt != 0)
    rtp::AbsSendTime::write(rtp::AbsSendTime::fromTimestamp(now), bytes + packet.sendTimeAt);
  bool counted = config_.peerReportsRfc8888;
  if (packet.transportSequenceAt != 0 && !counted) {
    storeU16(bytes + packet.transportSequenceAt, adapter_.nextSequence());
    counted = true;
  }
  stream.onSentPrepared(packet, now);
  leave(stream, std::move(packet.data), type, -1, counted, now);
}

}  // namespace parley::media
