#pragma once

#include "parley/base/export.h"

namespace parley {

/// RTCPriorityType (webrtc-priority): of senders and of data channels. What each level
/// means: RtpEncodingParameters::priority and networkPriority, DataChannelInit::priority.
enum class PriorityType {
  VeryLow,  ///< below all that says nothing
  Low,      ///< the default
  Medium,   ///< above it
  High      ///< above all others
};
/// The W3C spelling: "very-low".
PARLEY_EXPORT const char* toString(PriorityType priority);

}  // namespace parley
