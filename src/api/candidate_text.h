#pragma once

#include <string>

#include "parley/api/ice_candidate.h"
#include "parley/ice/candidate.h"

namespace parley::api_internal {

/// A candidate of the ICE agent as RTCIceCandidate shows it.
IceCandidate toApi(const ice::Candidate& candidate, const std::string& mid, uint16_t mLineIndex);

}  // namespace parley::api_internal
