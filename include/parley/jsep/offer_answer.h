#pragma once

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/jsep/capabilities.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

/// RTCOfferOptions (webrtc-pc section 4.2.6).
struct OfferOptions {
  bool iceRestart = false;
};

/// An offer for all transceivers and the data section (RFC 9429 sections 5.2.1 and 5.2.2): sections
/// keep their place, slots that both sides have rejected are reused under a new mid, the rest is
/// appended. The same state gives the same offer; the o= version grows only if something differs
/// from the newest local description.
/// InvalidState unless stable or have-local-offer.
PARLEY_EXPORT Result<sdp::SessionDescription> createOffer(const SessionState& state,
                                                          const LocalCapabilities& capabilities,
                                                          const OfferOptions& options = {});

/// InvalidState unless the signaling state has room for an offer: stable or have-local-offer.
PARLEY_EXPORT Result<void> checkOfferState(const SessionState& state);
/// InvalidState unless it asks for an answer: have-remote-offer or have-local-pranswer.
PARLEY_EXPORT Result<void> checkAnswerState(const SessionState& state);

/// An answer to the pending remote offer (RFC 9429 section 5.3.1). Sections are rejected that we
/// have no codec for, that lack rtcp-mux, whose transceiver is stopped, or, under max-bundle, that
/// are not bundled with the first. InvalidState unless have-remote-offer or have-local-pranswer.
PARLEY_EXPORT Result<sdp::SessionDescription> createAnswer(const SessionState& state,
                                                           const LocalCapabilities& capabilities);

}  // namespace parley::jsep
