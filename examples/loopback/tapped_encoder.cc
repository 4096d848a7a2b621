#include "tapped_encoder.h"

#include <utility>

#include "parley/codec/factories.h"

namespace loopback {
namespace {

using namespace parley::codec;
using parley::DataRate;
using parley::fail;
using parley::Result;

using Tap = std::function<void(const EncodedVideoFrame&)>;

class TappedEncoder final : public VideoEncoder {
 public:
  TappedEncoder(std::unique_ptr<VideoEncoder> inner, Tap tap)
      : inner_(std::move(inner)), tap_(std::move(tap)) {}
  Result<void> configure(const VideoEncoderSettings& settings) override {
    return inner_->configure(settings);
  }
  Result<void> encode(const VideoFrame& frame, bool keyFrame) override {
    return inner_->encode(frame, keyFrame);
  }
  bool poll(EncodedVideoFrame& out) override {
    if (!inner_->poll(out)) return false;
    tap_(out);
    return true;
  }
  void setRates(DataRate target, double framerate) override { inner_->setRates(target, framerate); }
  std::string_view implementationName() const override { return inner_->implementationName(); }

 private:
  std::unique_ptr<VideoEncoder> inner_;
  Tap tap_;
};

class TappedFactory final : public VideoEncoderFactory {
 public:
  explicit TappedFactory(Tap tap) : tap_(std::move(tap)) {}
  std::vector<SdpVideoFormat> supportedFormats() const override {
    return inner_->supportedFormats();
  }
  Result<std::unique_ptr<VideoEncoder>> create(
      const SdpVideoFormat& format, const VideoEncoderSettings& settings) const override {
    auto made = inner_->create(format, settings);
    if (!made) return fail(made.error());
    return std::unique_ptr<VideoEncoder>(std::make_unique<TappedEncoder>(*std::move(made), tap_));
  }

 private:
  std::unique_ptr<VideoEncoderFactory> inner_ = builtinVideoEncoders();
  Tap tap_;
};

}  // namespace

std::shared_ptr<VideoEncoderFactory> tappedEncoders(Tap onEncoded) {
  return std::make_shared<TappedFactory>(std::move(onEncoded));
}

}  // namespace loopback
