#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "parley/api/configuration.h"
#include "parley/api/rtp_transceiver.h"
#include "parley/base/result.h"
#include "parley/ice/gatherer.h"
#include "parley/jsep/session.h"

namespace parley::api_internal {

class LoopCore;

/// The codecs of connections whose application brings none of its own: the loop's connections share
/// the factories, and the lists of what can be negotiated.
struct BuiltinCodecs {
  BuiltinCodecs();
  std::shared_ptr<codec::VideoEncoderFactory> videoEncoders;
  std::shared_ptr<codec::VideoDecoderFactory> videoDecoders;
  std::shared_ptr<codec::AudioEncoderFactory> audioEncoders;
  std::shared_ptr<codec::AudioDecoderFactory> audioDecoders;
  jsep::LocalCapabilities capabilities;
};

/// `stun:host[:port]` (RFC 7064), `turn[s]:host[:port][?transport=udp|tcp]` (RFC 7065). Syntax for
/// what does not parse; NotSupported for stuns. Credentials, certificates and proxies of a TURN
/// server are left to the caller.
using IceUrl = std::variant<ice::StunServer, ice::TurnServer>;
Result<IceUrl> parseIceUrl(std::string_view url);

/// Checks an application's configuration and turns it into a session's.
Result<jsep::SessionConfig> makeSessionConfig(Configuration& configuration, LoopCore& loop,
                                              Timestamp now);

/// W3C 5.1 addTransceiver: checks sendEncodings and makes of them what the sender keeps.
/// `capabilities`: the codecs that can be sent.
Result<std::vector<RtpEncodingParameters>> validateSendEncodings(
    MediaKind kind, std::vector<RtpEncodingParameters> encodings,
    const std::vector<RtpCodec>& capabilities,
    const std::vector<RtpCapabilities::Scalability>& scalability);
/// The same for TransceiverInit::receiveRids.
Result<void> checkReceiveRids(MediaKind kind, const std::vector<std::string>& rids,
                              const std::vector<RtpEncodingParameters>& encodings);
/// The checks that setParameters has in common with it: values, and for video the default scale.
Result<void> checkEncodingValues(MediaKind kind, std::vector<RtpEncodingParameters>& encodings,
                                 const std::vector<RtpCapabilities::Scalability>& scalability);
/// Those for scaleResolutionDownTo, which fail with `code`.
Result<void> checkRestrictions(ErrorCode code, const std::vector<RtpEncodingParameters>& encodings);
/// Whether the codec has the mode; without a codec, whether any has.
bool hasScalabilityMode(const std::vector<RtpCapabilities::Scalability>& known,
                        const std::optional<RtpCodec>& codec, const std::string& mode);
/// What the encoders of a configuration can do.
std::vector<RtpCapabilities::Scalability> scalabilityOf(const Configuration& configuration);
/// The encodings of a sender for which the app gave none, or that the peer's rids ask for.
std::vector<RtpEncodingParameters> defaultEncodings(MediaKind kind,
                                                    const std::vector<std::string>& rids);
/// "Codec dictionary match" (webrtc-pc section 5.2).
bool sameCodec(const RtpCodec& a, const RtpCodec& b);

/// RTCRtpCodec to and from what SDP says of a payload type.
std::vector<sdp::CodecParams> toPreferences(const std::vector<RtpCodec>& codecs);
RtpCodec fromSdp(const sdp::CodecParams& codec, MediaKind kind);
TransceiverDirection fromSdp(sdp::Direction direction);

/// The codecs and header extensions that these factories allow to negotiate.
jsep::LocalCapabilities makeCapabilities(const Configuration& configuration);
std::vector<RtpCodec> capabilityCodecs(const Configuration& configuration, MediaKind kind);
RtpCapabilities capabilitiesOf(const Configuration& configuration, MediaKind kind);
/// Of connections that are made with it: where it has no factories the built-in ones count.
RtpCapabilities capabilitiesWith(Configuration configuration, MediaKind kind);
RtpHeaderExtensionCapability fromCapability(const jsep::HeaderExtensionCapability& capability);

/// W3C 4.4.2 setConfiguration: what of `next` may not follow `current`, and the URLs of both.
/// `describing`: a local description has been applied.
Result<ice::GathererConfig> checkReconfiguration(const Configuration& current,
                                                 const Configuration& next, bool describing);

}  // namespace parley::api_internal
