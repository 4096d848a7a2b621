#include "api/configuration_check.h"

#include <algorithm>
#include <utility>

#include "parley/codec/factories.h"
#include "parley/congestion/scream.h"
#include "parley/dtls/connection.h"

#include "api/loop_core.h"
#include "api/twin_enums.h"

namespace parley::api_internal {

TransceiverDirection fromSdp(sdp::Direction direction) {
  return jsep::makeDirection(sdp::sends(direction), sdp::receives(direction));
}

RtpCodec fromSdp(const sdp::CodecParams& codec, MediaKind kind) {
  RtpCodec out;
  out.mimeType = std::string(media::toString(kind)) + "/" + codec.name;
  out.clockRate = codec.clockRate;
  if (kind == MediaKind::Audio) out.channels = codec.channels;
  if (!codec.fmtp.empty()) out.sdpFmtpLine = sdp::writeFmtp(codec.fmtp);
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
    if (auto fmtp = sdp::parseFmtp(codec.sdpFmtpLine.value_or(""))) params.fmtp = *std::move(fmtp);
    out.push_back(std::move(params));
  }
  return out;
}

namespace {

/// What is said to servers securely: each set of roots is read once.
class TlsContexts {
 public:
  Result<std::shared_ptr<const dtls::TlsContext>> get(const IceServer& server,
                                                      turn::Transport transport) {
    const dtls::TlsTransport kind =
        turn::isStream(transport) ? dtls::TlsTransport::Stream : dtls::TlsTransport::Datagram;
    for (const Entry& entry : entries_) {
      if (entry.context->transport() == kind && entry.verify == server.verifyCertificate &&
          entry.roots == server.rootCertificates) {
        return entry.context;
      }
    }
    auto made = dtls::TlsContext::client({kind, server.verifyCertificate, server.rootCertificates});
    if (made) entries_.push_back({*made, server.verifyCertificate, server.rootCertificates});
    return made;
  }

 private:
  struct Entry {
    std::shared_ptr<const dtls::TlsContext> context;
    bool verify;
    std::string roots;
  };
  std::vector<Entry> entries_;
};

Result<void> addServers(const Configuration& configuration, ice::GathererConfig& out) {
  if (configuration.iceLite && !configuration.iceServers.empty()) {
    return fail(ErrorCode::InvalidAccess,
                "a lite agent has host candidates only (RFC 8445 section 5.2): leave iceServers "
                "empty, or iceLite off");
  }
  TlsContexts contexts;
  for (const IceServer& server : configuration.iceServers) {
    if (server.urls.empty()) return fail(ErrorCode::Syntax, "an ICE server without URLs");
    for (const std::string& url : server.urls) {
      Result<IceUrl> parsed = parseIceUrl(url);
      if (!parsed) return fail(std::move(parsed).error());
      if (auto* stun = std::get_if<ice::StunServer>(&*parsed)) {
        out.stunServers.push_back(std::move(*stun));
        continue;
      }
      ice::TurnServer turnServer = std::get<ice::TurnServer>(*std::move(parsed));
      if (!server.username || !server.credential) {
        return fail(ErrorCode::InvalidAccess,
                    "the TURN server " + url + " needs a username and a credential");
      }
      // RFC 8489 section 14.3: "MUST be ... fewer than 509 bytes".
      if (server.username->size() > 508)
        return fail(ErrorCode::InvalidAccess, "a username has fewer than 509 bytes");
      turnServer.username = *server.username;
      turnServer.password = *server.credential;
      turnServer.proxy = configuration.proxy;
      if (turn::isSecure(turnServer.transport)) {
        auto context = contexts.get(server, turnServer.transport);
        if (!context) return fail(std::move(context).error());
        turnServer.tls = *std::move(context);
      }
      out.turnServers.push_back(std::move(turnServer));
    }
  }
  out.turnMobility = configuration.turnMobility;
  return ok();
}

void setPolicy(const Configuration& configuration, ice::GathererConfig& out) {
  out.hostAndReflexive = configuration.iceTransportPolicy != IceTransportPolicy::Relay;
  out.tellHosts = configuration.iceTransportPolicy == IceTransportPolicy::All;
}

}  // namespace

