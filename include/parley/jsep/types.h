#pragma once

#include <cstdint>

#include "parley/jsep/state.h"
#include "parley/media/types.h"

// The words of the W3C specification that both the negotiation logic and the facade use.

namespace parley::jsep {

using media::MediaKind;

/// RTCRtpTransceiverDirection.
enum class TransceiverDirection : uint8_t { SendRecv, SendOnly, RecvOnly, Inactive, Stopped };

constexpr bool sends(TransceiverDirection d) {
  return d == TransceiverDirection::SendRecv || d == TransceiverDirection::SendOnly;
}
constexpr bool receives(TransceiverDirection d) {
  return d == TransceiverDirection::SendRecv || d == TransceiverDirection::RecvOnly;
}
/// The same m-section as the other side sees it.
constexpr TransceiverDirection reversed(TransceiverDirection d) {
  if (d == TransceiverDirection::SendOnly) return TransceiverDirection::RecvOnly;
  if (d == TransceiverDirection::RecvOnly) return TransceiverDirection::SendOnly;
  return d;
}
constexpr TransceiverDirection makeDirection(bool send, bool receive) {
  if (send) return receive ? TransceiverDirection::SendRecv : TransceiverDirection::SendOnly;
  return receive ? TransceiverDirection::RecvOnly : TransceiverDirection::Inactive;
}

constexpr const char* toString(TransceiverDirection direction) {
  constexpr const char* kNames[] = {"sendrecv", "sendonly", "recvonly", "inactive", "stopped"};
  return kNames[static_cast<int>(direction)];
}
}  // namespace parley::jsep
