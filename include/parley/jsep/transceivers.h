#pragma once

#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/jsep/capabilities.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

/// What a transceiver is made with; see the facade's TransceiverInit.
struct TransceiverInit {
  sdp::Direction direction = sdp::Direction::SendRecv;
  std::string trackId{};
  bool hasTrack = false;
  std::vector<std::string> streams{};
  std::vector<Encoding> encodings{Encoding{}};
  std::vector<std::string> receiveRids{};
  bool layersBySsrc = false;
};

/// The ids of streams that a sender belongs to, each once, in their order. Type if SDP cannot carry
/// them: an id is 1 to 256 bytes without blanks and control characters and not "-", which stands
/// for no stream (RFC 8830 section 2); there are at most 64.
PARLEY_EXPORT Result<std::vector<std::string>> streamIds(std::vector<std::string> ids);

/// addTransceiver().
PARLEY_EXPORT TransceiverId addTransceiver(SessionState& state, sdp::MediaKind kind,
                                           const TransceiverInit& init);

/// The one whose idle sender addTrack() would use; null if it would make a new one.
PARLEY_EXPORT const TransceiverState* idleSender(const SessionState& state, sdp::MediaKind kind);

/// What addTrack() did.
struct AddedTrack {
  TransceiverId transceiver{};
  bool reused = false;  ///< an idle sender took the track (webrtc-pc section 5.1, addTrack step 6)
};

/// addTrack(). A reused transceiver keeps its SSRCs; a new one takes `encoding`.
PARLEY_EXPORT AddedTrack addTrack(SessionState& state, sdp::MediaKind kind,
                                  const std::string& trackId,
                                  const std::vector<std::string>& streams,
                                  const Encoding& encoding = {});

/// removeTrack(): the sender loses its track, and the direction its sending half. InvalidAccess for
/// an unknown one; no effect if stopping, stopped or without track.
PARLEY_EXPORT Result<void> removeTrack(SessionState& state, TransceiverId id);

/// transceiver.direction = ... InvalidState if unknown, stopping or stopped.
PARLEY_EXPORT Result<void> setDirection(SessionState& state, TransceiverId id,
                                        sdp::Direction direction);

/// transceiver.stop(): takes effect for the peer with the next negotiation.
PARLEY_EXPORT void stopTransceiver(SessionState& state, TransceiverId id);

/// transceiver.setCodecPreferences(). InvalidModification if a codec is not among the capabilities
/// or only rtx, red and FEC are left, InvalidState for an unknown transceiver; duplicates are
/// dropped; an empty list restores the default.
PARLEY_EXPORT Result<void> setCodecPreferences(SessionState& state,
                                               const LocalCapabilities& capabilities,
                                               TransceiverId id,
                                               const std::vector<sdp::CodecParams>& codecs);

/// restartIce(): the next offer brings new credentials.
PARLEY_EXPORT void restartIce(SessionState& state);

}  // namespace parley::jsep
