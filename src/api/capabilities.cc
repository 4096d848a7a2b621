// What the facade offers to negotiate: the codecs of the factories with retransmission and
// feedback, and the header extensions that media understands.

#include <algorithm>
#include <array>
#include <utility>

#include "parley/base/text.h"
#include "parley/codec/factories.h"
#include "parley/rtp/payload_format/payload_format.h"

#include "api/configuration_check.h"

namespace parley::api_internal {
namespace {

// The numbers that browsers use are kept for the codecs that they know, so that traces read alike.
struct PreferredNumber {
  const char* name;
  const char* parameter;  ///< "key=value" that tells variants of one codec apart; empty = any
  uint8_t payloadType;
};
constexpr std::array kPreferredNumbers = {
    PreferredNumber{"opus", "", 111},
    PreferredNumber{"PCMU", "", 0},
    PreferredNumber{"PCMA", "", 8},
    PreferredNumber{"G722", "", 9},
    PreferredNumber{"CN", "", 13},
    PreferredNumber{"telephone-event", "", 110},
    PreferredNumber{"VP8", "", 96},
    PreferredNumber{"VP9", "profile-id=0", 98},
    PreferredNumber{"VP9", "profile-id=2", 100},
    PreferredNumber{"AV1", "profile=0", 45},
};

class Numbers {
 public:
  uint8_t take(uint8_t wanted) {
    if (wanted < used_.size() && !used_[wanted]) {
      used_[wanted] = true;
      return wanted;
    }
    // RFC 3551 section 6: 96-127 are dynamic; then 35-63, which RFC 5761 section 4 also leaves
    // free.
    for (uint8_t n = 102; n <= 127; ++n) {
      if (!std::exchange(used_[n], true)) return n;
    }
    for (uint8_t n = 35; n <= 63; ++n) {
      if (!std::exchange(used_[n], true)) return n;
    }
    return 0xff;
  }

 private:
  std::array<bool, 128> used_{};
};

uint8_t preferredNumber(const sdp::CodecParams& codec) {
  for (const PreferredNumber& entry : kPreferredNumbers) {
    if (!codec.is(entry.name)) continue;
    const std::string_view parameter = entry.parameter;
    if (parameter.empty()) return entry.payloadType;
    const size_t equals = parameter.find('=');
    if (codec.fmtpValue(parameter.substr(0, equals)) == parameter.substr(equals + 1))
      return entry.payloadType;
  }
  return 0xff;
}

void addParameters(sdp::CodecParams& codec, const codec::FormatParameters& parameters) {
  for (const auto& [key, value] : parameters) codec.setFmtp(key, value);
}

// One list serves both directions, so a codec is offered only if it can be decoded, encoded and put
// into packets: an m-section that accepts it must never stay silent. Or if the application says
// that it does all that itself; such codecs stand behind the others, for they are of use to encoded
// tracks only.
template <class Format>
std::vector<Format> offerable(const std::vector<Format>& decodable,
                              const std::vector<Format>& encodable,
                              const std::vector<Format>& encoded) {
  std::vector<Format> out;
  for (const Format& format : decodable) {
    const bool known = std::any_of(encodable.begin(), encodable.end(), [&](const Format& other) {
      return equalsIgnoreCase(other.name, format.name);
    });
    if (known && rtp::createPacketizer(format.name, {})) out.push_back(format);
  }
  for (const Format& format : encoded) {
    if (rtp::createPacketizer(format.name, {})) out.push_back(format);
  }
  return out;
}

bool contains(const std::vector<sdp::CodecParams>& list, const sdp::CodecParams& codec) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& known) { return sdp::sameFormat(known, codec); });
}

void addAudio(const Configuration& configuration, Numbers& numbers,
              std::vector<sdp::CodecParams>& out) {
  const auto formats =
      offerable(configuration.audioDecoders->supportedFormats(),
                configuration.audioEncoders->supportedFormats(), configuration.encodedAudioFormats);
  for (const codec::SdpAudioFormat& format : formats) {
    sdp::CodecParams codec;
    codec.name = format.name;
    codec.clockRate = static_cast<uint32_t>(format.clockRate);
    codec.channels = static_cast<uint8_t>(format.channels);
    addParameters(codec, format.parameters);
    codec.feedback = {{"transport-cc"}};
    if (codec.is("opus")) codec.channels = 2;  // RFC 7587 section 7: always "opus/48000/2"
    if (contains(out, codec)) continue;
    codec.payloadType = numbers.take(preferredNumber(codec));
    if (codec.payloadType == 0xff) return;
    out.push_back(std::move(codec));
  }
}