Result<ice::GathererConfig> checkReconfiguration(const Configuration& current,
                                                 const Configuration& next, bool describing) {
  const auto changed = [](const char* what) {
    return fail(ErrorCode::InvalidModification, std::string(what) + " cannot be changed");
  };
  if (!next.certificates.empty()) {
    const bool same =
        std::equal(current.certificates.begin(), current.certificates.end(),
                   next.certificates.begin(), next.certificates.end(),
                   [](const Certificate& a, const Certificate& b) { return a.impl() == b.impl(); });
    if (!same) return changed("the certificate");
  }
  if (next.bundlePolicy != current.bundlePolicy) return changed("bundlePolicy");
  if (next.rtcpMuxPolicy != current.rtcpMuxPolicy) return changed("rtcpMuxPolicy");
  if (next.iceLite != current.iceLite) return changed("iceLite");
  if (describing && next.iceCandidatePoolSize != current.iceCandidatePoolSize)
    return changed("iceCandidatePoolSize, once gathering has begun,");
  ice::GathererConfig out;
  // A proxy is no part of what can change.
  Configuration whole = next;
  whole.proxy = current.proxy;
  whole.turnMobility = current.turnMobility;
  if (Result<void> added = addServers(whole, out); !added) return fail(added.error());
  setPolicy(next, out);
  return out;
}

namespace {

/// RFC 8839 section 5.4: "ice-char = ALPHA / DIGIT / "+" / "/"", 4 to 256 and 22 to 256 of them.
bool isIceText(const std::string& text, size_t least) {
  return text.size() >= least && text.size() <= 256 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'
                      ? true
                      : (c >= '0' && c <= '9') || c == '+' || c == '/';
         });
}

Result<std::optional<ice::Credentials>> credentialsOf(const Configuration& configuration) {
  if (configuration.iceUfrag.empty() && configuration.icePassword.empty())
    return std::optional<ice::Credentials>();
  if (!isIceText(configuration.iceUfrag, 4) || !isIceText(configuration.icePassword, 22)) {
    return fail(ErrorCode::Syntax,
                "iceUfrag has 4 to 256 and icePassword 22 to 256 letters, digits, + and /");
  }
  return std::optional(ice::Credentials{configuration.iceUfrag, configuration.icePassword});
}

jsep::LocalCapabilities fillInCodecs(Configuration& configuration, const BuiltinCodecs& builtin) {
  const bool bringsNone = !configuration.videoEncoders && !configuration.videoDecoders &&
                          !configuration.audioEncoders && !configuration.audioDecoders &&
                          configuration.encodedVideoFormats.empty() &&
                          configuration.encodedAudioFormats.empty();
  if (!configuration.videoEncoders) configuration.videoEncoders = builtin.videoEncoders;
  if (!configuration.videoDecoders) configuration.videoDecoders = builtin.videoDecoders;
  if (!configuration.audioEncoders) configuration.audioEncoders = builtin.audioEncoders;
  if (!configuration.audioDecoders) configuration.audioDecoders = builtin.audioDecoders;
  const Configuration usual;
  const bool repairsAsUsual = configuration.audioRedundancy == usual.audioRedundancy &&
                              configuration.videoFec == usual.videoFec &&
                              configuration.receiveSimulcast == usual.receiveSimulcast;
  jsep::LocalCapabilities out =
      bringsNone && repairsAsUsual ? builtin.capabilities : makeCapabilities(configuration);
  out.receiveSimulcast = configuration.receiveSimulcast;
  out.headerEncryption = configuration.headerEncryption;
  if (configuration.encryptHeaderExtensions) {
    const auto hide = [](std::vector<jsep::HeaderExtensionCapability>& extensions) {
      for (jsep::HeaderExtensionCapability& extension : extensions) extension.encrypted = true;
    };
    out.audioExtensions.edit(hide);
    out.videoExtensions.edit(hide);
  }
  return out;
}

/// RFC 8888 section 6, for media of every kind: one way of reporting per transport.
void askForCongestionFeedback(jsep::LocalCapabilities& capabilities) {
  const auto add = [](std::vector<sdp::CodecParams>& codecs) {
    for (sdp::CodecParams& codec : codecs) {
      if (!codec.feedback.empty()) codec.feedback.push_back({"ack", "ccfb"});
    }
  };
  capabilities.audioCodecs.edit(add);
  capabilities.videoCodecs.edit(add);
}

}  // namespace

