#include "parley/codec/factories.h"

#include <algorithm>
#include <charconv>

#include "parley/base/text.h"
#include "parley/codec/formats.h"

#include "codec/g711.h"
#include "codec/opus.h"
#include "codec/vpx.h"

namespace parley::codec {
namespace {

const std::string* find(const FormatParameters& parameters, std::string_view key) {
  for (const auto& [name, value] : parameters) {
    if (equalsIgnoreCase(name, key)) return &value;
  }
  return nullptr;
}

Failure unsupported(const std::string& name) {
  return fail(ErrorCode::NotSupported, "this build has no codec for the format \"" + name + "\"");
}

Result<void> checkAudioSettings(const AudioEncoderSettings& settings) {
  const int64_t ms = settings.packetTime.millis();
  if (ms != 10 && ms != 20 && ms != 40 && ms != 60)
    return fail(ErrorCode::Range, "a packet holds 10, 20, 40 or 60 ms of sound");
  if (settings.channels < 1 || settings.channels > 2)
    return fail(ErrorCode::Range, "1 or 2 channels are possible");
  return ok();
}

#ifdef PARLEY_WITH_VPX
/// Profile 0 is 8 bits in 4:2:0, all this library handles (RFC 9628 section 6: 0 when absent).
std::optional<VpxKind> vpxKind(const SdpVideoFormat& format) {
  if (equalsIgnoreCase(format.name, "VP8")) return VpxKind::Vp8;
  if (!equalsIgnoreCase(format.name, "VP9")) return std::nullopt;
  const std::string* profile = format.parameter("profile-id");
  if (profile != nullptr && *profile != "0") return std::nullopt;
  return VpxKind::Vp9;
}
#endif

std::vector<SdpVideoFormat> videoFormats() {
#ifdef PARLEY_WITH_VPX
  return {{"VP8", {}, {"L1T1", "L1T2", "L1T3"}},
          {"VP9",
           {{"profile-id", "0"}},
           {"L1T1", "L1T2", "L1T3", "L2T1", "L2T2", "L2T3", "L3T1", "L3T2", "L3T3", "L2T1_KEY",
            "L2T2_KEY", "L2T3_KEY", "L3T1_KEY", "L3T2_KEY", "L3T3_KEY", "L2T1h", "L2T2h", "L2T3h",
            "L3T1h", "L3T2h", "L3T3h",
            // Of those with layers that do not build on each other, what libvpx can decode again.
            "S2T2", "S2T3", "S2T2h", "S2T3h"}}};
#else
  return {};
#endif
}

std::vector<SdpAudioFormat> audioFormats() {
  std::vector<SdpAudioFormat> formats;
#ifdef PARLEY_WITH_OPUS
  formats.push_back(opusFormat());
#endif
  formats.push_back({"PCMU", 8000, 1, {}});
  formats.push_back({"PCMA", 8000, 1, {}});
  return formats;
}

class VideoEncoders final : public VideoEncoderFactory {
 public:
  std::vector<SdpVideoFormat> supportedFormats() const override { return videoFormats(); }
  Result<std::unique_ptr<VideoEncoder>> create(
      const SdpVideoFormat& format,
      [[maybe_unused]] const VideoEncoderSettings& settings) const override {
#ifdef PARLEY_WITH_VPX
    if (const auto kind = vpxKind(format)) {
      auto encoder = createVpxEncoder(*kind);
      if (auto configured = encoder->configure(settings); !configured)
        return fail(configured.error());
      return encoder;
    }
#endif
    return unsupported(format.name);
  }
};

class VideoDecoders final : public VideoDecoderFactory {
 public:
  std::vector<SdpVideoFormat> supportedFormats() const override { return videoFormats(); }
  Result<std::unique_ptr<VideoDecoder>> create(
      const SdpVideoFormat& format,
      [[maybe_unused]] const VideoDecoderSettings& settings) const override {
#ifdef PARLEY_WITH_VPX
    if (const auto kind = vpxKind(format)) return createVpxDecoder(*kind, settings);
#endif
    return unsupported(format.name);
  }
};

class AudioEncoders final : public AudioEncoderFactory {
 public:
  std::vector<SdpAudioFormat> supportedFormats() const override { return audioFormats(); }
  Result<std::unique_ptr<AudioEncoder>> create(
      const SdpAudioFormat& format, const AudioEncoderSettings& settings) const override {
    if (auto checked = checkAudioSettings(settings); !checked) return fail(checked.error());
    if (equalsIgnoreCase(format.name, "PCMU")) return createG711Encoder(G711Law::Mu, settings);
    if (equalsIgnoreCase(format.name, "PCMA")) return createG711Encoder(G711Law::A, settings);
#ifdef PARLEY_WITH_OPUS
    if (equalsIgnoreCase(format.name, "opus"))
      return createOpusEncoder(applyOpusParameters(settings, format.parameters));
#endif
    return unsupported(format.name);
  }
};

class AudioDecoders final : public AudioDecoderFactory {
 public:
  std::vector<SdpAudioFormat> supportedFormats() const override { return audioFormats(); }
  Result<std::unique_ptr<AudioDecoder>> create(const SdpAudioFormat& format) const override {
    if (equalsIgnoreCase(format.name, "PCMU")) return createG711Decoder(G711Law::Mu);
    if (equalsIgnoreCase(format.name, "PCMA")) return createG711Decoder(G711Law::A);
#ifdef PARLEY_WITH_OPUS
    if (equalsIgnoreCase(format.name, "opus")) {
      // RFC 7587 section 6.1: what we prefer to receive; either kind of packet decodes to either.
      const std::string* stereo = format.parameter("stereo");
      return createOpusDecoder(stereo != nullptr && *stereo == "1" ? 2 : 1);
    }
#endif
    return unsupported(format.name);
  }
};

}  // namespace

const std::string* SdpVideoFormat::parameter(std::string_view key) const {
  return find(parameters, key);
}
const std::string* SdpAudioFormat::parameter(std::string_view key) const {
  return find(parameters, key);
}

std::unique_ptr<VideoEncoderFactory> builtinVideoEncoders() {
  return std::make_unique<VideoEncoders>();
}
std::unique_ptr<VideoDecoderFactory> builtinVideoDecoders() {
  return std::make_unique<VideoDecoders>();
}
std::unique_ptr<AudioEncoderFactory> builtinAudioEncoders() {
  return std::make_unique<AudioEncoders>();
}
std::unique_ptr<AudioDecoderFactory> builtinAudioDecoders() {
  return std::make_unique<AudioDecoders>();
}

AudioEncoderSettings applyOpusParameters(AudioEncoderSettings settings,
                                         const FormatParameters& parameters) {
  const auto flag = [&](std::string_view key, bool fallback) {
    const std::string* value = find(parameters, key);
    if (value == nullptr) return fallback;
    return *value == "1" ? true : *value == "0" ? false : fallback;
  };
  settings.fec = settings.fec && flag("useinbandfec", false);
  settings.dtx = flag("usedtx", settings.dtx);
  settings.constantBitrate = flag("cbr", settings.constantBitrate);
  if (!flag("stereo", false)) settings.channels = 1;
  if (const std::string* value = find(parameters, "maxaveragebitrate")) {
    int64_t bps = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), bps);
    if (error == std::errc() && end == value->data() + value->size() && bps >= 6'000 &&
        bps <= 510'000)
      settings.bitrate = std::min(settings.bitrate, DataRate::bps(bps));
  }
  return settings;
}

}  // namespace parley::codec
