#pragma once

#include <cstdint>

#include "parley/base/export.h"
#include "parley/media/types.h"

namespace parley::media {

/// How urgent the application says a stream is (RTCPriorityType of webrtc-priority; RFC 8837
/// section 5).
enum class NetworkPriority : uint8_t { VeryLow, Low, Medium, High };

/// The DSCP for a stream's packets, 6 bits: RFC 8837 section 5, table 1. Low is the default and
/// leaves packets unmarked. Where the table allows two, the one that is dropped later.
PARLEY_EXPORT uint8_t dscpOf(MediaKind kind, NetworkPriority priority);

}  // namespace parley::media
