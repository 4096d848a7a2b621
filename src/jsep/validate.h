#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/result.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

/// Checks before anything is changed; see applyLocal and applyRemote for what they promise.
Result<void> checkLocal(const SessionState& state, SdpType type,
                        const sdp::SessionDescription& description);
Result<void> checkRemote(const SessionState& state, SdpType type,
                         const sdp::SessionDescription& description);

/// An error about a line of a description; without one where it was never text.
Failure failAt(ErrorCode code, sdp::SourceLine line, const std::string& message);

/// Whether the description, if there is one, has a slot `i` and rejects it.
bool rejects(const Boxed<TypedDescription>& description, size_t i);

/// Whether slot `i` was rejected by both sides, so that an offer may reuse it.
bool isReusable(const SessionState& state, size_t i);

/// Whether credentials and fingerprints differ from those in force, so that a new DTLS role is no
/// contradiction (RFC 8842 section 5.5, and Firefox, which changes roles with an ICE restart).
bool startsOver(const TransportState& inForce, const sdp::TransportAttributes& theirs);

/// The transport that the sections led by `leader` have had so far: its own, or, where it is new in
/// its bundle, that of another one; nothing if they are all new.
std::optional<uint32_t> knownTransport(const SessionState& state,
                                       const std::vector<std::optional<size_t>>& leaders,
                                       size_t leader);

}  // namespace parley::jsep
