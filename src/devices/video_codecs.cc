// H.264, H.265 and AV1 by FFmpeg, set up for calls: no frame waits for a later one, key frames come
// only when they are asked for, and each brings its parameter sets.

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

#include "parley/base/text.h"

#include "devices/convert.h"
#include "devices/ffmpeg_codecs.h"

namespace parley::devices {
namespace {

struct Kind {
  std::string_view name;
  AVCodecID id;
  std::array<const char*, 2> encoders;  ///< FFmpeg's names, the best first
  const char* decoder;                  ///< nullptr: FFmpeg's own choice
  bool takesRates;                      ///< while it runs
};

constexpr Kind kKinds[] = {
    {"H264", AV_CODEC_ID_H264, {"libx264", "libopenh264"}, "h264", true},
    {"H265", AV_CODEC_ID_HEVC, {"libx265", nullptr}, "hevc", false},
    {"AV1", AV_CODEC_ID_AV1, {"libaom-av1", nullptr}, "libdav1d", false},
};

const Kind* kindOf(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (equalsIgnoreCase(kind.name, name)) return &kind;
  }
  return nullptr;
}

const AVCodec* encoderOf(const Kind& kind) {
  for (const char* name : kind.encoders) {
    if (const AVCodec* codec = name ? avcodec_find_encoder_by_name(name) : nullptr) return codec;
  }
  return nullptr;
}

const AVCodec* decoderOf(const Kind& kind) {
  if (const AVCodec* codec = avcodec_find_decoder_by_name(kind.decoder)) return codec;
  return avcodec_find_decoder(kind.id);
}

Failure unsupported(std::string_view name) {
  return fail(ErrorCode::NotSupported,
              "this FFmpeg has no codec for the format \"" + std::string(name) + "\"");
}

constexpr int kMaxSide = 8192;
/// Below whatever FFmpeg prints: what goes wrong is returned.
constexpr int kSilent = 100;
/// What a bitstream of no key frames but the wanted ones is called.
constexpr int kEndlessGroup = 1 << 20;
/// In packetization mode 0 a slice has to fit in a packet (RFC 6184 section 6.2).
constexpr const char* kSliceSize = "1000";

class Encoder final : public codec::VideoEncoder {
 public:
  Encoder(const Kind& kind, const AVCodec& codec, const codec::SdpVideoFormat& format)
      : kind_(kind), codec_(codec), format_(format) {}

  Result<void> configure(const codec::VideoEncoderSettings& settings) override {
    if (settings.width < 1 || settings.height < 1 || settings.width > kMaxSide ||
        settings.height > kMaxSide)
      return fail(ErrorCode::Range, "the picture size must be within 1..8192");
    if (settings.temporalLayers != 1 || settings.spatialLayers != 1)
      return fail(ErrorCode::NotSupported, "this encoder makes no layers");
    if (!(settings.maxFramerate > 0 && settings.maxFramerate <= 240))
      return fail(ErrorCode::Range, "the frame rate must be within 0..240");
    settings_ = settings;
    rate_ = settings.startBitrate;
    return open();
  }

  Result<void> encode(const codec::VideoFrame& frame, bool keyFrame) override {
    if (!frame.buffer) return fail(ErrorCode::Type, "the frame has no picture");
    // 4:2:0 coders want even sides: an odd row or column is left out.
    const int width = frame.width() & ~1;
    const int height = frame.height() & ~1;
    if (width < 2 || height < 2 || width > kMaxSide || height > kMaxSide)
      return fail(ErrorCode::Range, "pictures of such a size cannot be encoded");
    const bool resized = width != context_->width || height != context_->height;
    if (resized || wantsNewRate()) {
      settings_.width = width;
      settings_.height = height;
      if (auto opened = open(); !opened) return opened;
    }
    if (!fill(*frame.buffer)) return fail(ErrorCode::Operation, "out of memory");
    picture_->pts = frames_++;
    picture_->pict_type = keyFrame ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    pending_.push_back({picture_->pts, frame.capture, frame.rotation});
    if (const int error = avcodec_send_frame(context_.get(), picture_.get()); error < 0)
      return fail(ErrorCode::Operation, av::errorText(error));
    return ok();
  }

  bool poll(codec::EncodedVideoFrame& out) override {
    if (avcodec_receive_packet(context_.get(), packet_.get()) < 0) return false;
    while (!pending_.empty() && pending_.front().pts < packet_->pts) pending_.pop_front();
    out = {};
    out.data.assign(packet_->data, packet_->data + packet_->size);
    out.keyFrame = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    out.width = context_->width;
    out.height = context_->height;
    if (!pending_.empty()) {
      out.capture = pending_.front().capture;
      out.rotation = pending_.front().rotation;
      pending_.pop_front();
    }
    out.rtpTimestamp = codec::videoRtpTimestamp(out.capture);
    av_packet_unref(packet_.get());
    return true;
  }

