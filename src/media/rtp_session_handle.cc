// RtpSession: the handle that users hold; everything is in its Impl.

#include "media/rtp_session_impl.h"

namespace parley::media {

RtpSession::RtpSession(const Environment& environment, const RtpSessionConfig& config)
    : impl_(std::make_unique<Impl>(environment, config)) {}
RtpSession::~RtpSession() = default;

void RtpSession::reconfigure(const RtpSessionConfig& config, Timestamp now) {
  impl_->reconfigure(config, now);
}
Result<SendStreamId> RtpSession::addSendStream(const SendStreamConfig& config, Timestamp now) {
  return impl_->addSendStream(config, now);
}
Result<void> RtpSession::updateSendStream(SendStreamId id, const SendStreamConfig& config,
                                          Timestamp now) {
  return impl_->updateSendStream(id, config, now);
}
void RtpSession::removeSendStream(SendStreamId id, Timestamp now) {
  impl_->removeSendStream(id, now);
}
void RtpSession::setReceiver(const ReceiveConfig& config, Timestamp now) {
  impl_->setReceiver(config, now);
}
void RtpSession::removeReceiver(ReceiverId id, Timestamp now) {
  impl_->removeReceiver(id, now);
}
void RtpSession::setMinimumPlayoutDelay(ReceiverId id, Duration delay) {
  impl_->hub().setMinimumDelay(id, delay);
}
void RtpSession::setNetworkAvailable(bool available, Timestamp now) {
  impl_->setNetworkAvailable(available, now);
}
void RtpSession::onRouteChange(Timestamp now, std::optional<DataRate> known) {
  impl_->onRouteChange(now, known);
}
void RtpSession::onDataTransfer(int64_t bytesSent, int64_t bytesAcked, bool waiting,
                                Timestamp now) {
  impl_->onDataTransfer(bytesSent, bytesAcked, waiting, now);
}
DataRate RtpSession::dataRate(Timestamp now) const {
  return impl_->dataRate(now);
}
void RtpSession::reportEstimates(bool wanted) {
  impl_->reportEstimates(wanted);
}
void RtpSession::setMaxPacketSize(size_t bytes) {
  impl_->setMaxPacketSize(bytes);
}
void RtpSession::close(Timestamp now) {
  impl_->close(now);
}
Result<void> RtpSession::sendVideo(SendStreamId id, const codec::EncodedVideoFrame& frame,
                                   Timestamp now) {
  return impl_->sendVideo(id, frame, now);
}
Result<void> RtpSession::sendAudio(SendStreamId id, const codec::EncodedAudioFrame& frame,
                                   Timestamp now) {
  return impl_->sendAudio(id, frame, now);
}
Result<void> RtpSession::sendTone(SendStreamId id, uint8_t event, Duration duration,
                                  Timestamp now) {
  return impl_->sendTone(id, event, duration, now);
}
Result<void> RtpSession::sendForeign(SendStreamId id, const ForeignPacket& packet, Timestamp now) {
  return impl_->sendForeign(id, packet, now);
}
void RtpSession::sendPackets(SendStreamId id, std::span<PreparedPacket> packets, Timestamp now) {
  impl_->sendPackets(id, packets, now);
}
std::optional<SentPosition> RtpSession::sentPosition(SendStreamId id, Timestamp now) const {
  const SendStream* stream = impl_->find(id.value);
  return stream != nullptr ? stream->position(now) : std::nullopt;
}
void RtpSession::requestKeyFrameOf(uint32_t ssrc, Timestamp now) {
  impl_->requestKeyFrameOf(ssrc, now);
}
bool RtpSession::pollPacket(ReceivedPacket& out) {
  return impl_->hub().pollPacket(out);
}
const ReceiveConfig* RtpSession::receiver(ReceiverId id) const {
  return impl_->hub().receiver(id);
}
bool RtpSession::pollMissing(MissingPacket& out) {
  return impl_->pollMissing(out);
}
void RtpSession::requestKeyFrame(ReceiverId id, Timestamp now) {
  impl_->requestKeyFrame(id, now);
}
void RtpSession::decoderLostState(ReceiverId id, Timestamp now) {
  impl_->decoderLostState(id, now);
}
void RtpSession::handleRtp(PacketBuf packet, Timestamp now, Ecn ecn) {
  impl_->handleRtp(std::move(packet), now, ecn);
}
void RtpSession::handleRtcp(ByteSpan packet, Timestamp now) {
  impl_->handleRtcp(packet, now);
}
void RtpSession::advance(Timestamp now) {
  impl_->advance(now);
}
Timestamp RtpSession::nextDeadline() const {
  return impl_->nextDeadline();
}
bool RtpSession::pollTransmit(OutgoingPacket& out) {
  return impl_->pollTransmit(out);
}
bool RtpSession::pollEvent(RtpEvent& out) {
  return impl_->pollEvent(out);
}
bool RtpSession::pollFrame(ReceivedFrame& out) {
  return impl_->hub().pollFrame(out);
}
bool RtpSession::pollAudio(AudioPlayoutUnit& out) {
  return impl_->hub().pollAudio(out);
}
void RtpSession::sendStats(std::vector<SendStreamStats>& out) const {
  for (const auto& stream : impl_->streams()) {
    out.push_back(stream->stats());
    out.back().requestedLimit = stream->requestedLimit();
    if (impl_->peerReportsRfc8888() && !out.back().congestionReports)
      out.back().congestionReports.emplace();
  }
}
void RtpSession::receiveStats(std::vector<InboundStats>& out) const {
  impl_->hub().stats(out);
}
void RtpSession::sources(ReceiverId id, Timestamp now, std::vector<RtpSource>& out) const {
  impl_->hub().sources(id, now, out);
}
BandwidthStats RtpSession::bandwidth() const {
  return impl_->bandwidth();
}
const RtpSessionDrops& RtpSession::drops() const {
  return impl_->drops();
}
std::optional<ReceiverId> RtpSession::receiverOf(uint32_t ssrc) const {
  return impl_->hub().receiverOf(ssrc);
}
const SendStreamConfig* RtpSession::sendStream(SendStreamId id) const {
  const SendStream* stream = impl_->find(id.value);
  return stream != nullptr ? &stream->config() : nullptr;
}
uint32_t RtpSession::timestampOffset(SendStreamId id) const {
  const SendStream* stream = impl_->find(id.value);
  return stream != nullptr ? stream->timestampOffset() : 0;
}

}  // namespace parley::media
