#pragma once

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/jsep/delta.h"

namespace parley::jsep {

/// setLocalDescription as a function. The description must be one that createOffer or createAnswer
/// made of this state, or differ from it only inside its sections.
/// InvalidState: `type` does not fit the signaling state. InvalidModification: sections do not
/// match the transceivers.
PARLEY_EXPORT Result<Delta> applyLocal(const SessionState& state, SdpType type,
                                       const sdp::SessionDescription& description);

/// setRemoteDescription as a function. An offer in have-local-offer first rolls ours back.
/// InvalidState: `type` does not fit the signaling state. InvalidAccess: the description
/// contradicts the session (fewer or reordered sections, new meaning of a payload type, no
/// credentials or fingerprint, role change, answer to something not offered). The given state stays
/// as it is.
PARLEY_EXPORT Result<Delta> applyRemote(const SessionState& state, SdpType type,
                                        const sdp::SessionDescription& description);

/// Back to the last stable state (RFC 9429 section 4.1.10.2): sections and mids given by the
/// pending offer are taken back, and transceivers that a remote offer made go away unless addTrack
/// has used them. InvalidState unless in have-local-offer or have-remote-offer.
PARLEY_EXPORT Result<Delta> rollback(const SessionState& state);

}  // namespace parley::jsep
