#include "compressed.h"

#include <stdexcept>
#include <utility>

#include "parley/base/text.h"
#include "parley/codec/factories.h"
#include "parley/codec/formats.h"

#ifdef PARLEY_INTEROP_DEVICES
#include "parley/devices/codecs.h"
#endif

namespace parley::interop {
namespace {

std::vector<codec::SdpVideoFormat> videoFormats() {
  std::vector<codec::SdpVideoFormat> out = codec::h264Formats();
  out.push_back(codec::av1Format());
  out.push_back(codec::h265Format());
  return out;
}

std::shared_ptr<codec::VideoEncoderFactory> encoders() {
  Configuration configuration;
  useMoreCodecs(configuration);
  return configuration.videoEncoders ? configuration.videoEncoders : codec::builtinVideoEncoders();
}

std::shared_ptr<codec::VideoDecoderFactory> decoders() {
  Configuration configuration;
  useMoreCodecs(configuration);
  return configuration.videoDecoders ? configuration.videoDecoders : codec::builtinVideoDecoders();
}

template <class Factory>
auto formatOf(const Factory& factory, const std::string& name) {
  for (const auto& format : factory.supportedFormats()) {
    if (equalsIgnoreCase(format.name, name)) return format;
  }
  throw std::runtime_error("no codec here for " + name);
}

/// Shared with the callbacks of both tracks, which all run on the loop's thread.
struct Camera {
  MediaStreamTrack raw, compressed;
  std::shared_ptr<codec::VideoEncoderFactory> factory;
  codec::SdpVideoFormat format;
  std::unique_ptr<codec::VideoEncoder> encoder;
  DataRate rate;
  bool keyFrame = true;
  codec::EncodedVideoFrame frame;

  void take(const codec::VideoFrame& picture) {
    if (rate.isZero()) return;
    if (!encoder) {
      codec::VideoEncoderSettings settings;
      settings.width = picture.width();
      settings.height = picture.height();
      settings.startBitrate = rate;
      auto made = factory->create(format, settings);
      if (!made) return;
      encoder = *std::move(made);
    }
    encoder->setRates(rate, 30);
    if (!encoder->encode(picture, std::exchange(keyFrame, false))) return;
    while (encoder->poll(frame)) (void)compressed.push(frame);
  }
};

}  // namespace

void useMoreCodecs([[maybe_unused]] Configuration& configuration) {
#ifdef PARLEY_INTEROP_DEVICES
  devices::useFfmpegCodecs(configuration);
#endif
}

void bringCodecs(Configuration& configuration) {
  configuration.encodedVideoFormats = videoFormats();
}

MediaStreamTrack makeCompressedTrack(const std::shared_ptr<Loop>& loop,
                                     std::shared_ptr<VideoSource> source,
                                     const std::string& codec) {
  const auto camera = std::make_shared<Camera>();
  camera->factory = encoders();
  camera->format = formatOf(*camera->factory, codec);
  MediaStreamTrack out = MediaStreamTrack::createEncodedVideo(loop, codec);
  camera->compressed = out;
  camera->raw = MediaStreamTrack::createVideo(loop, std::move(source));
  // The camera lives as long as the process: this is a test peer.
  camera->raw.setVideoSink([camera](const codec::VideoFrame& frame) { camera->take(frame); });
  out.onKeyFrameNeeded([camera] { camera->keyFrame = true; });
  out.onTargetBitrate([camera](DataRate rate) { camera->rate = rate; });
  return out;
}

std::shared_ptr<const codec::I420Buffer> SinkDecoder::decode(
    const codec::EncodedVideoFrame& frame) {
  if (!decoder_ || codec_ != frame.codec) {
    const auto factory = decoders();
    auto made = factory->create(formatOf(*factory, frame.codec), {});
    if (!made) return nullptr;
    decoder_ = *std::move(made);
    codec_ = frame.codec;
  }
  codec::VideoFrame picture;
  const codec::EncodedVideoView view{frame.data, frame.keyFrame, frame.rtpTimestamp, frame.capture,
                                     frame.rotation};
  if (decoder_->decode(view, picture) != codec::DecodeStatus::Ok) return nullptr;
  return picture.buffer;
}

}  // namespace parley::interop
