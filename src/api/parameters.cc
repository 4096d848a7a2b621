// RTCRtpSender.getParameters and setParameters, and what a sender is told about its encoding.

#include <utility>

#include "api/configuration_check.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {

const jsep::TransceiverState* PeerConnectionCore::transceiver(uint32_t id) {
  jsep::Session* session = this->session();
  return session ? session->transceiver(id) : nullptr;
}

std::vector<uint32_t> PeerConnectionCore::transceiverIds() {
  std::vector<uint32_t> out;
  if (jsep::Session* session = this->session()) {
    for (const jsep::TransceiverState& t : session->state().transceivers) {
      // W3C 4.4.1.1: stopped transceivers leave the set once negotiated so.
      if (t.stopped) continue;
      out.push_back(t.id.value);
      // W3C 5.3: a receiver has its track from the beginning, also one that a remote description
      // made.
      ensureReceiver(out.back(),
                     t.kind == sdp::MediaKind::Audio ? MediaKind::Audio : MediaKind::Video);
    }
  }
  return out;
}

void PeerConnectionCore::setEncoding(uint32_t transceiver, const RtpEncodingParameters& encoding) {
  encodings_[transceiver] = encoding;
  loop_->media().setEncoding(*this, transceiver, encoding);
  if (session()) session()->setMaxSendBitrate(transceiver, encoding.maxBitrate, loop_->now());
}

RtpSendParameters PeerConnectionCore::sendParameters(uint32_t id) {
  RtpSendParameters out;
  const jsep::TransceiverState* state = transceiver(id);
  if (!state) return out;
  const MediaKind kind = state->kind == sdp::MediaKind::Audio ? MediaKind::Audio : MediaKind::Video;
  out.transactionId = loop_->endpoint().environment().random.uuid();
  transactionIds_[id] = out.transactionId;
  out.encodings = {encodings_[id]};
  for (const sdp::CodecParams& codec : state->negotiated.media.sendCodecs)
    out.codecs.push_back(fromSdp(codec, kind));
  if (session()) out.cname = session()->state().cname;
  return out;
}

Result<void> PeerConnectionCore::setSendParameters(uint32_t id,
                                                   const RtpSendParameters& parameters) {
  const jsep::TransceiverState* state = transceiver(id);
  if (!state || state->stopped || state->stopping) {
    return fail(ErrorCode::InvalidState, "the transceiver has stopped");
  }
  const auto last = transactionIds_.find(id);
  if (last == transactionIds_.end()) {
    return fail(ErrorCode::InvalidState, "call getParameters() first and change what it gives");
  }
  if (parameters.transactionId != last->second) {
    return fail(ErrorCode::InvalidModification,
                "these parameters are not the ones of the latest getParameters()");
  }
  if (parameters.encodings.size() != 1 || parameters.encodings[0].rid != encodings_[id].rid) {
    return fail(ErrorCode::InvalidModification,
                "the number of encodings and their rids cannot be changed");
  }
  if (Result<void> checked = checkEncodings(parameters.encodings); !checked) return checked;
  transactionIds_.erase(last);
  setEncoding(id, parameters.encodings[0]);
  return ok();
}

RtpReceiveParameters PeerConnectionCore::receiveParameters(uint32_t id) {
  RtpReceiveParameters out;
  const jsep::TransceiverState* state = transceiver(id);
  if (!state) return out;
  const MediaKind kind = state->kind == sdp::MediaKind::Audio ? MediaKind::Audio : MediaKind::Video;
  for (const sdp::CodecParams& codec : state->negotiated.media.receiveCodecs) {
    out.codecs.push_back(fromSdp(codec, kind));
  }
  return out;
}

}  // namespace parley::api_internal
