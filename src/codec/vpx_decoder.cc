#include "codec/vpx.h"

#ifdef PARLEY_WITH_VPX

#include <algorithm>

#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

#include "parley/rtp/payload_format/vpx_frame_header.h"

namespace parley::codec {
namespace {

class Decoder final : public VideoDecoder {
 public:
  Decoder(VpxKind kind, const VideoDecoderSettings& settings) : kind_(kind), settings_(settings) {}
  ~Decoder() override { close(); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool open() {
    vpx_codec_dec_cfg_t config{};
    config.threads = static_cast<unsigned>(std::clamp(settings_.threads, 1, 4));
    vpx_codec_iface_t* iface = kind_ == VpxKind::Vp8 ? vpx_codec_vp8_dx() : vpx_codec_vp9_dx();
    open_ = vpx_codec_dec_init(&context_, iface, &config, 0) == VPX_CODEC_OK;
    needKeyFrame_ = true;
    return open_;
  }

  DecodeStatus decode(const EncodedVideoView& frame, VideoFrame& out) override {
    const auto header = kind_ == VpxKind::Vp8 ? rtp::parseVp8FrameHeader(frame.data)
                                              : rtp::parseVp9FrameHeader(frame.data);
    if (!header) return failed();
    if (header->width && !allowed(*header->width, *header->height)) return failed();
    if (needKeyFrame_ && !header->keyFrame) return DecodeStatus::NeedKeyFrame;
    if (!open_ && !open()) return DecodeStatus::Error;
    if (vpx_codec_decode(&context_, frame.data.data(), static_cast<unsigned>(frame.data.size()),
                         nullptr, 0) != VPX_CODEC_OK)
      return failed();
    if (header->keyFrame) needKeyFrame_ = false;
    if (vpx_codec_control(&context_, VPXD_GET_LAST_QUANTIZER, &lastQp_) != VPX_CODEC_OK)
      lastQp_ = -1;
    int corrupted = 0;
    if (vpx_codec_control(&context_, VP8D_GET_FRAME_CORRUPTED, &corrupted) == VPX_CODEC_OK &&
        corrupted != 0)
      return failed();
    vpx_codec_iter_t iterator = nullptr;
    const vpx_image_t* shown = nullptr;
    while (const vpx_image_t* image = vpx_codec_get_frame(&context_, &iterator)) shown = image;
    if (shown == nullptr) return DecodeStatus::NoOutput;
    return copyOut(*shown, frame, out);
  }

  int lastQp() const override { return lastQp_; }
  void reset() override { close(); }
  std::string_view implementationName() const override { return "libvpx"; }

 private:
  bool allowed(int width, int height) const {
    if (width < 1 || height < 1) return false;
    return std::max(width, height) <= std::max(settings_.maxWidth, settings_.maxHeight) &&
           std::min(width, height) <= std::min(settings_.maxWidth, settings_.maxHeight);
  }

  DecodeStatus failed() {
    needKeyFrame_ = true;
    return DecodeStatus::Error;
  }

  DecodeStatus copyOut(const vpx_image_t& image, const EncodedVideoView& frame, VideoFrame& out) {
    const int width = static_cast<int>(image.d_w);
    const int height = static_cast<int>(image.d_h);
    // Frames chained without a superframe index escape the check of their headers.
    if (image.fmt != VPX_IMG_FMT_I420 || !allowed(width, height)) {
      close();
      return DecodeStatus::Error;
    }
    auto picture = pool_.acquire(width, height);
    if (!picture) picture = I420Buffer::create(width, height);
    picture->copyFrom(image.planes[VPX_PLANE_Y], image.stride[VPX_PLANE_Y],
                      image.planes[VPX_PLANE_U], image.stride[VPX_PLANE_U],
                      image.planes[VPX_PLANE_V], image.stride[VPX_PLANE_V]);
    out.buffer = std::move(picture);
    out.capture = frame.capture;
    out.rtpTimestamp = frame.rtpTimestamp;
    out.rotation = frame.rotation;
    return DecodeStatus::Ok;
  }

  void close() {
    if (open_) vpx_codec_destroy(&context_);
    open_ = false;
    needKeyFrame_ = true;
  }

  VpxKind kind_;
  VideoDecoderSettings settings_;
  vpx_codec_ctx_t context_{};
  bool open_ = false;
  bool needKeyFrame_ = true;
  int lastQp_ = -1;
  I420BufferPool pool_;
};

}  // namespace

Result<std::unique_ptr<VideoDecoder>> createVpxDecoder(VpxKind kind,
                                                       const VideoDecoderSettings& settings) {
  auto decoder = std::make_unique<Decoder>(kind, settings);
  if (!decoder->open()) return fail(ErrorCode::Operation, "the libvpx decoder refused to start");
  return std::unique_ptr<VideoDecoder>(std::move(decoder));
}

}  // namespace parley::codec

#endif  // PARLEY_WITH_VPX
