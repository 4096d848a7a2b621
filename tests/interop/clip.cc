#include "clip.h"

#include <stdexcept>

extern "C" {
#include <libswscale/swscale.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace parley::interop {
namespace {

constexpr size_t kPicturesAhead = 24;

}  // namespace

/// The film as an endless row of scaled pictures with rising times.
class Clip::Decoder {
 public:
  Decoder(const std::string& file, int width, int height) : width_(width), height_(height) {
    if (avformat_open_input(&format_, file.c_str(), nullptr, nullptr) < 0 ||
        avformat_find_stream_info(format_, nullptr) < 0) {
      throw std::runtime_error("cannot read " + file);
    }
    const AVCodec* codec = nullptr;
    stream_ = av_find_best_stream(format_, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (stream_ < 0) throw std::runtime_error("no video in " + file);
    context_ = avcodec_alloc_context3(codec);
    if (avcodec_parameters_to_context(context_, format_->streams[stream_]->codecpar) < 0 ||
        avcodec_open2(context_, codec, nullptr) < 0) {
      throw std::runtime_error("cannot decode " + file);
    }
  }
  ~Decoder() {
    sws_freeContext(scaler_);
    av_packet_free(&packet_);
    av_frame_free(&frame_);
    avcodec_free_context(&context_);
    avformat_close_input(&format_);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  Picture next() {
    for (;;) {
      const int status = avcodec_receive_frame(context_, frame_);
      if (status == 0) return scaled();
      if (status == AVERROR_EOF) {
        rewind();
      } else if (status == AVERROR(EAGAIN)) {
        feed();
      } else {
        throw std::runtime_error("the film does not decode");
      }
    }
  }

 private:
  void feed() {
    while (av_read_frame(format_, packet_) == 0) {
      const bool ours = packet_->stream_index == stream_;
      if (ours) avcodec_send_packet(context_, packet_);
      av_packet_unref(packet_);
      if (ours) return;
    }
    avcodec_send_packet(context_, nullptr);
  }

  void rewind() {
    if (last_ < start_) throw std::runtime_error("the film has no pictures");
    av_seek_frame(format_, stream_, 0, AVSEEK_FLAG_BACKWARD);
    avcodec_flush_buffers(context_);
    start_ = last_ + interval_;
  }

  Picture scaled() {
    scaler_ = sws_getCachedContext(scaler_, frame_->width, frame_->height,
                                   static_cast<AVPixelFormat>(frame_->format), width_, height_,
                                   AV_PIX_FMT_YUV420P, SWS_BILINEAR, nullptr, nullptr, nullptr);
    auto buffer = codec::I420Buffer::create(width_, height_);
    uint8_t* const planes[] = {buffer->mutableY(), buffer->mutableU(), buffer->mutableV()};
    const int strides[] = {buffer->strideY(), buffer->strideU(), buffer->strideV()};
    sws_scale(scaler_, frame_->data, frame_->linesize, 0, frame_->height, planes, strides);
    const double seconds = static_cast<double>(frame_->best_effort_timestamp) *
                           av_q2d(format_->streams[stream_]->time_base);
    const double time = start_ + seconds;
    if (time > last_ && last_ >= start_) interval_ = time - last_;
    last_ = time;
    return {time, std::move(buffer)};
  }

  int width_;
  int height_;
  AVFormatContext* format_ = nullptr;
  AVCodecContext* context_ = nullptr;
  AVPacket* packet_ = av_packet_alloc();
  AVFrame* frame_ = av_frame_alloc();
  SwsContext* scaler_ = nullptr;
  int stream_ = -1;
  double start_ = 0;  ///< when this round of the film began
  double last_ = -1;
  double interval_ = 0.04;
};

Clip::Clip(const std::string& file, int width, int height)
    : decoder_(std::make_unique<Decoder>(file, width, height)), shown_(decoder_->next()) {
  thread_ = std::thread([this] { decodeAhead(); });
}

Clip::~Clip() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  thread_.join();
}

void Clip::decodeAhead() {
  for (;;) {
    Picture picture = decoder_->next();
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return stopping_ || ahead_.size() < kPicturesAhead; });
    if (stopping_) return;
    ahead_.push_back(std::move(picture));
  }
}

std::shared_ptr<const codec::I420Buffer> Clip::at(double seconds) {
  const std::lock_guard lock(mutex_);
  while (!ahead_.empty() && ahead_.front().seconds <= seconds) {
    shown_ = std::move(ahead_.front());
    ahead_.pop_front();
    room_.notify_all();
  }
  return shown_.buffer;
}

}  // namespace parley::interop
