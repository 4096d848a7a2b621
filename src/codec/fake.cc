#include "parley/codec/fake.h"

#include <algorithm>

#include "parley/base/bytes.h"
#include "parley/base/ring_queue.h"
#include "parley/base/text.h"
#include "parley/rtp/payload_format/vpx_frame_header.h"

namespace parley::codec {
namespace {

constexpr uint32_t kMagic = 0x5046414b;
constexpr size_t kDeltaHeader = 3;
constexpr size_t kKeyHeader = 10;
constexpr size_t kMinSize = kKeyHeader + 12;
constexpr size_t kMaxPending = 8;

/// The byte at a place, so that a receiver can verify every one.
uint8_t contentAt(uint32_t number, size_t at) {
  return static_cast<uint8_t>((number * 2654435761u + static_cast<uint32_t>(at) * 40503u) >> 13);
}

class FakeEncoder final : public VideoEncoder {
 public:
  FakeEncoder() : pending_(kMaxPending) {}

  Result<void> configure(const VideoEncoderSettings& settings) override {
    if (settings.width < 1 || settings.height < 1 || settings.width > 16383 ||
        settings.height > 16383)
      return fail(ErrorCode::Range, "the picture size must be within 1..16383");
    settings_ = settings;
    target_ = settings.startBitrate;
    framerate_ = settings.maxFramerate;
    first_ = true;
    debt_ = 0;
    return ok();
  }

  Result<void> encode(const VideoFrame& frame, bool keyFrame) override {
    if (!frame.buffer) return fail(ErrorCode::Type, "the frame has no picture");
    if (pending_.full())
      return fail(ErrorCode::ResourceExhausted, "poll() the earlier frames first");
    const bool resized = frame.width() != settings_.width || frame.height() != settings_.height;
    settings_.width = frame.width();
    settings_.height = frame.height();
    keyFrame = keyFrame || first_ || resized;
    first_ = false;
    EncodedVideoFrame out;
    out.data = std::move(spare_);
    write(out.data, keyFrame, sizeFor(keyFrame));
    out.keyFrame = keyFrame;
    out.capture = frame.capture;
    out.rtpTimestamp = videoRtpTimestamp(frame.capture);
    out.width = settings_.width;
    out.height = settings_.height;
    out.rotation = frame.rotation;
    out.info = Vp8Info{};
    ++number_;
    pending_.push(std::move(out));
    return ok();
  }

  bool poll(EncodedVideoFrame& out) override {
    if (pending_.empty()) return false;
    spare_ = std::move(out.data);
    out = pending_.pop();
    return true;
  }
  void setRates(DataRate target, double framerate) override {
    target_ = std::clamp(target, std::min(settings_.minBitrate, settings_.maxBitrate),
                         settings_.maxBitrate);
    if (framerate >= 1) framerate_ = framerate;
  }
  std::string_view implementationName() const override { return "fake"; }

 private:
  size_t sizeFor(bool keyFrame) {
    const auto share = static_cast<int64_t>(static_cast<double>(target_.bps()) / 8 / framerate_);
    if (keyFrame) {
      debt_ += share * (kFakeKeyFrameWeight - 1);
      return std::max(kMinSize, static_cast<size_t>(share * kFakeKeyFrameWeight));
    }
    const int64_t repaid = std::min(debt_, share / 4);
    debt_ -= repaid;
    return std::max(kMinSize, static_cast<size_t>(share - repaid));
  }

  void write(Bytes& out, bool keyFrame, size_t size) {
    out.resize(size);
    ByteWriter writer(out);
    // RFC 6386 section 9.1: frame type, version 0, show_frame, no first partition; then the start
    // code and the little-endian size of a key frame.
    writer.u8(keyFrame ? 0x10 : 0x11);
    writer.zeros(2);
    if (keyFrame) {
      writer.u24(0x9d012a);
      writer.u8(static_cast<uint8_t>(settings_.width));
      writer.u8(static_cast<uint8_t>(settings_.width >> 8));
      writer.u8(static_cast<uint8_t>(settings_.height));
      writer.u8(static_cast<uint8_t>(settings_.height >> 8));
    }
    writer.u32(kMagic);
    writer.u32(number_);
    writer.u32(static_cast<uint32_t>(size));
    for (size_t at = writer.size(); at < size; ++at) out[at] = contentAt(number_, at);
  }

