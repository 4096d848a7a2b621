#pragma once

#include <cstdint>

#include "parley/base/time.h"

namespace parley {

/// A telephone event (RFC 4733) that the peer sends has begun, or is over: what its RTCDTMFSender,
/// or a gateway to telephones, makes of keys.
struct TelephoneEvent {
  uint8_t event = 0;   ///< its number; 0 to 15 are keys
  char tone = 0;       ///< the key: 0-9, *, #, A-D; 0 for an event that is none
  bool ended = false;  ///< else it has begun
  /// So far, as the peer tells; 6 s at most, then it counts as ended.
  Duration duration;
  double startMs = 0;         ///< when its first packet came, milliseconds since 1970
  uint32_t rtpTimestamp = 0;  ///< of its beginning
  uint8_t volume = 0;         ///< -dBm0, 0 to 63
  uint32_t ssrc = 0;          ///< of the source it came from
};

}  // namespace parley
