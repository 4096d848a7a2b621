// ReceiveHub: the handle that users hold; everything is in its Impl.

#include <utility>

#include "media/receive_hub_impl.h"

namespace parley::media {

ReceiveHub::ReceiveHub(const Environment& environment)
    : impl_(std::make_unique<Impl>(environment)) {}
ReceiveHub::~ReceiveHub() = default;

void ReceiveHub::setReceiver(const ReceiveConfig& config) {
  impl_->setReceiver(config);
}
void ReceiveHub::removeReceiver(ReceiverId id) {
  impl_->removeReceiver(id);
}
void ReceiveHub::setRtt(Duration rtt) {
  impl_->setRtt(rtt);
}
void ReceiveHub::setMinimumDelay(ReceiverId id, Duration delay) {
  impl_->setMinimumDelay(id, delay);
}
void ReceiveHub::setArrivalFeedback(ArrivalFeedback mode) {
  if (mode == impl_->mode_) return;
  impl_->mode_ = mode;
  impl_->twcc_.reset();
  impl_->ccfb_.reset();
}

void ReceiveHub::handleRtp(PacketBuf packet, const rtp::PacketView& view, Ecn ecn, Timestamp now) {
  impl_->handleRtp(std::move(packet), view, ecn, now);
}
void ReceiveHub::handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now) {
  impl_->handleSenderReport(report, now);
}
void ReceiveHub::noteRoundTrip(Duration rtt) {
  for (auto& stream : impl_->router_.streams()) stream->noteRoundTrip(rtt);
}
void ReceiveHub::handleBye(uint32_t ssrc, Timestamp now) {
  impl_->handleBye(ssrc, now);
}
void ReceiveHub::requestKeyFrame(ReceiverId id, Timestamp now) {
  impl_->requestKeyFrame(id, now);
}
void ReceiveHub::decoderLostState(ReceiverId id, Timestamp now) {
  impl_->decoderLostState(id, now);
}
const ReceiveConfig* ReceiveHub::receiver(ReceiverId id) const {
  const ReceiveRouter::Receiver* found = impl_->router_.receiver(id);
  return found ? &found->config : nullptr;
}
void ReceiveHub::requestKeyFrameOf(uint32_t ssrc, Timestamp now) {
  now = impl_->clock_.clamp(now);
  if (ReceiveStream* stream = impl_->router_.streamOf(ssrc)) stream->requestKeyFrame(now);
}
void ReceiveHub::advance(Timestamp now) {
  impl_->advance(now);
}
Timestamp ReceiveHub::nextDeadline() const {
  return impl_->nextDeadline();
}

bool ReceiveHub::pollFrame(ReceivedFrame& out) {
  return impl_->pollStreams([&out](ReceiveStream& stream) {
    return stream.kind() == MediaKind::Video && !stream.handsOnPackets() &&
           static_cast<VideoReceiveStream&>(stream).pollFrame(out);
  });
}
bool ReceiveHub::pollPacket(ReceivedPacket& out) {
  return impl_->pollStreams([&out](ReceiveStream& stream) {
    return stream.handsOnPackets() && static_cast<ForwardReceiveStream&>(stream).pollPacket(out);
  });
}
bool ReceiveHub::pollAudio(AudioPlayoutUnit& out) {
  return impl_->pollStreams([&out](ReceiveStream& stream) {
    return stream.kind() == MediaKind::Audio && !stream.handsOnPackets() &&
           static_cast<AudioReceiveStream&>(stream).pollAudio(out);
  });
}
bool ReceiveHub::pollTone(ToneEvent& out) {
  return impl_->pollStreams([&out](ReceiveStream& stream) {
    return stream.kind() == MediaKind::Audio && !stream.handsOnPackets() &&
           static_cast<AudioReceiveStream&>(stream).pollTone(out);
  });
}
bool ReceiveHub::pollFeedback(FeedbackRequest& out) {
  return impl_->pollStreams([&out](ReceiveStream& stream) { return stream.pollFeedback(out); });
}
bool ReceiveHub::pollEvent(SourceEvent& out) {
  return impl_->events_.pop(out);
}
bool ReceiveHub::pollRateReport(RateReport& out) {
  return impl_->pollRateReport(out);
}
size_t ReceiveHub::pollArrivalFeedback(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes) {
  return impl_->pollArrivalFeedback(w, senderSsrc, maxBytes);
}
void ReceiveHub::takeReportBlocks(Timestamp now, size_t max,
                                  std::vector<rtp::rtcp::ReportBlock>& out) {
  impl_->takeReportBlocks(now, max, out);
}

void ReceiveHub::stats(std::vector<InboundStats>& out) const {
  const auto& streams = impl_->router_.streams();
  out.resize(streams.size());
  for (size_t i = 0; i < streams.size(); ++i) {
    streams[i]->fillStats(out[i]);
    if (impl_->mode_ != ArrivalFeedback::Rfc8888 || out[i].packetsReportedAsLost) continue;
    out[i].packetsReportedAsLost = out[i].packetsReportedAsLostButRecovered = 0;
  }
}
void ReceiveHub::sources(ReceiverId id, Timestamp now, std::vector<RtpSource>& out) const {
  impl_->sources_.list(id, now, out);
}
size_t ReceiveHub::bufferedFrameBytes() const {
  return impl_->held_.frameBytes;
}
uint64_t ReceiveHub::unroutedPackets() const {
  return impl_->unrouted_;
}
std::optional<ReceiverId> ReceiveHub::receiverOf(uint32_t ssrc) const {
  const ReceiveStream* stream = impl_->router_.streamOf(ssrc);
  return stream ? std::optional(stream->receiver()) : std::nullopt;
}

}  // namespace parley::media
