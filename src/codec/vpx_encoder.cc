#include "codec/vpx.h"

#ifdef PARLEY_WITH_VPX

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <vector>

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include "parley/base/ring_queue.h"

#include "codec/plane_psnr.h"

namespace parley::codec {
namespace {

constexpr int kMaxSide = 16383;
constexpr size_t kMaxPending = 8;
// webrtc-stats psnrMeasurements: "The frequency of PSNR measurements is outside the scope of this
// specification." libvpx could measure each picture, which takes longer than it tells.
constexpr Duration kPsnrInterval = Duration::seconds(1);
// Of VP9E_SET_SVC_INTER_LAYER_PRED; vp8cx.h names them in words only.
constexpr unsigned kPredicted = 0;
constexpr unsigned kNotPredicted = 1;
constexpr unsigned kPredictedInKeyFrames = 2;

/// One step of a temporal layer pattern for VP8.
struct LayerStep {
  uint8_t layer;
  bool sync;         ///< refers to the base layer only
  bool discardable;  ///< updates nothing
  vpx_enc_frame_flags_t flags;
};

constexpr vpx_enc_frame_flags_t kBase =
    VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF;
constexpr vpx_enc_frame_flags_t kMiddle =
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF;
constexpr vpx_enc_frame_flags_t kTopOfBase = VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF |
                                             VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_UPD_ENTROPY |
                                             VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF;
constexpr vpx_enc_frame_flags_t kTopOfMiddle = VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF |
                                               VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_UPD_ENTROPY |
                                               VP8_EFLAG_NO_REF_ARF;
// The base layer lives in the last-frame buffer, the middle one in the golden buffer.
constexpr LayerStep kTwoLayers[] = {{0, false, false, kBase}, {1, true, true, kTopOfBase}};
constexpr LayerStep kThreeLayers[] = {{0, false, false, kBase},
                                      {2, true, true, kTopOfBase},
                                      {1, true, false, kMiddle},
                                      {2, false, true, kTopOfMiddle}};

class Encoder final : public VideoEncoder {
 public:
  explicit Encoder(VpxKind kind) : kind_(kind), pending_(kMaxPending) {}
  ~Encoder() override { close(); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  Result<void> configure(const VideoEncoderSettings& settings) override {
    if (settings.width < 1 || settings.height < 1 || settings.width > kMaxSide ||
        settings.height > kMaxSide)
      return fail(ErrorCode::Range, "the picture size must be within 1..16383");
    if (settings.temporalLayers < 1 || settings.temporalLayers > 3)
      return fail(ErrorCode::Range, "1 to 3 temporal layers are possible");
    if (settings.spatialLayers < 1 || settings.spatialLayers > (kind_ == VpxKind::Vp9 ? 3 : 1))
      return fail(ErrorCode::Range, "1 to 3 spatial layers are possible in VP9, 1 in VP8");
    if (!(settings.maxFramerate > 0 && settings.maxFramerate <= 240))
      return fail(ErrorCode::Range, "the frame rate must be within 0..240");
    settings_ = settings;
    target_ = settings.startBitrate;
    framerate_ = settings.maxFramerate;
    return open();
  }

  Result<void> encode(const VideoFrame& frame, bool keyFrame) override {
    if (!frame.buffer) return fail(ErrorCode::Type, "the frame has no picture");
    if (kMaxPending - pending_.size() < static_cast<size_t>(settings_.spatialLayers))
      return fail(ErrorCode::ResourceExhausted, "poll() the earlier frames first");
    if (frame.width() != settings_.width || frame.height() != settings_.height) {
      if (frame.width() > kMaxSide || frame.height() > kMaxSide)
        return fail(ErrorCode::Range, "the picture is too large");
      settings_.width = frame.width();
      settings_.height = frame.height();
      close();
    }
    // Never resized in place: libvpx has corrupted memory that way when the thread count changed.
    if (!open_) {
      if (auto opened = open(); !opened) return opened;
    }
    applyRates();
    return compress(frame, keyFrame || firstFrame_);
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
    if (framerate >= 1) framerate_ = std::min(framerate, 240.0);
    ratesChanged_ = true;
  }

  std::string_view implementationName() const override { return "libvpx"; }

 private:
  vpx_codec_iface_t* iface() const {
    return kind_ == VpxKind::Vp8 ? vpx_codec_vp8_cx() : vpx_codec_vp9_cx();
  }

  Result<void> open() {
    close();
    if (vpx_codec_enc_config_default(iface(), &config_, 0) != VPX_CODEC_OK)
      return fail(ErrorCode::Operation, "libvpx has no default configuration");
    const int pixels = settings_.width * settings_.height;
    config_.g_w = static_cast<unsigned>(settings_.width);
    config_.g_h = static_cast<unsigned>(settings_.height);
    config_.g_timebase = {1, 90'000};
    config_.g_threads =
        static_cast<unsigned>(pixels > 640 * 480 ? std::clamp(settings_.threads, 1, 4) : 1);
    config_.g_lag_in_frames = 0;
    // Layers above the base may be dropped on the way, so no frame may lean on their entropy state.
    config_.g_error_resilient = isLayered() ? VPX_ERROR_RESILIENT_DEFAULT : 0;
    config_.kf_mode = VPX_KF_DISABLED;  // key frames come when asked for
    config_.rc_end_usage = VPX_CBR;
    config_.rc_min_quantizer = kind_ == VpxKind::Vp8 ? 2 : 8;
    config_.rc_max_quantizer = kind_ == VpxKind::Vp8 ? 56 : 52;
    config_.rc_undershoot_pct = kind_ == VpxKind::Vp8 ? 100 : 50;
    config_.rc_overshoot_pct = kind_ == VpxKind::Vp8 ? 15 : 50;
    config_.rc_buf_initial_sz = 500;
    config_.rc_buf_optimal_sz = 600;
    config_.rc_buf_sz = 1000;
    config_.rc_dropframe_thresh = settings_.dropFrames ? 30 : 0;
    config_.rc_resize_allowed = 0;
    fillRates();
    if (vpx_codec_enc_init(&context_, iface(), &config_, 0) != VPX_CODEC_OK)
      return fail(ErrorCode::Operation, "the libvpx encoder refused to start");
    open_ = true;
    applyControls(pixels);
    ratesChanged_ = false;
    firstFrame_ = true;
    step_ = 0;
    measured_.reset();
    return ok();
  }

  void applyControls(int pixels) {
    vpx_codec_control(&context_, VP8E_SET_MAX_INTRA_BITRATE_PCT, maxIntraPercent());
    vpx_codec_control(&context_, VP8E_SET_STATIC_THRESHOLD, settings_.screenContent ? 100u : 1u);
    if (kind_ == VpxKind::Vp8) {
      // Negative values fix the speed; -4 still affords a better search for small pictures.
      const int automatic = pixels < 352 * 288 ? -4 : -6;
      vpx_codec_control(&context_, VP8E_SET_CPUUSED,
                        settings_.speed > 0 ? -settings_.speed : automatic);
      vpx_codec_control(&context_, VP8E_SET_NOISE_SENSITIVITY, 0u);
      vpx_codec_control(&context_, VP8E_SET_TOKEN_PARTITIONS,
                        static_cast<int>(VP8_ONE_TOKENPARTITION));
      vpx_codec_control(&context_, VP8E_SET_SCREEN_CONTENT_MODE, settings_.screenContent ? 1u : 0u);
      return;
    }
    vpx_codec_control(
        &context_, VP8E_SET_CPUUSED,
        settings_.speed > 0 ? std::min(settings_.speed, 9) : (pixels <= 352 * 288 ? 7 : 8));
    vpx_codec_control(&context_, VP9E_SET_AQ_MODE, 3u);
    vpx_codec_control(&context_, VP9E_SET_TILE_COLUMNS, config_.g_threads > 1 ? 1 : 0);
    vpx_codec_control(&context_, VP9E_SET_ROW_MT, config_.g_threads > 1 ? 1u : 0u);
    vpx_codec_control(&context_, VP9E_SET_FRAME_PARALLEL_DECODING, 0u);
    vpx_codec_control(
        &context_, VP9E_SET_TUNE_CONTENT,
        static_cast<int>(settings_.screenContent ? VP9E_CONTENT_SCREEN : VP9E_CONTENT_DEFAULT));
    if (isLayered()) {
      vpx_codec_control(&context_, VP9E_SET_SVC, 1);
      applyLayerControls();
    }
  }

  bool isLayered() const { return settings_.temporalLayers > 1 || settings_.spatialLayers > 1; }

  /// Of spatial layer `i`: the picture's size is multiplied by it.
  struct Scale {
    int over = 1;
    int under = 1;
  };
  Scale scaleOf(int i) const {
    Scale out;
    for (int above = settings_.spatialLayers - 1; above > i; --above) {
      out.over *= settings_.smallSteps ? 2 : 1;
      out.under *= settings_.smallSteps ? 3 : 2;
    }
    return out;
  }

  /// One side of the pictures of spatial layer `i`: libvpx makes smaller ones even.
  int sideOf(int i, int side) const {
    const Scale scale = scaleOf(i);
    return scale.under == 1 ? side : (side * scale.over / scale.under + 1) & ~1;
  }

  /// The share of the bitrate of spatial layer `i`. Four times the pixels of a layer that builds on
  /// the one below take somewhat less than three times the bits; layers that do not build on each
  /// other take what simulcast gives them.
  double shareOf(int i) const {
    double sum = 0, own = 0;
    double weight = 1;
    for (int layer = 0; layer < settings_.spatialLayers; ++layer) {
      if (layer == i) own = weight;
      sum += weight;
      weight *= settings_.smallSteps ? 1.75 : settings_.independent ? 3.0 : 2.7;
    }
    return own / sum;
  }

  void applyLayerControls() {
    const int pixels = settings_.width * settings_.height;
    vpx_svc_extra_cfg_t svc{};
    for (int i = 0; i < settings_.spatialLayers * settings_.temporalLayers; ++i) {
      svc.max_quantizers[i] = static_cast<int>(config_.rc_max_quantizer);
      svc.min_quantizers[i] = static_cast<int>(config_.rc_min_quantizer);
    }
    for (int i = 0; i < settings_.spatialLayers; ++i) {
      svc.scaling_factor_num[i] = scaleOf(i).over;
      svc.scaling_factor_den[i] = scaleOf(i).under;
      svc.speed_per_layer[i] =
          settings_.speed > 0 ? std::min(settings_.speed, 9) : (pixels <= 352 * 288 ? 7 : 8);
    }
    vpx_codec_control(&context_, VP9E_SET_SVC_PARAMETERS, &svc);
    if (settings_.spatialLayers == 1) return;
    vpx_codec_control(&context_, VP9E_SET_SVC_INTER_LAYER_PRED,
                      settings_.independent ? kNotPredicted
                      : settings_.keyOnly   ? kPredictedInKeyFrames
                                            : kPredicted);
    // A picture is dropped as a whole: receivers of all layers then miss the same ones.
    vpx_svc_frame_drop_t drop{};
    drop.framedrop_mode = FULL_SUPERFRAME_DROP;
    drop.max_consec_drop = 1000;
    for (int& threshold : drop.framedrop_thresh)
      threshold = static_cast<int>(config_.rc_dropframe_thresh);
    vpx_codec_control(&context_, VP9E_SET_SVC_FRAME_DROP_LAYER, &drop);
    vpx_codec_priv_output_cx_pkt_cb_pair_t output{};
    output.output_cx_pkt = [](vpx_codec_cx_pkt_t* packet, void* self) {
      static_cast<Encoder*>(self)->takeLayer(*packet);
    };
    output.user_priv = this;
    vpx_codec_control(&context_, VP9E_REGISTER_CX_CALLBACK, static_cast<void*>(&output));
  }

  /// A key frame may take half of the buffer's optimal level: 300 ms worth of rate, in percent of
  /// one frame's share.
  unsigned maxIntraPercent() const {
    const double percent = 0.5 * config_.rc_buf_optimal_sz * framerate_ / 10;
    return static_cast<unsigned>(std::max(300.0, percent));
  }

  void fillRates() {
    const auto kbps = static_cast<unsigned>(std::max<int64_t>(1, target_.bps() / 1000));
    config_.rc_target_bitrate = kbps;
    const auto layers = static_cast<unsigned>(settings_.temporalLayers);
    config_.ts_number_layers = layers;
    const auto spatial = static_cast<unsigned>(settings_.spatialLayers);
    config_.ss_number_layers = spatial;
    if (!isLayered()) return;
    config_.ts_periodicity = layers == 1 ? 1 : layers == 2 ? 2 : 4;
    static constexpr unsigned kTwo[] = {0, 1};
    static constexpr unsigned kThree[] = {0, 2, 1, 2};
    for (unsigned i = 0; layers > 1 && i < config_.ts_periodicity; ++i)
      config_.ts_layer_id[i] = layers == 2 ? kTwo[i] : kThree[i];
    // Cumulative shares: 60 % for the base of two; 40 % and 60 % for the lower ones of three.
    static constexpr double kTemporal[3][3] = {{1.0}, {0.6, 1.0}, {0.4, 0.6, 1.0}};
    for (unsigned s = 0; s < spatial; ++s) {
      const double share = kbps * shareOf(static_cast<int>(s));
      config_.ss_target_bitrate[s] = std::max(1u, static_cast<unsigned>(share));
      for (unsigned t = 0; t < layers; ++t) {
        config_.layer_target_bitrate[s * layers + t] =
            std::max(1u, static_cast<unsigned>(share * kTemporal[layers - 1][t]));
      }
    }
    for (unsigned t = 0; t < layers; ++t) {
      config_.ts_rate_decimator[t] = 1u << (layers - 1 - t);
      config_.ts_target_bitrate[t] =
          std::max(1u, static_cast<unsigned>(kbps * kTemporal[layers - 1][t]));
    }
    if (kind_ == VpxKind::Vp9) {
      config_.temporal_layering_mode = layers == 1   ? VP9E_TEMPORAL_LAYERING_MODE_NOLAYERING
                                       : layers == 2 ? VP9E_TEMPORAL_LAYERING_MODE_0101
                                                     : VP9E_TEMPORAL_LAYERING_MODE_0212;
    }
  }

  void applyRates() {
    if (!ratesChanged_) return;
    ratesChanged_ = false;
    fillRates();
    vpx_codec_enc_config_set(&context_, &config_);
    vpx_codec_control(&context_, VP8E_SET_MAX_INTRA_BITRATE_PCT, maxIntraPercent());
  }

  const LayerStep* nextStep(bool keyFrame) {
    if (kind_ != VpxKind::Vp8 || settings_.temporalLayers == 1) return nullptr;
    if (keyFrame) step_ = 0;
    const LayerStep* step =
        settings_.temporalLayers == 2 ? &kTwoLayers[step_ % 2] : &kThreeLayers[step_ % 4];
    return step;
  }

  Result<void> compress(const VideoFrame& frame, bool keyFrame) {
    const LayerStep* step = nextStep(keyFrame);
    vpx_enc_frame_flags_t flags = step != nullptr ? step->flags : 0;
    if (keyFrame) flags = VPX_EFLAG_FORCE_KF;
    if (step != nullptr)
      vpx_codec_control(&context_, VP8E_SET_TEMPORAL_LAYER_ID, static_cast<int>(step->layer));
    const auto wanted = static_cast<vpx_codec_pts_t>(frame.capture.micros() * 9 / 100);
    pts_ = firstFrame_ ? wanted : std::max(wanted, pts_ + 1);
    const auto duration = static_cast<unsigned long>(std::lround(90'000 / framerate_));
    vpx_image_t image;
    // libvpx reads only; its type has no const.
    auto* samples = const_cast<uint8_t*>(frame.buffer->dataY());
    if (vpx_img_wrap(&image, VPX_IMG_FMT_I420, config_.g_w, config_.g_h, 1, samples) == nullptr)
      return fail(ErrorCode::Operation, "the picture could not be wrapped");
    image.planes[VPX_PLANE_U] = const_cast<uint8_t*>(frame.buffer->dataU());
    image.planes[VPX_PLANE_V] = const_cast<uint8_t*>(frame.buffer->dataV());
    image.stride[VPX_PLANE_Y] = frame.buffer->strideY();
    image.stride[VPX_PLANE_U] = frame.buffer->strideU();
    image.stride[VPX_PLANE_V] = frame.buffer->strideV();
    if (vpx_codec_encode(&context_, &image, pts_, duration, flags, VPX_DL_REALTIME) !=
        VPX_CODEC_OK) {
      close();  // the next frame starts anew
      return fail(ErrorCode::Operation, "libvpx could not encode the picture");
    }
    firstFrame_ = false;
    if (settings_.spatialLayers > 1) {
      collectLayers(frame);
    } else {
      collect(frame, step);
    }
    return ok();
  }

  void collect(const VideoFrame& frame, const LayerStep* step) {
    vpx_codec_iter_t iterator = nullptr;
    EncodedVideoFrame out;
    out.data = std::move(spare_);
    out.data.clear();
    bool key = false;
    while (const vpx_codec_cx_pkt_t* packet = vpx_codec_get_cx_data(&context_, &iterator)) {
      if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
      const auto* bytes = static_cast<const uint8_t*>(packet->data.frame.buf);
      out.data.insert(out.data.end(), bytes, bytes + packet->data.frame.sz);
      key = key || (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
    }
    if (out.data.empty()) {  // dropped: the layer pattern waits
      spare_ = std::move(out.data);
      return;
    }
    out.keyFrame = key;
    describe(out, frame);
    vpx_codec_control(&context_, VP8E_GET_LAST_QUANTIZER, &out.qp);
    out.psnr = measure(frame);
    if (kind_ == VpxKind::Vp8) {
      Vp8Info info;
      if (step != nullptr && !key) {
        out.temporalId = step->layer;
        info.layerSync = step->sync;
        info.nonReference = step->discardable;
      }
      out.info = info;
    } else {
      out.info = vp9Info(out, key);
    }
    ++step_;
    pending_.push(std::move(out));
  }

  void describe(EncodedVideoFrame& out, const VideoFrame& frame) const {
    out.rtpTimestamp = videoRtpTimestamp(frame.capture);
    out.capture = frame.capture;
    out.width = settings_.width;
    out.height = settings_.height;
    out.rotation = frame.rotation;
    out.temporalLayers = static_cast<uint8_t>(settings_.temporalLayers);
  }

  /// Once in a while: what receivers will see of the picture, compared with the picture.
  std::optional<Psnr> measure(const VideoFrame& frame) {
    if (measured_ && frame.capture - *measured_ < kPsnrInterval) return std::nullopt;
    // With several threads, VP8 may still be filtering.
    if (kind_ == VpxKind::Vp8 && config_.g_threads > 1) return std::nullopt;
    const vpx_image_t* shown = vpx_codec_get_preview_frame(&context_);
    const I420Buffer& input = *frame.buffer;
    if (shown == nullptr || shown->d_w != config_.g_w || shown->d_h != config_.g_h)
      return std::nullopt;
    measured_ = frame.capture;
    const auto rows = [&](int plane) {
      return SampleRows{shown->planes[plane], shown->stride[plane]};
    };
    Psnr out;
    out.y = planePsnr({input.dataY(), input.strideY()}, rows(VPX_PLANE_Y), input.width(),
                      input.height());
    out.u = planePsnr({input.dataU(), input.strideU()}, rows(VPX_PLANE_U), input.chromaWidth(),
                      input.chromaHeight());
    out.v = planePsnr({input.dataV(), input.strideV()}, rows(VPX_PLANE_V), input.chromaWidth(),
                      input.chromaHeight());
    return out;
  }

  /// Called by libvpx for each spatial layer, from within vpx_codec_encode.
  void takeLayer(const vpx_codec_cx_pkt_t& packet) {
    if (packet.kind != VPX_CODEC_CX_FRAME_PKT || packet.data.frame.sz == 0) return;
    vpx_svc_layer_id_t id{};
    vpx_codec_control(&context_, VP9E_GET_SVC_LAYER_ID, &id);
    EncodedVideoFrame& out = layers_.emplace_back();
    const auto* bytes = static_cast<const uint8_t*>(packet.data.frame.buf);
    out.data.assign(bytes, bytes + packet.data.frame.sz);
    out.keyFrame = (packet.data.frame.flags & VPX_FRAME_IS_KEY) != 0;
    out.spatialId = static_cast<uint8_t>(id.spatial_layer_id);
    out.temporalId = static_cast<uint8_t>(id.temporal_layer_id);
  }

  void collectLayers(const VideoFrame& frame) {
    if (layers_.empty()) return;  // dropped
    // Only the lowest layer of a key picture is a key frame to libvpx; the others build on it.
    const bool key = layers_.front().keyFrame;
    if (key) step_ = 0;
    int qp = -1;
    vpx_codec_control(&context_, VP8E_GET_LAST_QUANTIZER, &qp);
    for (EncodedVideoFrame& out : layers_) {
      describe(out, frame);
      out.width = sideOf(out.spatialId, settings_.width);
      out.height = sideOf(out.spatialId, settings_.height);
      out.keyFrame = key;
      out.qp = qp;
      Vp9Info info;
      info.spatialLayers = static_cast<uint8_t>(settings_.spatialLayers);
      info.interPicturePredicted = !key;
      info.interLayerPredicted =
          out.spatialId > 0 && !settings_.independent && (key || !settings_.keyOnly);
      info.switchingPoint = key ? false : isSwitchingPoint(out.temporalId);
      if (key) out.temporalId = 0;
      if (key) tellGroup(info);
      info.endOfPicture = &out == &layers_.back();
      if (info.endOfPicture && out.spatialId + 1 == settings_.spatialLayers)
        out.psnr = measure(frame);
      for (int i = 0; key && i < settings_.spatialLayers; ++i) {
        info.layerSizes[static_cast<size_t>(i)] = {
            static_cast<uint16_t>(sideOf(i, settings_.width)),
            static_cast<uint16_t>(sideOf(i, settings_.height))};
      }
      out.info = info;
      pending_.push(std::move(out));
    }
    layers_.clear();
    ++step_;
  }

  /// RFC 9628 section 4.2.1: what repeats from the key frame on. One reference too many rather than
  /// one too few.
  void tellGroup(Vp9Info& info) const {
    if (settings_.temporalLayers == 1) return;
    const auto add = [&](uint8_t layer, bool switchingUp, std::initializer_list<uint8_t> diffs) {
      rtp::Vp9ScalabilityStructure::Picture picture;
      picture.temporalId = layer;
      picture.switchingUp = switchingUp;
      for (const uint8_t diff : diffs) picture.referenceDiffs.push_back(diff);
      info.group.push_back(picture);
    };
    if (settings_.temporalLayers == 2) {
      add(0, false, {2});
      add(1, true, {1});
    } else {
      add(0, false, {4});
      add(2, true, {1});
      add(1, true, {2});
      add(2, false, {1, 3});
    }
  }

  /// In 0101 and 0212 every enhancement picture refers at most to the base picture before it,
  /// except the last of four, which may refer to the middle layer.
  bool isSwitchingPoint(uint8_t temporalId) const {
    return temporalId > 0 && (settings_.temporalLayers == 2 || step_ % 4 != 3);
  }

  Vp9Info vp9Info(EncodedVideoFrame& out, bool key) {
    Vp9Info info;
    info.interPicturePredicted = !key;
    if (settings_.temporalLayers > 1) {
      if (key) step_ = 0;
      if (key) tellGroup(info);
      vpx_svc_layer_id_t id{};
      vpx_codec_control(&context_, VP9E_GET_SVC_LAYER_ID, &id);
      out.temporalId = static_cast<uint8_t>(key ? 0 : id.temporal_layer_id);
      info.switchingPoint = isSwitchingPoint(out.temporalId);
    }
    return info;
  }

  void close() {
    if (open_) vpx_codec_destroy(&context_);
    open_ = false;
  }

  VpxKind kind_;
  VideoEncoderSettings settings_;
  vpx_codec_enc_cfg_t config_{};
  vpx_codec_ctx_t context_{};
  bool open_ = false;
  bool firstFrame_ = true;
  bool ratesChanged_ = false;
  DataRate target_;
  double framerate_ = 30;
  vpx_codec_pts_t pts_ = 0;
  unsigned step_ = 0;
  std::optional<Timestamp> measured_;
  RingQueue<EncodedVideoFrame> pending_;
  Bytes spare_;
  std::vector<EncodedVideoFrame> layers_;  ///< of the picture being encoded
};

}  // namespace

std::unique_ptr<VideoEncoder> createVpxEncoder(VpxKind kind) {
  return std::make_unique<Encoder>(kind);
}

}  // namespace parley::codec

#endif  // PARLEY_WITH_VPX
