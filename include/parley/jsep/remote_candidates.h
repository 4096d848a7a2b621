#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

/// RTCIceCandidateInit, its candidate parsed. No candidate means end-of-candidates.
struct RemoteCandidate {
  std::optional<sdp::CandidateLine> candidate{};
  std::optional<std::string> mid{};
  std::optional<uint16_t> mLineIndex{};
  std::optional<std::string> ufrag{};
};

/// What to do with a candidate that has been taken.
struct AcceptedCandidate {
  bool useNow = false;                 ///< give it to ICE: its generation is in force
  std::vector<uint32_t> transports{};  ///< of these
};

/// addIceCandidate() (webrtc-pc section 4.4.2): makes the candidate part of the remote
/// description(s) of `state`, which an error leaves as it was. InvalidState without a remote
/// description; Operation if the section does not exist or the ufrag belongs to no generation; Type
/// if a candidate names neither mid nor index; an end of candidates without them is for every
/// section. Candidates for sections that ride on another's
/// transport are accepted and ignored. At most 64 are kept per section; more are ignored.
PARLEY_EXPORT Result<AcceptedCandidate> addRemoteCandidate(SessionState& state,
                                                           const RemoteCandidate& candidate);

/// The checks of addIceCandidate() that come before the candidate itself is looked at (webrtc-pc
/// section 4.4.2): InvalidState without a remote description; Operation for a mid or index that it
/// has not, or a ufrag that no remote description has for that section.
PARLEY_EXPORT Result<void> checkCandidatePlace(const SessionState& state,
                                               const std::optional<std::string>& mid,
                                               std::optional<uint16_t> mLineIndex,
                                               const std::optional<std::string>& ufrag);

/// RTCPeerConnection.canTrickleIceCandidates: nullopt without a remote description.
PARLEY_EXPORT std::optional<bool> canTrickle(const SessionState& state);

}  // namespace parley::jsep
