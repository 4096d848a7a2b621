#include "parley/api/rtp_transceiver.h"

#include <utility>

#include "api/configuration_check.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;
using api_internal::Step;

namespace {

Failure closedError() {
  return fail(ErrorCode::InvalidState, "the connection is closed");
}

}  // namespace

MediaStreamTrack RtpSender::track() const {
  const LoopCore::Lock lock(core_->loop());
  return MediaStreamTrack(core_->senderTrack(transceiver_));
}

void RtpSender::replaceTrack(MediaStreamTrack track, std::function<void(Result<void>)> done) {
  const LoopCore::Lock lock(core_->loop());
  PeerConnectionCore* self = core_.get();
  const uint32_t id = transceiver_;
  if (track && track.kind() != self->receiverTrack(id)->kind) {
    self->settle<void>(std::move(done),
                       fail(ErrorCode::Type, "the new track is of the other kind"));
    return;
  }
  const auto stopped = [self, id]() -> Result<void> {
    const jsep::TransceiverState* state = self->transceiver(id);
    if (state && !state->stopped && !state->stopping) return ok();
    return fail(ErrorCode::InvalidState, "the transceiver has stopped");
  };
  self->chain<void>(std::move(done), stopped, [self, id, track, stopped](Step&) {
    Result<void> result = stopped();
    if (!result) return result;
    self->setSenderTrack(id, track.core());
    self->session()->setSenderHasTrack(id, static_cast<bool>(track));
    self->afterCall(self->loop().now());
    return result;
  });
  self->loop().wake();
}

RtpSendParameters RtpSender::getParameters() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->sendParameters(transceiver_);
}

void RtpSender::setParameters(RtpSendParameters parameters,
                              std::function<void(Result<void>)> done) {
  const LoopCore::Lock lock(core_->loop());
  Result<void> result = core_->setSendParameters(transceiver_, parameters);
  core_->settle<void>(std::move(done), std::move(result));
}

void RtpSender::setStreams(std::vector<std::string> streams) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return;
  const Timestamp now = core_->loop().now();
  core_->session()->setStreams(transceiver_, std::move(streams), now);
  core_->updateNegotiationNeeded();
  core_->afterCall(now);
}

namespace {

DtlsTransport transportOf(const std::shared_ptr<PeerConnectionCore>& core, uint32_t id) {
  const LoopCore::Lock lock(core->loop());
  const jsep::TransceiverState* state = core->transceiver(id);
  return state && state->negotiated.mid ? DtlsTransport(core) : DtlsTransport();
}

}  // namespace

DtlsTransport RtpSender::transport() const {
  return transportOf(core_, transceiver_);
}
DtlsTransport RtpReceiver::transport() const {
  return transportOf(core_, transceiver_);
}

MediaStreamTrack RtpReceiver::track() const {
  const LoopCore::Lock lock(core_->loop());
  return MediaStreamTrack(core_->receiverTrack(transceiver_));
}

RtpReceiveParameters RtpReceiver::getParameters() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->receiveParameters(transceiver_);
}

void RtpReceiver::requestKeyFrame() {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return;
  const Timestamp now = core_->loop().now();
  core_->session()->requestKeyFrame(transceiver_, now);
  core_->afterCall(now);
}

std::optional<std::string> RtpTransceiver::mid() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  return state ? state->negotiated.mid : std::nullopt;
}

MediaKind RtpTransceiver::kind() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->receiverTrack(transceiver_)->kind;
}

RtpSender RtpTransceiver::sender() const {
  return RtpSender(core_, transceiver_);
}
RtpReceiver RtpTransceiver::receiver() const {
  return RtpReceiver(core_, transceiver_);
}

TransceiverDirection RtpTransceiver::direction() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  if (!state || state->stopped || state->stopping) return TransceiverDirection::Stopped;
  return api_internal::fromSdp(state->direction);
}

Result<void> RtpTransceiver::setDirection(TransceiverDirection direction) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const Timestamp now = core_->loop().now();
  Result<void> result = core_->session()->setDirection(transceiver_, direction, now);
  if (result) core_->updateNegotiationNeeded();
  core_->afterCall(now);
  return result;
}

std::optional<TransceiverDirection> RtpTransceiver::currentDirection() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  if (!state || state->stopped) return TransceiverDirection::Stopped;
  if (!state->negotiated.currentDirection) return std::nullopt;
  return api_internal::fromSdp(*state->negotiated.currentDirection);
}

bool RtpTransceiver::stopped() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  return !state || state->stopped;
}

Result<void> RtpTransceiver::stop() {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const Timestamp now = core_->loop().now();
  core_->session()->stopTransceiver(transceiver_, now);
  core_->loop().media().stopSender(*core_, transceiver_);
  core_->loop().media().stopReceiver(*core_, transceiver_);
  core_->endReceiverTrack(transceiver_);
  core_->updateNegotiationNeeded();
  core_->afterCall(now);
  return ok();
}

Result<void> RtpTransceiver::setCodecPreferences(std::vector<RtpCodec> codecs) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const Timestamp now = core_->loop().now();
  Result<void> result =
      core_->session()->setCodecPreferences(transceiver_, api_internal::toPreferences(codecs), now);
  core_->afterCall(now);
  return result;
}

}  // namespace parley
