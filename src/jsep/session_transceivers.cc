// What the application does with transceivers. All but stopping one waits for the next negotiation.

#include <utility>

#include "parley/jsep/session.h"
#include "parley/jsep/transceivers.h"

namespace parley::jsep {
namespace {

Failure closedError() {
  return fail(ErrorCode::InvalidState, "the connection is closed");
}

sdp::MediaKind toSdp(MediaKind kind) {
  return kind == MediaKind::Audio ? sdp::MediaKind::Audio : sdp::MediaKind::Video;
}

sdp::Direction toSdp(TransceiverDirection direction) {
  return sdp::directionOf(sends(direction), receives(direction));
}

}  // namespace

void Session::drawSsrcs(TransceiverState& transceiver) {
  auto draw = [&] {
    uint32_t ssrc = 0;
    while (ssrc == 0) ssrc = environment_.random.u32();
    return ssrc;
  };
  for (Encoding& encoding : transceiver.sender.encodings) {
    if (encoding.ssrc == 0) encoding.ssrc = draw();
    if (transceiver.kind != sdp::MediaKind::Video) continue;
    if (encoding.rtxSsrc == 0) encoding.rtxSsrc = draw();
    if (encoding.fecSsrc == 0) encoding.fecSsrc = draw();
  }
}

Result<uint32_t> Session::addTrack(MediaKind kind, const std::string& trackId,
                                   std::vector<std::string> streams, Timestamp now) {
  clock_.clamp(now);
  if (closed_) return closedError();
  Result<std::vector<std::string>> ids = streamIds(std::move(streams));
  if (!ids) return fail(std::move(ids).error());
  const AddedTrack added = jsep::addTrack(state_, toSdp(kind), trackId, *ids);
  drawSsrcs(*state_.find(added.transceiver));
  return added.transceiver.value;
}

std::optional<uint32_t> Session::idleSender(MediaKind kind) const {
  const TransceiverState* idle = jsep::idleSender(state_, toSdp(kind));
  return idle ? std::optional(idle->id.value) : std::nullopt;
}

void Session::removeTrack(uint32_t transceiver, Timestamp now) {
  clock_.clamp(now);
  // A sender that has stopped has nothing to remove: the call is then without effect.
  if (!closed_) (void)jsep::removeTrack(state_, TransceiverId(transceiver));
}

Result<uint32_t> Session::addTransceiver(MediaKind kind, TransceiverDirection direction,
                                         std::vector<std::string> streams,
                                         const std::string& trackId, Timestamp now,
                                         const std::vector<std::string>& rids,
                                         std::vector<std::string> receiveRids, bool layersBySsrc) {
  clock_.clamp(now);
  if (closed_) return closedError();
  Result<std::vector<std::string>> ids = streamIds(std::move(streams));
  if (!ids) return fail(std::move(ids).error());
  TransceiverInit init;
  init.direction = toSdp(direction);
  init.hasTrack = !trackId.empty();
  init.trackId = init.hasTrack ? trackId : environment_.random.uuid();
  init.streams = *std::move(ids);
  init.receiveRids = std::move(receiveRids);
  init.layersBySsrc = layersBySsrc;
  if (!rids.empty()) init.encodings.clear();
  for (const std::string& rid : rids) init.encodings.push_back(Encoding{rid, 0, 0});
  const TransceiverId id = jsep::addTransceiver(state_, toSdp(kind), init);
  drawSsrcs(*state_.find(id));
  return id.value;
}

void Session::setSenderHasTrack(uint32_t transceiver, bool hasTrack) {
  if (TransceiverState* state = state_.find(TransceiverId(transceiver)))
    state->sender.hasTrack = hasTrack;
}

void Session::setHeaderExtensions(uint32_t transceiver,
                                  std::vector<HeaderExtensionChoice> choices) {
  if (TransceiverState* state = state_.find(TransceiverId(transceiver)))
    state->headerExtensions = std::move(choices);
}

Result<void> Session::setStreams(uint32_t transceiver, std::vector<std::string> streams,
                                 Timestamp now) {
  clock_.clamp(now);
  if (closed_) return closedError();
  Result<std::vector<std::string>> ids = streamIds(std::move(streams));
  if (!ids) return fail(std::move(ids).error());
  if (TransceiverState* state = state_.find(TransceiverId(transceiver)))
    state->sender.streams = *std::move(ids);
  return ok();
}

Result<void> Session::setDirection(uint32_t transceiver, TransceiverDirection direction,
                                   Timestamp now) {
  clock_.clamp(now);
  if (closed_) return closedError();
  if (direction == TransceiverDirection::Stopped) {
    return fail(ErrorCode::Type, "use stop() to stop a transceiver");
  }
  Result<void> result = jsep::setDirection(state_, TransceiverId(transceiver), toSdp(direction));
  return result;
}

void Session::stopTransceiver(uint32_t transceiver, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  jsep::stopTransceiver(state_, TransceiverId(transceiver));
  // W3C "stop sending and receiving": media ends now, with an RTCP BYE; the section goes with the
  // next negotiation.
  removeMedia({TransceiverId(transceiver)}, now);
  pump(now);
}

Result<void> Session::setCodecPreferences(uint32_t transceiver,
                                          const std::vector<sdp::CodecParams>& codecs,
                                          Timestamp now) {
  clock_.clamp(now);
  if (closed_) return closedError();
  return jsep::setCodecPreferences(state_, capabilities_, TransceiverId(transceiver), codecs);
}

}  // namespace parley::jsep
