#pragma once

#include "parley/base/export.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

/// "Check if negotiation is needed" (webrtc-pc section 4.7.3).
PARLEY_EXPORT bool isNegotiationNeeded(const SessionState& state);

}  // namespace parley::jsep