// RFC 3389: what comes is played as noise; we never send it. It goes with the codecs of telephones,
// which have no silence of their own.
void addComfortNoise(Numbers& numbers, std::vector<sdp::CodecParams>& codecs) {
  const bool useful = std::any_of(codecs.begin(), codecs.end(), [](const auto& codec) {
    return codec.is("PCMU") || codec.is("PCMA");
  });
  if (!useful) return;
  sdp::CodecParams noise;
  noise.name = "CN";
  noise.clockRate = 8000;
  noise.payloadType = numbers.take(preferredNumber(noise));
  if (noise.payloadType != 0xff) codecs.push_back(std::move(noise));
}

// Telephone events for each clock rate that a codec has (RFC 4733 section 2.1: one time line). No
// fmtp: events 0-15 are what it means then (section 7.1.1), the keys of a telephone.
void addTelephoneEvents(Numbers& numbers, std::vector<sdp::CodecParams>& codecs) {
  const size_t count = codecs.size();
  for (size_t i = 0; i < count; ++i) {
    const uint32_t clockRate = codecs[i].clockRate;
    const bool there = std::any_of(codecs.begin(), codecs.end(), [&](const sdp::CodecParams& c) {
      return c.is("telephone-event") && c.clockRate == clockRate;
    });
    if (there) continue;
    sdp::CodecParams events;
    events.name = "telephone-event";
    events.clockRate = clockRate;
    events.payloadType = numbers.take(clockRate == 8000 ? 126 : preferredNumber(events));
    if (events.payloadType != 0xff) codecs.push_back(std::move(events));
  }
}

void addVideo(const Configuration& configuration, Numbers& numbers,
              std::vector<sdp::CodecParams>& out) {
  const auto formats =
      offerable(configuration.videoDecoders->supportedFormats(),
                configuration.videoEncoders->supportedFormats(), configuration.encodedVideoFormats);
  for (const codec::SdpVideoFormat& format : formats) {
    sdp::CodecParams codec;
    codec.name = format.name;
    codec.clockRate = 90'000;
    addParameters(codec, format.parameters);
    codec.feedback = {{"goog-remb"},    {"transport-cc"}, {"ccm", "fir"},
                      {"ccm", "tmmbr"}, {"nack"},         {"nack", "pli"}};
    if (contains(out, codec)) continue;
    codec.payloadType = numbers.take(preferredNumber(codec));
    if (codec.payloadType == 0xff) return;
    sdp::CodecParams rtx;
    rtx.name = "rtx";
    rtx.clockRate = 90'000;
    rtx.payloadType = numbers.take(static_cast<uint8_t>(codec.payloadType + 1));
    rtx.setFmtp("apt", std::to_string(codec.payloadType));
    out.push_back(std::move(codec));
    if (rtx.payloadType != 0xff) out.push_back(std::move(rtx));
  }
}

// RFC 2198 section 5: what it carries stands in its fmtp. Behind the codec that it carries: whoever
// wants it always prefers it.
void addAudioRed(Numbers& numbers, std::vector<sdp::CodecParams>& codecs) {
  const auto opus = std::find_if(codecs.begin(), codecs.end(),
                                 [](const sdp::CodecParams& c) { return c.is("opus"); });
  if (opus == codecs.end()) return;
  const std::string number = std::to_string(opus->payloadType);
  sdp::CodecParams red;
  red.name = "red";
  red.clockRate = opus->clockRate;
  red.channels = opus->channels;
  red.fmtp = {sdp::FmtpParameter{number + "/" + number, std::nullopt}};
  red.payloadType = numbers.take(63);
  if (red.payloadType != 0xff) codecs.insert(opus + 1, std::move(red));
}

