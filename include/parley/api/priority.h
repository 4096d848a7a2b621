#pragma once

#include "parley/base/export.h"

namespace parley {

/// RTCPriorityType (webrtc-priority): of senders and of data channels.
enum class PriorityType { VeryLow, Low, Medium, High };
/// The W3C spelling: "very-low".
PARLEY_EXPORT const char* toString(PriorityType priority);

}  // namespace parley
