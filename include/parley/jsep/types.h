#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/media/types.h"

// The words of the W3C specification that both the negotiation logic and the facade use.

namespace parley::jsep {

using media::MediaKind;

/// RTCSdpType.
enum class SdpType : uint8_t { Offer, Pranswer, Answer, Rollback };
/// RTCSignalingState.
enum class SignalingState : uint8_t {
  Stable,
  HaveLocalOffer,
  HaveRemoteOffer,
  HaveLocalPranswer,
  HaveRemotePranswer,
  Closed,
};
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

constexpr const char* toString(SdpType type) {
  constexpr const char* kNames[] = {"offer", "pranswer", "answer", "rollback"};
  return kNames[static_cast<int>(type)];
}
constexpr const char* toString(SignalingState state) {
  constexpr const char* kNames[] = {"stable",
                                    "have-local-offer",
                                    "have-remote-offer",
                                    "have-local-pranswer",
                                    "have-remote-pranswer",
                                    "closed"};
  return kNames[static_cast<int>(state)];
}
constexpr const char* toString(TransceiverDirection direction) {
  constexpr const char* kNames[] = {"sendrecv", "sendonly", "recvonly", "inactive", "stopped"};
  return kNames[static_cast<int>(direction)];
}
constexpr std::optional<SdpType> parseSdpType(std::string_view text) {
  for (SdpType type : {SdpType::Offer, SdpType::Pranswer, SdpType::Answer, SdpType::Rollback}) {
    if (text == toString(type)) return type;
  }
  return std::nullopt;
}

}  // namespace parley::jsep