sdp::CodecParams videoRepair(const char* name, uint8_t payloadType) {
  sdp::CodecParams out;
  out.name = name;
  out.clockRate = 90'000;
  out.payloadType = payloadType;
  return out;
}

// In the order of browsers, which offer the first three.
void addVideoFec(Numbers& numbers, std::vector<sdp::CodecParams>& codecs) {
  if (codecs.empty()) return;
  sdp::CodecParams red = videoRepair("red", numbers.take(118));
  sdp::CodecParams rtx = videoRepair("rtx", numbers.take(119));
  rtx.setFmtp("apt", std::to_string(red.payloadType));
  std::vector<sdp::CodecParams> all = {
      std::move(red), std::move(rtx), videoRepair("ulpfec", numbers.take(120)),
      videoRepair("flexfec-03", numbers.take(49)), videoRepair("flexfec", numbers.take(50))};
  for (sdp::CodecParams& codec : all) {
    if (codec.is("flexfec-03") || codec.is("flexfec")) {
      codec.feedback = {{"goog-remb"}, {"transport-cc"}};
      // RFC 8627 section 5.1.1, in microseconds: for how long its packets may lie apart.
      codec.setFmtp("repair-window", "10000000");
    }
    if (codec.payloadType != 0xff) codecs.push_back(std::move(codec));
  }
}

constexpr const char* kMid = "urn:ietf:params:rtp-hdrext:sdes:mid";
constexpr const char* kRid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
constexpr const char* kRepairedRid = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
constexpr const char* kAudioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
constexpr const char* kAbsSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
constexpr const char* kTransmissionOffset = "urn:ietf:params:rtp-hdrext:toffset";
constexpr const char* kTransportCc =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
constexpr const char* kOrientation = "urn:3gpp:video-orientation";
constexpr const char* kPlayoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
constexpr const char* kContentType =
    "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type";
constexpr const char* kCaptureTime =
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
constexpr const char* kCsrcLevel = "urn:ietf:params:rtp-hdrext:csrc-audio-level";
constexpr const char* kDependencies =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
constexpr const char* kVideoTiming = "http://www.webrtc.org/experiments/rtp-hdrext/video-timing";
constexpr const char* kColorSpace = "http://www.webrtc.org/experiments/rtp-hdrext/color-space";
constexpr const char* kCorruption =
    "http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection";
constexpr const char* kLayersAllocation =
    "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00";

}  // namespace

jsep::LocalCapabilities makeCapabilities(const Configuration& configuration) {
  jsep::LocalCapabilities out;
  Numbers numbers;
  std::vector<sdp::CodecParams> audio, video;
  addAudio(configuration, numbers, audio);
  addComfortNoise(numbers, audio);
  addTelephoneEvents(numbers, audio);
  addVideo(configuration, numbers, video);
  // Last, so that they take no numbers that codecs prefer.
  if (configuration.audioRedundancy != AudioRedundancy::Off) addAudioRed(numbers, audio);
  if (configuration.videoFec && !configuration.receiveSimulcast) addVideoFec(numbers, video);
  out.audioCodecs = std::move(audio);
  out.videoCodecs = std::move(video);
  // Offered only on request of the application (setHeaderExtensionsToNegotiate): what is of use to
  // few and costs octets. What the peer asks for is agreed to.
  const auto onRequest = [](const char* uri, uint16_t id) {
    jsep::HeaderExtensionCapability capability{uri, id};
    capability.offered = false;
    return capability;
  };
  // Nor does the peer get these without the application's leave. Transmission offsets tell nothing
  // that abs-send-time does not, and all browsers offer both. Corruption detection shows samples of
  // the picture outside of the payload: who looks on may put them together.
  const auto onApplication = [](const char* uri) {
    jsep::HeaderExtensionCapability capability{uri, 0};
    capability.offered = capability.accepted = false;
    return capability;
  };
  out.audioExtensions = {{kAudioLevel, 1}, {kAbsSendTime, 2},          {kTransportCc, 3},
                         {kMid, 4},        onRequest(kCaptureTime, 9), onRequest(kCsrcLevel, 8)};
  out.videoExtensions = {{kOrientation, 13},
                         {kAbsSendTime, 2},
                         {kTransportCc, 3},
                         {kMid, 4},
                         {kPlayoutDelay, 5},
                         {kContentType, 6},
                         {kRid, 10},
                         {kRepairedRid, 11},
                         onRequest(kCaptureTime, 9),
                         onRequest(kDependencies, 12),
                         onRequest(kLayersAllocation, 7),
                         onRequest(kVideoTiming, 14),
                         onRequest(kColorSpace, 0),
                         onApplication(kTransmissionOffset),
                         onApplication(kCorruption)};
  return out;
}

