#pragma once

#include <string>

#include "parley/ice/candidate.h"
#include "parley/sdp/candidate_line.h"

namespace parley::jsep {

/// A candidate as ICE wants it from its text form, and back. `ufrag` names the generation.
ice::Candidate toIce(const sdp::CandidateLine& line);
sdp::CandidateLine toLine(const ice::Candidate& candidate, const std::string& ufrag);

}  // namespace parley::jsep
