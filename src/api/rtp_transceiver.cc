#include "parley/api/rtp_transceiver.h"

#include <utility>

#include "api/configuration_check.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;

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
  if (core_->closed()) return;
  const Timestamp now = core_->loop().now();
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  Result<void> result = ok();
  if (!state || state->stopped || state->stopping) {
    result = fail(ErrorCode::InvalidState, "the transceiver has stopped");
  } else if (track && track.kind() != core_->receiverTrack(transceiver_)->kind) {
    result = fail(ErrorCode::Type, "the new track is of the other kind");
  } else {
    core_->setSenderTrack(transceiver_, track.core());
    core_->session()->setSenderHasTrack(transceiver_, static_cast<bool>(track));
  }
  core_->afterCall(now);
  core_->complete(std::move(done), std::move(result));
}

RtpSendParameters RtpSender::getParameters() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->sendParameters(transceiver_);
}

void RtpSender::setParameters(RtpSendParameters parameters,
                              std::function<void(Result<void>)> done) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return;
  const Timestamp now = core_->loop().now();
  Result<void> result = core_->setSendParameters(transceiver_, parameters);
  core_->afterCall(now);
  core_->complete(std::move(done), std::move(result));
}

void RtpSender::setStreams(std::vector<std::string> streams) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return;
  const Timestamp now = core_->loop().now();
  core_->session()->setStreams(transceiver_, std::move(streams), now);
  core_->afterCall(now);
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