  void setRates(DataRate target, double framerate) override {
    rate_ = target;
    if (framerate > 0) settings_.maxFramerate = framerate;
    if (kind_.takesRates) applyRate();
  }
  std::string_view implementationName() const override { return codec_.name; }

 private:
  struct Pending {
    int64_t pts;
    Timestamp capture;
    codec::VideoRotation rotation;
  };

  bool wantsNewRate() const {
    if (kind_.takesRates) return false;
    const double ratio =
        static_cast<double>(rate_.bps()) / static_cast<double>(std::max<int64_t>(1, opened_.bps()));
    return ratio > 1.25 || ratio < 0.8;
  }

  void applyRate() {
    context_->bit_rate = std::max<int64_t>(rate_.bps(), 20'000);
    context_->rc_max_rate = context_->bit_rate;
    // Half a second may be sent in advance: a key frame has to go through.
    context_->rc_buffer_size = static_cast<int>(std::min<int64_t>(context_->bit_rate / 2, 1 << 30));
  }

  Result<void> open() {
    context_.reset(avcodec_alloc_context3(&codec_));
    packet_ = av::makePacket();
    picture_ = av::makeFrame();
    if (!context_ || !packet_ || !picture_) return fail(ErrorCode::Operation, "out of memory");
    context_->log_level_offset = kSilent;
    context_->width = settings_.width & ~1;
    context_->height = settings_.height & ~1;
    context_->pix_fmt = AV_PIX_FMT_YUV420P;
    context_->color_range = AVCOL_RANGE_MPEG;
    const int fps = std::max(1, static_cast<int>(settings_.maxFramerate + 0.5));
    context_->time_base = {1, fps};
    context_->framerate = {fps, 1};
    context_->gop_size = kEndlessGroup;
    context_->max_b_frames = 0;
    context_->thread_count = std::max(1, settings_.threads);
    context_->thread_type = FF_THREAD_SLICE;
    applyRate();
    opened_ = rate_;
    AVDictionary* options = nullptr;
    setOptions(&options);
    const int error = avcodec_open2(context_.get(), &codec_, &options);
    av_dict_free(&options);
    if (error < 0) return fail(ErrorCode::Operation, av::errorText(error));
    picture_->format = AV_PIX_FMT_YUV420P;
    picture_->width = context_->width;
    picture_->height = context_->height;
    frames_ = 0;
    pending_.clear();
    return ok();
  }

  void setOptions(AVDictionary** options) {
    const std::string_view name = codec_.name;
    const auto set = [&](const char* key, const char* value) {
      av_dict_set(options, key, value, 0);
    };
    if (name == "libx264") {
      set("preset", settings_.screenContent ? "veryfast" : "superfast");
      set("tune", "zerolatency");
      set("forced-idr", "1");
      const std::string* profile = format_.parameter("profile-level-id");
      set("profile", profile && profile->starts_with("64") ? "high" : "baseline");
      const std::string* mode = format_.parameter("packetization-mode");
      if (!mode || *mode == "0") set("slice-max-size", kSliceSize);
    } else if (name == "libx265") {
      set("preset", "ultrafast");
      set("tune", "zerolatency");
      set("forced-idr", "1");
      set("x265-params", "repeat-headers=1:open-gop=0:bframes=0:log-level=none");
    } else if (name == "libaom-av1") {
      set("usage", "realtime");
      set("cpu-used", "8");
      set("lag-in-frames", "0");
      set("row-mt", "1");
    }
  }

  bool fill(const codec::I420Buffer& from) {
    av_frame_unref(picture_.get());
    picture_->format = AV_PIX_FMT_YUV420P;
    picture_->width = context_->width;
    picture_->height = context_->height;
    if (av_frame_get_buffer(picture_.get(), 0) < 0) return false;
    const auto copy = [&](int plane, const uint8_t* source, int stride, int width, int height) {
      for (int y = 0; y < height; ++y)
        std::memcpy(picture_->data[plane] + ptrdiff_t{y} * picture_->linesize[plane],
                    source + ptrdiff_t{y} * stride, static_cast<size_t>(width));
    };
    const int width = picture_->width;
    const int height = picture_->height;
    copy(0, from.dataY(), from.strideY(), width, height);
    copy(1, from.dataU(), from.strideU(), width / 2, height / 2);
    copy(2, from.dataV(), from.strideV(), width / 2, height / 2);
    return true;
  }

  const Kind& kind_;
  const AVCodec& codec_;
  const codec::SdpVideoFormat format_;
  codec::VideoEncoderSettings settings_;
  DataRate rate_;
  DataRate opened_;
  av::CodecContext context_;
  av::Frame picture_;
  av::Packet packet_;
  int64_t frames_ = 0;
  std::deque<Pending> pending_;
};

class Decoder final : public codec::VideoDecoder {
 public:
  Decoder(const AVCodec& codec, const codec::VideoDecoderSettings& settings)
      : codec_(codec), settings_(settings) {}