Result<jsep::SessionConfig> makeSessionConfig(Configuration& configuration, LoopCore& loop,
                                              Timestamp now) {
  jsep::SessionConfig out;
  PARLEY_SAME_NUMBERS(BundlePolicy, jsep::BundlePolicy, Balanced, MaxCompat, MaxBundle);
  out.bundlePolicy = static_cast<jsep::BundlePolicy>(configuration.bundlePolicy);
  transport::TransportConfig& transport = out.transport;
  if (const auto added = addServers(configuration, transport.gatherer); !added)
    return fail(added.error());
  transport.gatherer.includeLoopback = configuration.includeLoopback;
  transport.ice.lite = configuration.iceLite;
  auto credentials = credentialsOf(configuration);
  if (!credentials) return fail(std::move(credentials).error());
  transport.credentials = *std::move(credentials);
  transport.ice.denyPrivateRemotes = configuration.denyPrivateAddresses;
  if (configuration.disconnectedAfter < Duration::seconds(1) ||
      configuration.failedAfter <= configuration.disconnectedAfter) {
    return fail(ErrorCode::Range, "disconnectedAfter is a second or more, failedAfter is above it");
  }
  if (configuration.maxPacketSize < 1200 || configuration.maxPacketSize > 1800)
    return fail(ErrorCode::Range, "maxPacketSize is 1200 to 1800");
  if (configuration.maxPacketSize > 1200)
    transport.sctp.maxMtu = configuration.maxPacketSize - dtls::Connection::kRecordOverhead;
  transport.ice.disconnectedAfter = configuration.disconnectedAfter;
  transport.ice.failedAfter = configuration.failedAfter;
  transport.ice.consentTimeout = std::min(transport.ice.consentTimeout, configuration.failedAfter);
  if (configuration.minPort > configuration.maxPort ||
      (configuration.minPort == 0) != (configuration.maxPort == 0)) {
    return fail(ErrorCode::Range, "minPort and maxPort are both 0 or rise from 1 to 65535");
  }
  ice::GathererConfig& gatherer = transport.gatherer;
  setPolicy(configuration, gatherer);
  const TcpCandidates tcp = configuration.tcpCandidates;
  const bool sharesTcp = !loop.options().tcpPorts.empty();
  const bool isServer = sharesTcp || !loop.options().udpPorts.empty();
  gatherer.tcpActive = tcp != TcpCandidates::None && !isServer && !configuration.iceLite;
  gatherer.tcpPassive = isServer
                            ? sharesTcp && tcp != TcpCandidates::None
                            : tcp == TcpCandidates::ActiveAndPassive || tcp == TcpCandidates::All;
  gatherer.tcpSimultaneousOpen = !isServer && !configuration.iceLite && tcp == TcpCandidates::All;
  gatherer.minPort = configuration.minPort;
  gatherer.maxPort = configuration.maxPort;
  gatherer.useAddress = configuration.useAddress;
  gatherer.announced = configuration.announcedAddresses;
  gatherer.hideHosts = configuration.hideHostAddresses;
  gatherer.continual = configuration.continualGathering;
  gatherer.mapPorts = configuration.mapPorts && !configuration.iceLite;

  const Environment& environment = loop.endpoint().environment();
  if (configuration.certificates.empty()) {
    auto made = dtls::Certificate::generate(
        environment.random, environment.wallClock.unixNanosAt(now), {.forOneConnection = true});
    if (!made) return fail(std::move(made).error());
    configuration.certificates.emplace_back(*std::move(made));
  }
  transport.certificate = configuration.certificates.front().impl();
  for (size_t i = 1; i < configuration.certificates.size(); ++i) {
    for (const dtls::Fingerprint& fingerprint :
         configuration.certificates[i].impl()->fingerprints())
      out.otherFingerprints.push_back(fingerprint);
  }
  // webrtc-pc section 4.4.1.1: any of them.
  for (const Certificate& certificate : configuration.certificates) {
    if (certificate.impl()->expiredAt(environment.wallClock.unixNanosAt(now)))
      return fail(ErrorCode::InvalidAccess, "a certificate has expired: generate a new one");
  }

  if (configuration.minBitrate > configuration.startBitrate ||
      configuration.startBitrate > configuration.maxBitrate) {
    return fail(ErrorCode::Range,
                "bitrates must rise from minBitrate over startBitrate to maxBitrate");
  }
  out.rates.min = configuration.minBitrate;
  out.rates.start = configuration.startBitrate;
  out.rates.max = configuration.maxBitrate;
  out.redundantSoundOnLoss = configuration.audioRedundancy == AudioRedundancy::Automatic;
  out.capabilities = fillInCodecs(configuration, loop.builtinCodecs());
  if (configuration.congestionControl == CongestionControl::Scream) {
    static const auto scream = congestion::screamFactory();  // it has no state
    out.controllers = scream.get();
  }
  if (configuration.congestionControl == CongestionControl::Scream ||
      configuration.congestionFeedback == CongestionFeedback::Rfc8888)
    askForCongestionFeedback(out.capabilities);
  out.circuitBreaker = configuration.circuitBreaker;
  return out;
}

}  // namespace parley::api_internal