  VideoEncoderSettings settings_;
  DataRate target_ = DataRate::kbps(300);
  double framerate_ = 30;
  int64_t debt_ = 0;
  uint32_t number_ = 0;
  bool first_ = true;
  RingQueue<EncodedVideoFrame> pending_;
  Bytes spare_;
};

class FakeDecoder final : public VideoDecoder {
 public:
  FakeDecoder() {
    auto grey = I420Buffer::create(16, 16);
    grey->fill(128, 128, 128);
    picture_ = std::move(grey);
  }

  DecodeStatus decode(const EncodedVideoView& frame, VideoFrame& out) override {
    const auto header = rtp::parseVp8FrameHeader(frame.data);
    if (!header) return broken();
    ByteReader reader(frame.data);
    reader.skip(header->keyFrame ? kKeyHeader : kDeltaHeader);
    const uint32_t magic = reader.u32();
    const uint32_t number = reader.u32();
    const uint32_t size = reader.u32();
    if (!reader.ok() || magic != kMagic || size != frame.data.size()) return broken();
    for (size_t at = reader.position(); at < size; ++at) {
      if (frame.data[at] != contentAt(number, at)) return broken();
    }
    if (!header->keyFrame && (!synced_ || number != last_ + 1)) {
      synced_ = false;
      return DecodeStatus::NeedKeyFrame;
    }
    synced_ = true;
    last_ = number;
    out.buffer = picture_;
    out.capture = frame.capture;
    out.rtpTimestamp = frame.rtpTimestamp;
    out.rotation = frame.rotation;
    return DecodeStatus::Ok;
  }
  void reset() override { synced_ = false; }
  std::string_view implementationName() const override { return "fake"; }

 private:
  DecodeStatus broken() {
    synced_ = false;
    return DecodeStatus::Error;
  }
  std::shared_ptr<const I420Buffer> picture_;
  bool synced_ = false;
  uint32_t last_ = 0;
};

class Encoders final : public VideoEncoderFactory {
 public:
  std::vector<SdpVideoFormat> supportedFormats() const override { return {{"VP8", {}, {"L1T1"}}}; }
  Result<std::unique_ptr<VideoEncoder>> create(
      const SdpVideoFormat& format, const VideoEncoderSettings& settings) const override {
    if (!equalsIgnoreCase(format.name, "VP8"))
      return fail(ErrorCode::NotSupported, "the fake codec poses as VP8 only");
    auto encoder = std::make_unique<FakeEncoder>();
    if (auto configured = encoder->configure(settings); !configured)
      return fail(configured.error());
    return std::unique_ptr<VideoEncoder>(std::move(encoder));
  }
};

class Decoders final : public VideoDecoderFactory {
 public:
  std::vector<SdpVideoFormat> supportedFormats() const override { return {{"VP8", {}, {}}}; }
  Result<std::unique_ptr<VideoDecoder>> create(const SdpVideoFormat& format,
                                               const VideoDecoderSettings&) const override {
    if (!equalsIgnoreCase(format.name, "VP8"))
      return fail(ErrorCode::NotSupported, "the fake codec poses as VP8 only");
    return std::unique_ptr<VideoDecoder>(std::make_unique<FakeDecoder>());
  }
};

}  // namespace

std::unique_ptr<VideoEncoderFactory> fakeVideoEncoders() {
  return std::make_unique<Encoders>();
}
std::unique_ptr<VideoDecoderFactory> fakeVideoDecoders() {
  return std::make_unique<Decoders>();
}

}  // namespace parley::codec
