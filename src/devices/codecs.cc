#include "parley/devices/codecs.h"

#include <algorithm>

#include "parley/base/text.h"
#include "parley/codec/factories.h"
#include "parley/codec/formats.h"

#include "devices/ffmpeg_codecs.h"

namespace parley::devices {
namespace {

std::vector<codec::SdpVideoFormat> withOthers(std::vector<codec::SdpVideoFormat> formats,
                                              bool (*has)(std::string_view)) {
  if (has("H264")) {
    for (codec::SdpVideoFormat& format : codec::h264Formats()) formats.push_back(std::move(format));
  }
  if (has("AV1")) formats.push_back(codec::av1Format());
  if (has("H265")) formats.push_back(codec::h265Format());
  return formats;
}

/// G.711 is the last resort of telephones.
std::vector<codec::SdpAudioFormat> withG722(std::vector<codec::SdpAudioFormat> formats, bool has) {
  const auto narrow = std::find_if(formats.begin(), formats.end(),
                                   [](const auto& format) { return format.clockRate == 8000; });
  if (has) formats.insert(narrow, codec::g722Format());
  return formats;
}

bool isBuiltIn(const std::string& name) {
  return equalsIgnoreCase(name, "VP8") || equalsIgnoreCase(name, "VP9");
}

class VideoEncoders final : public codec::VideoEncoderFactory {
 public:
  std::vector<codec::SdpVideoFormat> supportedFormats() const override {
    return withOthers(builtin_->supportedFormats(), canEncodeVideo);
  }
  Result<std::unique_ptr<codec::VideoEncoder>> create(
      const codec::SdpVideoFormat& format,
      const codec::VideoEncoderSettings& settings) const override {
    if (isBuiltIn(format.name)) return builtin_->create(format, settings);
    return makeVideoEncoder(format, settings);
  }

 private:
  std::unique_ptr<codec::VideoEncoderFactory> builtin_ = codec::builtinVideoEncoders();
};

class VideoDecoders final : public codec::VideoDecoderFactory {
 public:
  std::vector<codec::SdpVideoFormat> supportedFormats() const override {
    return withOthers(builtin_->supportedFormats(), canDecodeVideo);
  }
  Result<std::unique_ptr<codec::VideoDecoder>> create(
      const codec::SdpVideoFormat& format,
      const codec::VideoDecoderSettings& settings) const override {
    if (isBuiltIn(format.name)) return builtin_->create(format, settings);
    return makeVideoDecoder(format, settings);
  }

 private:
  std::unique_ptr<codec::VideoDecoderFactory> builtin_ = codec::builtinVideoDecoders();
};

class AudioEncoders final : public codec::AudioEncoderFactory {
 public:
  std::vector<codec::SdpAudioFormat> supportedFormats() const override {
    return withG722(builtin_->supportedFormats(), canEncodeG722());
  }
  Result<std::unique_ptr<codec::AudioEncoder>> create(
      const codec::SdpAudioFormat& format,
      const codec::AudioEncoderSettings& settings) const override {
    if (equalsIgnoreCase(format.name, "G722")) return makeG722Encoder(settings);
    return builtin_->create(format, settings);
  }

 private:
  std::unique_ptr<codec::AudioEncoderFactory> builtin_ = codec::builtinAudioEncoders();
};

class AudioDecoders final : public codec::AudioDecoderFactory {
 public:
  std::vector<codec::SdpAudioFormat> supportedFormats() const override {
    return withG722(builtin_->supportedFormats(), canDecodeG722());
  }
  Result<std::unique_ptr<codec::AudioDecoder>> create(
      const codec::SdpAudioFormat& format) const override {
    if (equalsIgnoreCase(format.name, "G722")) return makeG722Decoder();
    return builtin_->create(format);
  }

 private:
  std::unique_ptr<codec::AudioDecoderFactory> builtin_ = codec::builtinAudioDecoders();
};

}  // namespace

std::shared_ptr<codec::VideoEncoderFactory> ffmpegVideoEncoders() {
  return std::make_shared<VideoEncoders>();
}
std::shared_ptr<codec::VideoDecoderFactory> ffmpegVideoDecoders() {
  return std::make_shared<VideoDecoders>();
}
std::shared_ptr<codec::AudioEncoderFactory> ffmpegAudioEncoders() {
  return std::make_shared<AudioEncoders>();
}
std::shared_ptr<codec::AudioDecoderFactory> ffmpegAudioDecoders() {
  return std::make_shared<AudioDecoders>();
}

void useFfmpegCodecs(Configuration& configuration) {
  if (!configuration.videoEncoders) configuration.videoEncoders = ffmpegVideoEncoders();
  if (!configuration.videoDecoders) configuration.videoDecoders = ffmpegVideoDecoders();
  if (!configuration.audioEncoders) configuration.audioEncoders = ffmpegAudioEncoders();
  if (!configuration.audioDecoders) configuration.audioDecoders = ffmpegAudioDecoders();
}

}  // namespace parley::devices
