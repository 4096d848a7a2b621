#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "parley/api/configuration.h"
#include "parley/api/data_channel.h"
#include "parley/api/ice_candidate.h"
#include "parley/api/media_track.h"
#include "parley/api/peer_connection.h"
#include "parley/api/rtp_transceiver.h"
#include "parley/api/transports.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley {

// The W3C spellings.
PARLEY_EXPORT const char* toString(IceTransportPolicy policy);  ///< NoHost: "no-host", our own
PARLEY_EXPORT const char* toString(BundlePolicy policy);
PARLEY_EXPORT const char* toString(RtcpMuxPolicy policy);
PARLEY_EXPORT const char* toString(TrackState state);

/// The enumerations of the specifications, with how many members each has.
template <class E>
inline constexpr size_t kEnumSize = 0;
template <>
inline constexpr size_t kEnumSize<IceTransportPolicy> = 3;
template <>
inline constexpr size_t kEnumSize<BundlePolicy> = 3;
template <>
inline constexpr size_t kEnumSize<RtcpMuxPolicy> = 1;
template <>
inline constexpr size_t kEnumSize<TrackState> = 2;
template <>
inline constexpr size_t kEnumSize<MediaKind> = 2;
template <>
inline constexpr size_t kEnumSize<SignalingState> = 6;
template <>
inline constexpr size_t kEnumSize<SdpType> = 4;
template <>
inline constexpr size_t kEnumSize<IceGatheringState> = 3;
template <>
inline constexpr size_t kEnumSize<IceConnectionState> = 7;
template <>
inline constexpr size_t kEnumSize<PeerConnectionState> = 6;
template <>
inline constexpr size_t kEnumSize<TransceiverDirection> = 5;
template <>
inline constexpr size_t kEnumSize<PriorityType> = 4;
template <>
inline constexpr size_t kEnumSize<DegradationPreference> = 4;
template <>
inline constexpr size_t kEnumSize<IceTransportState> = 7;
template <>
inline constexpr size_t kEnumSize<IceGathererState> = 3;
template <>
inline constexpr size_t kEnumSize<IceRole> = 3;
template <>
inline constexpr size_t kEnumSize<IceComponent> = 2;
template <>
inline constexpr size_t kEnumSize<DtlsTransportState> = 5;
template <>
inline constexpr size_t kEnumSize<SctpTransportState> = 3;
template <>
inline constexpr size_t kEnumSize<DataChannelState> = 4;
template <>
inline constexpr size_t kEnumSize<IceProtocol> = 2;
template <>
inline constexpr size_t kEnumSize<IceCandidateType> = 4;
template <>
inline constexpr size_t kEnumSize<IceTcpCandidateType> = 3;
template <>
inline constexpr size_t kEnumSize<IceServerTransportProtocol> = 3;
template <>
inline constexpr size_t kEnumSize<ErrorDetail> = 7;

/// The member with this W3C spelling, exactly; nothing for any other text. The other way round is
/// `toString`.
///
///     fromString<TransceiverDirection>("sendonly")
template <class E>
std::optional<E> fromString(std::string_view text) {
  static_assert(kEnumSize<E> > 0, "not an enumeration of the W3C specifications");
  for (size_t i = 0; i < kEnumSize<E>; ++i) {
    const E value = static_cast<E>(i);
    if (text == toString(value)) return value;
  }
  return std::nullopt;
}

}  // namespace parley
