#include "api/configuration_check.h"

#include <cmath>
#include <utility>

#include "parley/codec/factories.h"

#include "api/loop_core.h"

namespace parley::api_internal {

TransceiverDirection fromSdp(sdp::Direction direction) {
  return jsep::makeDirection(sdp::sends(direction), sdp::receives(direction));
}

RtpCodec fromSdp(const sdp::CodecParams& codec, MediaKind kind) {
  RtpCodec out;
  out.mimeType = std::string(media::toString(kind)) + "/" + codec.name;
  out.clockRate = codec.clockRate;
  if (kind == MediaKind::Audio) out.channels = codec.channels;
  out.sdpFmtpLine = sdp::writeFmtp(codec.fmtp);
  return out;
}

std::vector<sdp::CodecParams> toPreferences(const std::vector<RtpCodec>& codecs) {
  std::vector<sdp::CodecParams> out;
  for (const RtpCodec& codec : codecs) {
    sdp::CodecParams params;
    const size_t slash = codec.mimeType.find('/');
    params.name = slash == std::string::npos ? codec.mimeType : codec.mimeType.substr(slash + 1);
    params.clockRate = codec.clockRate;
    params.channels = static_cast<uint8_t>(codec.channels.value_or(1));
    if (auto fmtp = sdp::parseFmtp(codec.sdpFmtpLine)) params.fmtp = *std::move(fmtp);
    out.push_back(std::move(params));
  }
  return out;
}

Result<void> checkEncodings(const std::vector<RtpEncodingParameters>& encodings) {
  if (encodings.size() > 1) {
    return fail(ErrorCode::NotSupported,
                "this version sends one encoding per track: simulcast is not built in yet");
  }
  for (const RtpEncodingParameters& encoding : encodings) {
    if (!(encoding.scaleResolutionDownBy >= 1.0)) {
      return fail(ErrorCode::Range, "scaleResolutionDownBy must be at least 1");
    }
    if (encoding.maxFramerate && !(*encoding.maxFramerate >= 0)) {
      return fail(ErrorCode::Range, "maxFramerate must not be negative");
    }
  }
  return ok();
}

Result<jsep::SessionConfig> makeSessionConfig(Configuration& configuration, LoopCore& loop,
                                              Timestamp now) {
  jsep::SessionConfig out;
  transport::TransportConfig& transport = out.transport;
  for (const IceServer& server : configuration.iceServers) {
    if (server.urls.empty()) return fail(ErrorCode::Syntax, "an ICE server without URLs");
    for (const std::string& url : server.urls) {
      Result<ice::StunServer> parsed = parseIceUrl(url);
      if (!parsed) return fail(std::move(parsed).error());
      transport.gatherer.stunServers.push_back(*std::move(parsed));
    }
  }
  transport.gatherer.includeLoopback = configuration.includeLoopback;
  transport.ice.denyPrivateRemotes = configuration.denyPrivateAddresses;
  transport.gatherer.hostAndReflexive = configuration.iceTransportPolicy == IceTransportPolicy::All;

  const Environment& environment = loop.endpoint().environment();
  if (configuration.certificates.empty()) {
    auto made =
        dtls::Certificate::generate(environment.random, environment.wallClock.unixNanosAt(now));
    if (!made) return fail(std::move(made).error());
    configuration.certificates.emplace_back(*std::move(made));
  }
  transport.certificate = configuration.certificates.front().impl();
  if (transport.certificate->expiredAt(environment.wallClock.unixNanosAt(now))) {
    return fail(ErrorCode::InvalidAccess, "the certificate has expired: generate a new one");
  }

  if (!configuration.videoEncoders) configuration.videoEncoders = codec::builtinVideoEncoders();
  if (!configuration.videoDecoders) configuration.videoDecoders = codec::builtinVideoDecoders();
  if (!configuration.audioEncoders) configuration.audioEncoders = codec::builtinAudioEncoders();
  if (!configuration.audioDecoders) configuration.audioDecoders = codec::builtinAudioDecoders();
  if (configuration.minBitrate > configuration.startBitrate ||
      configuration.startBitrate > configuration.maxBitrate) {
    return fail(ErrorCode::Range,
                "bitrates must rise from minBitrate over startBitrate to maxBitrate");
  }
  out.rates.min = configuration.minBitrate;
  out.rates.start = configuration.startBitrate;
  out.rates.max = configuration.maxBitrate;
  out.capabilities = makeCapabilities(configuration);
  return out;
}

}  // namespace parley::api_internal