  Result<void> open() {
    context_.reset(avcodec_alloc_context3(&codec_));
    picture_ = av::makeFrame();
    packet_ = av::makePacket();
    if (!context_ || !picture_ || !packet_) return fail(ErrorCode::Operation, "out of memory");
    context_->log_level_offset = kSilent;
    context_->thread_count = 1;  // each more would hold a frame back
    context_->flags |= AV_CODEC_FLAG_LOW_DELAY;
    context_->max_pixels = int64_t{settings_.maxWidth} * settings_.maxHeight;
    context_->err_recognition = AV_EF_CAREFUL;
    if (const int error = avcodec_open2(context_.get(), &codec_, nullptr); error < 0)
      return fail(ErrorCode::Operation, av::errorText(error));
    return ok();
  }

  codec::DecodeStatus decode(const codec::EncodedVideoView& frame,
                             codec::VideoFrame& out) override {
    if (!ready_ && !frame.keyFrame) return codec::DecodeStatus::NeedKeyFrame;
    if (frame.data.empty() || av_new_packet(packet_.get(), static_cast<int>(frame.data.size())) < 0)
      return codec::DecodeStatus::Error;
    std::copy(frame.data.begin(), frame.data.end(), packet_->data);
    const int sent = avcodec_send_packet(context_.get(), packet_.get());
    av_packet_unref(packet_.get());
    if (sent < 0) return broken();
    bool any = false;
    bool damaged = false;
    while (avcodec_receive_frame(context_.get(), picture_.get()) >= 0) {
      damaged = picture_->decode_error_flags != 0 || (picture_->flags & AV_FRAME_FLAG_CORRUPT) != 0;
      std::shared_ptr<const codec::I420Buffer> buffer = converter_.convert(*picture_);
      av_frame_unref(picture_.get());
      if (!buffer || damaged) continue;
      out.buffer = std::move(buffer);
      any = true;
    }
    if (damaged) return broken();
    ready_ = true;
    if (!any) return codec::DecodeStatus::NoOutput;
    out.capture = frame.capture;
    out.rtpTimestamp = frame.rtpTimestamp;
    out.rotation = frame.rotation;
    return codec::DecodeStatus::Ok;
  }

  void reset() override {
    avcodec_flush_buffers(context_.get());
    ready_ = false;
  }
  std::string_view implementationName() const override { return codec_.name; }

 private:
  codec::DecodeStatus broken() {
    reset();
    return codec::DecodeStatus::NeedKeyFrame;
  }

  const AVCodec& codec_;
  const codec::VideoDecoderSettings settings_;
  av::CodecContext context_;
  av::Frame picture_;
  av::Packet packet_;
  PictureConverter converter_;
  bool ready_ = false;
};

}  // namespace

bool canEncodeVideo(std::string_view name) {
  const Kind* kind = kindOf(name);
  return kind && encoderOf(*kind);
}
bool canDecodeVideo(std::string_view name) {
  const Kind* kind = kindOf(name);
  return kind && decoderOf(*kind);
}

Result<std::unique_ptr<codec::VideoEncoder>> makeVideoEncoder(
    const codec::SdpVideoFormat& format, const codec::VideoEncoderSettings& settings) {
  const Kind* kind = kindOf(format.name);
  const AVCodec* codec = kind ? encoderOf(*kind) : nullptr;
  if (!codec) return unsupported(format.name);
  auto encoder = std::make_unique<Encoder>(*kind, *codec, format);
  if (auto configured = encoder->configure(settings); !configured) return fail(configured.error());
  return std::unique_ptr<codec::VideoEncoder>(std::move(encoder));
}

Result<std::unique_ptr<codec::VideoDecoder>> makeVideoDecoder(
    const codec::SdpVideoFormat& format, const codec::VideoDecoderSettings& settings) {
  const Kind* kind = kindOf(format.name);
  const AVCodec* codec = kind ? decoderOf(*kind) : nullptr;
  if (!codec) return unsupported(format.name);
  auto decoder = std::make_unique<Decoder>(*codec, settings);
  if (auto opened = decoder->open(); !opened) return fail(opened.error());
  return std::unique_ptr<codec::VideoDecoder>(std::move(decoder));
}

}  // namespace parley::devices
