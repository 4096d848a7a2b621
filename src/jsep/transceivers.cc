#include "parley/jsep/transceivers.h"

#include <algorithm>

namespace parley::jsep {
namespace {

/// RFC 8830 section 2 has tokens of 64 characters; what is wider than that passes by readers that
/// split at blanks, as all do.
bool isStreamId(const std::string& id) {
  constexpr size_t kMaxBytes = 256;
  return !id.empty() && id.size() <= kMaxBytes && id != "-" &&
         std::all_of(id.begin(), id.end(), [](char c) {
           const auto u = static_cast<unsigned char>(c);
           return u > 0x20 && u != 0x7F;
         });
}

}  // namespace

Result<std::vector<std::string>> streamIds(std::vector<std::string> ids) {
  std::vector<std::string> once;
  for (std::string& id : ids) {
    if (!isStreamId(id)) {
      return fail(ErrorCode::Type,
                  "a stream id is 1 to 256 characters without blanks, and not \"-\": SDP could "
                  "not carry another");
    }
    if (std::find(once.begin(), once.end(), id) == once.end()) once.push_back(std::move(id));
  }
  if (once.size() > sdp::Bounds::kListItems)
    return fail(ErrorCode::Type, "a track belongs to at most 64 streams");
  return once;
}

TransceiverId addTransceiver(SessionState& state, sdp::MediaKind kind,
                             const TransceiverInit& init) {
  TransceiverState t;
  t.id = TransceiverId(state.nextTransceiverId++);
  t.kind = kind;
  t.direction = init.direction;
  t.sender.trackId = init.trackId;
  t.sender.streams = init.streams;
  t.sender.hasTrack = init.hasTrack;
  t.sender.encodings = init.encodings;
  t.receiveRids = init.receiveRids;
  t.sender.layersBySsrc = init.layersBySsrc && init.encodings.size() > 1;
  state.transceivers.push_back(std::move(t));
  return state.transceivers.back().id;
}

const TransceiverState* idleSender(const SessionState& state, sdp::MediaKind kind) {
  const auto it = std::find_if(state.transceivers.begin(), state.transceivers.end(),
                               [kind](const TransceiverState& t) {
                                 return t.kind == kind && !t.sender.hasTrack && !t.stopping &&
                                        !t.stopped && !t.sender.hasSent;
                               });
  return it == state.transceivers.end() ? nullptr : &*it;
}

AddedTrack addTrack(SessionState& state, sdp::MediaKind kind, const std::string& trackId,
                    const std::vector<std::string>& streams, const Encoding& encoding) {
  if (const TransceiverState* idle = idleSender(state, kind)) {
    TransceiverState& t = *state.find(idle->id);
    t.sender.hasTrack = true;
    t.sender.streams = streams;
    if (t.sender.trackId.empty()) t.sender.trackId = trackId;
    t.direction = sdp::directionOf(true, sdp::receives(t.direction));
    t.keptByAddTrack = true;
    return {t.id, true};
  }
  TransceiverInit init;
  init.trackId = trackId;
  init.hasTrack = true;
  init.streams = streams;
  init.encodings = {encoding};
  const TransceiverId id = addTransceiver(state, kind, init);
  state.transceivers.back().fromAddTrack = true;
  return {id, false};
}

Result<void> removeTrack(SessionState& state, TransceiverId id) {
  TransceiverState* t = state.find(id);
  if (t == nullptr)
    return fail(ErrorCode::InvalidAccess, "the sender does not belong to this connection");
  if (t->stopping || t->stopped || !t->sender.hasTrack) return ok();
  t->sender.hasTrack = false;
  t->direction = sdp::directionOf(false, sdp::receives(t->direction));
  return ok();
}

Result<void> setDirection(SessionState& state, TransceiverId id, sdp::Direction direction) {
  TransceiverState* t = state.find(id);
  if (t == nullptr || t->stopping || t->stopped) {
    return fail(ErrorCode::InvalidState, "the transceiver is stopped");
  }
  t->direction = direction;
  return ok();
}

void stopTransceiver(SessionState& state, TransceiverId id) {
  if (TransceiverState* t = state.find(id)) t->stopping = true;
}

Result<void> setCodecPreferences(SessionState& state, const LocalCapabilities& capabilities,
                                 TransceiverId id, const std::vector<sdp::CodecParams>& codecs) {
  TransceiverState* t = state.find(id);
  if (t == nullptr) return fail(ErrorCode::InvalidState, "the transceiver is stopped");
  const std::vector<sdp::CodecParams>& known =
      t->kind == sdp::MediaKind::Audio ? capabilities.audioCodecs : capabilities.videoCodecs;
  std::vector<sdp::CodecParams> list;
  bool primary = false;
  for (const sdp::CodecParams& codec : codecs) {
    const auto same = [&](const sdp::CodecParams& c) { return sdp::sameFormat(c, codec); };
    if (std::none_of(known.begin(), known.end(), same)) {
      return fail(ErrorCode::InvalidModification,
                  "codec '" + codec.name + "' is not among the capabilities");
    }
    if (std::any_of(list.begin(), list.end(), same)) continue;
    primary = primary || !codec.isAuxiliary();
    list.push_back(codec);
  }
  if (!list.empty() && !primary) {
    return fail(ErrorCode::InvalidModification,
                "preferences need a codec besides rtx, red and FEC");
  }
  t->codecPreferences = std::move(list);
  return ok();
}

void restartIce(SessionState& state) {
  for (const auto* d : {&state.currentLocal, &state.pendingLocal}) {
    if (!*d) continue;
    for (const sdp::MediaDescription& m : (*d)->sdp.media) {
      const auto t = (*d)->sdp.transportOf(m);
      if (!t.iceUfrag || !t.icePwd) continue;
      const IceCredentials credentials{*t.iceUfrag, *t.icePwd};
      auto& list = state.iceToReplace;
      if (std::find(list.begin(), list.end(), credentials) == list.end())
        list.push_back(credentials);
    }
  }
}

}  // namespace parley::jsep