std::vector<RtpCodec> capabilityCodecs(const Configuration& configuration, MediaKind kind) {
  const jsep::LocalCapabilities capabilities = makeCapabilities(configuration);
  std::vector<RtpCodec> out;
  bool rtx = false;
  for (const auto& codec :
       kind == MediaKind::Audio ? capabilities.audioCodecs : capabilities.videoCodecs) {
    // W3C 5.2 getCapabilities: one entry stands for rtx, without its apt; and what red carries is a
    // matter of numbers.
    if (codec.is("rtx") && std::exchange(rtx, true)) continue;
    RtpCodec entry = fromSdp(codec, kind);
    if (codec.is("rtx") || codec.is("red")) entry.sdpFmtpLine.reset();
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<RtpCapabilities::Scalability> scalabilityOf(const Configuration& configuration) {
  std::vector<RtpCapabilities::Scalability> out;
  const auto add = [&](const codec::SdpVideoFormat& format) {
    const std::string type = "video/" + format.name;
    auto entry = std::find_if(out.begin(), out.end(), [&](const auto& known) {
      return equalsIgnoreCase(known.mimeType, type);
    });
    if (entry == out.end()) entry = out.insert(out.end(), {type, {}});
    for (const std::string& mode : format.scalabilityModes) {
      const bool known =
          std::find(entry->modes.begin(), entry->modes.end(), mode) != entry->modes.end();
      if (!known && codec::parseScalabilityMode(mode)) entry->modes.push_back(mode);
    }
    if (entry->modes.empty()) entry->modes = {"L1T1"};
  };
  for (const auto& format : configuration.videoEncoders->supportedFormats()) add(format);
  // Those of an application's own encoders, as it says.
  for (const auto& format : configuration.encodedVideoFormats) add(format);
  return out;
}

RtpHeaderExtensionCapability fromCapability(const jsep::HeaderExtensionCapability& capability) {
  return {capability.uri,
          capability.offered ? fromSdp(capability.direction) : TransceiverDirection::Stopped};
}

namespace {

void addBuiltin(Configuration& configuration) {
  if (!configuration.audioEncoders) configuration.audioEncoders = codec::builtinAudioEncoders();
  if (!configuration.videoEncoders) configuration.videoEncoders = codec::builtinVideoEncoders();
  if (!configuration.audioDecoders) configuration.audioDecoders = codec::builtinAudioDecoders();
  if (!configuration.videoDecoders) configuration.videoDecoders = codec::builtinVideoDecoders();
}

}  // namespace

BuiltinCodecs::BuiltinCodecs() {
  Configuration builtin;
  addBuiltin(builtin);
  videoEncoders = builtin.videoEncoders;
  videoDecoders = builtin.videoDecoders;
  audioEncoders = builtin.audioEncoders;
  audioDecoders = builtin.audioDecoders;
  capabilities = makeCapabilities(builtin);
}

RtpCapabilities capabilitiesWith(Configuration configuration, MediaKind kind) {
  addBuiltin(configuration);
  return capabilitiesOf(configuration, kind);
}

RtpCapabilities capabilitiesOf(const Configuration& configuration, MediaKind kind) {
  RtpCapabilities out;
  out.codecs = capabilityCodecs(configuration, kind);
  if (kind == MediaKind::Video) out.scalability = scalabilityOf(configuration);
  const jsep::LocalCapabilities capabilities = makeCapabilities(configuration);
  for (const auto& extension :
       kind == MediaKind::Audio ? capabilities.audioExtensions : capabilities.videoExtensions) {
    out.headerExtensions.push_back(fromCapability(extension));
  }
  return out;
}

}  // namespace parley::api_internal
