#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parley/api/configuration.h"
#include "parley/api/rtp_transceiver.h"
#include "parley/base/result.h"
#include "parley/ice/gatherer.h"
#include "parley/jsep/session.h"

namespace parley::api_internal {

class LoopCore;

/// `stun:host[:port]` (RFC 7064). Syntax for what does not parse; NotSupported for stuns, turn and
/// turns.
Result<ice::StunServer> parseIceUrl(std::string_view url);

/// Checks an application's configuration and turns it into a session's.
Result<jsep::SessionConfig> makeSessionConfig(Configuration& configuration, LoopCore& loop,
                                              Timestamp now);

/// W3C 5.1 addTransceiver: the checks on sendEncodings.
Result<void> checkEncodings(const std::vector<RtpEncodingParameters>& encodings);

/// RTCRtpCodec to and from what SDP says of a payload type.
std::vector<sdp::CodecParams> toPreferences(const std::vector<RtpCodec>& codecs);
RtpCodec fromSdp(const sdp::CodecParams& codec, MediaKind kind);
TransceiverDirection fromSdp(sdp::Direction direction);

/// The codecs and header extensions that these factories allow to negotiate.
jsep::LocalCapabilities makeCapabilities(const Configuration& configuration);
std::vector<RtpCodec> capabilityCodecs(MediaKind kind, bool send);

}  // namespace parley::api_internal
