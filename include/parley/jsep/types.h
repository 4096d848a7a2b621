#pragma once

#include <cstdint>

#include "parley/jsep/state.h"
#include "parley/media/types.h"

// The words of the W3C specification that both the negotiation logic and the facade use.

namespace parley::jsep {

using media::MediaKind;

/// RTCRtpTransceiverDirection (webrtc-pc section 5.4).
enum class TransceiverDirection : uint8_t {
  SendRecv,  ///< both ways
  SendOnly,  ///< from here
  RecvOnly,  ///< to here
  Inactive,  ///< neither, for now
  Stopped    ///< neither, for good
};

/// Whether media may go from here.
constexpr bool sends(TransceiverDirection d) {
  return d == TransceiverDirection::SendRecv || d == TransceiverDirection::SendOnly;
}
/// Whether media may come here.
constexpr bool receives(TransceiverDirection d) {
  return d == TransceiverDirection::SendRecv || d == TransceiverDirection::RecvOnly;
}
/// The same m-section as the other side sees it.
constexpr TransceiverDirection reversed(TransceiverDirection d) {
  if (d == TransceiverDirection::SendOnly) return TransceiverDirection::RecvOnly;
  if (d == TransceiverDirection::RecvOnly) return TransceiverDirection::SendOnly;
  return d;
}
/// The direction of both; never Stopped.
constexpr TransceiverDirection makeDirection(bool send, bool receive) {
  if (send) return receive ? TransceiverDirection::SendRecv : TransceiverDirection::SendOnly;
  return receive ? TransceiverDirection::RecvOnly : TransceiverDirection::Inactive;
}

/// The W3C spelling: "sendrecv".
constexpr const char* toString(TransceiverDirection direction) {
  constexpr const char* kNames[] = {"sendrecv", "sendonly", "recvonly", "inactive", "stopped"};
  return kNames[static_cast<int>(direction)];
}
}  // namespace parley::jsep
