#include "devices/convert.h"

#include <algorithm>
#include <cmath>

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
}

namespace parley::devices {
namespace {

constexpr int kMaxSide = 16'384;  // of an I420Buffer
constexpr int kRate = 48'000;

// The "J" formats are the plain ones in full range; FFmpeg is moving away from them.
AVPixelFormat plainFormat(int format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    default:
      return static_cast<AVPixelFormat>(format);
  }
}

bool isRgb(AVPixelFormat format) {
  const AVPixFmtDescriptor* descriptor = av_pix_fmt_desc_get(format);
  return descriptor && (descriptor->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

}  // namespace

std::shared_ptr<const codec::I420Buffer> PictureConverter::convert(const AVFrame& frame) {
  if (frame.width < 1 || frame.height < 1 || frame.width > kMaxSide || frame.height > kMaxSide)
    return nullptr;
  const AVPixelFormat format = plainFormat(frame.format);
  const bool fullRange =
      format != frame.format || (frame.color_range == AVCOL_RANGE_JPEG && !isRgb(format));
  std::shared_ptr<codec::I420Buffer> out = pool_.acquire(frame.width, frame.height);
  if (!out) out = codec::I420Buffer::create(frame.width, frame.height);
  if (format == AV_PIX_FMT_YUV420P && !fullRange) {
    out->copyFrom(frame.data[0], frame.linesize[0], frame.data[1], frame.linesize[1], frame.data[2],
                  frame.linesize[2]);
    return out;
  }
  if (!scaler_ || width_ != frame.width || height_ != frame.height || format_ != frame.format ||
      fullRange_ != fullRange) {
    scaler_.reset(sws_getContext(frame.width, frame.height, format, frame.width, frame.height,
                                 AV_PIX_FMT_YUV420P, SWS_BILINEAR, nullptr, nullptr, nullptr));
    if (!scaler_) return nullptr;
    // Calls speak ITU-R BT.601 in video range, whatever the source does.
    const int* table = sws_getCoefficients(SWS_CS_ITU601);
    sws_setColorspaceDetails(scaler_.get(), table, fullRange ? 1 : 0, table, 0, 0, 1 << 16,
                             1 << 16);
    width_ = frame.width;
    height_ = frame.height;
    format_ = frame.format;
    fullRange_ = fullRange;
  }
  uint8_t* planes[4] = {out->mutableY(), out->mutableU(), out->mutableV(), nullptr};
  const int strides[4] = {out->strideY(), out->strideU(), out->strideV(), 0};
  const int rows =
      sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides);
  return rows == frame.height ? out : nullptr;
}

bool SoundConverter::configure(const AVFrame& frame) {
  AVChannelLayout target{};
  av_channel_layout_default(&target, static_cast<int>(channels_));
  AVChannelLayout source{};  // av_channel_layout_copy frees what was in it
  if (frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
    av_channel_layout_default(&source, frame.ch_layout.nb_channels);
  } else if (av_channel_layout_copy(&source, &frame.ch_layout) < 0) {
    return false;
  }
  SwrContext* made = nullptr;
  const int error =
      swr_alloc_set_opts2(&made, &target, AV_SAMPLE_FMT_S16, kRate, &source,
                          static_cast<AVSampleFormat>(frame.format), frame.sample_rate, 0, nullptr);
  av_channel_layout_uninit(&source);
  resampler_.reset(made);
  if (error < 0 || !made || swr_init(made) < 0) {
    resampler_.reset();
    return false;
  }
  rate_ = frame.sample_rate;
  format_ = frame.format;
  inputChannels_ = frame.ch_layout.nb_channels;
  return true;
}

bool SoundConverter::push(const AVFrame& frame) {
  if (frame.nb_samples <= 0 || frame.sample_rate <= 0) return false;
  const bool changed = rate_ != frame.sample_rate || format_ != frame.format ||
                       inputChannels_ != frame.ch_layout.nb_channels;
  if ((!resampler_ || changed) && !configure(frame)) return false;
  const int room = swr_get_out_samples(resampler_.get(), frame.nb_samples);
  if (room < 0) return false;
  const size_t before = samples_.size();
  samples_.resize(before + static_cast<size_t>(room) * channels_);
  uint8_t* out = reinterpret_cast<uint8_t*>(samples_.data() + before);
  const int got = swr_convert(resampler_.get(), &out, room,
                              const_cast<const uint8_t**>(frame.extended_data), frame.nb_samples);
  samples_.resize(before + static_cast<size_t>(std::max(got, 0)) * channels_);
  return got >= 0;
}

bool SoundConverter::pop(codec::AudioFrame& out) {
  out.sampleRate = kRate;
  out.channels = channels_;
  const size_t piece = out.samplesPerChannel() * channels_;
  if (samples_.size() < piece) return false;
  std::copy_n(samples_.begin(), piece, out.data.begin());
  samples_.erase(samples_.begin(), samples_.begin() + static_cast<long>(piece));
  return true;
}

void SoundConverter::pad() {
  const size_t piece = kRate / 100 * channels_;
  samples_.resize((samples_.size() + piece - 1) / piece * piece, 0);
}

bool StereoConverter::convert(const codec::AudioFrame& frame, Piece& out) {
  out.fill(0);
  if (!frame.valid()) return false;
  if (frame.sampleRate != rate_) {
    rate_ = frame.sampleRate;
    resamplers_.clear();
    if (rate_ != kRate) resamplers_.assign(2, codec::Resampler(rate_, kRate));
  }
  const size_t count = frame.samplesPerChannel();
  for (size_t side = 0; side < 2; ++side) {
    const size_t channel = frame.channels == 2 ? side : 0;
    std::array<int16_t, kSamples> in{};
    std::array<int16_t, kSamples> converted{};
    for (size_t i = 0; i < count; ++i) in[i] = frame.data[i * frame.channels + channel];
    const int16_t* samples = in.data();
    if (rate_ != kRate) {
      resamplers_[side].process({in.data(), count}, converted);
      samples = converted.data();
    }
    for (size_t i = 0; i < kSamples; ++i) out[i * 2 + side] = samples[i];
  }
  return true;
}

codec::VideoRotation rotationOf(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  const AVPacketSideData* side =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
                              AV_PKT_DATA_DISPLAYMATRIX);
  const uint8_t* matrix = side ? side->data : nullptr;
#else
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
#endif
  if (!matrix) return codec::VideoRotation::None;
  // The matrix turns counterclockwise.
  const double angle = -av_display_rotation_get(reinterpret_cast<const int32_t*>(matrix));
  if (std::isnan(angle)) return codec::VideoRotation::None;
  const int quarters = (static_cast<int>(std::lround(angle / 90.0)) % 4 + 4) % 4;
  return static_cast<codec::VideoRotation>(quarters * 90);
}

}  // namespace parley::devices
