#include "devices/stream_decoder.h"

namespace parley::devices {

Result<StreamDecoder> StreamDecoder::open(const AVStream& stream, const std::string& what) {
  const AVCodec* codec = avcodec_find_decoder(stream.codecpar->codec_id);
  if (!codec) {
    return fail(ErrorCode::NotSupported, what + ": no decoder for " +
                                             avcodec_get_name(stream.codecpar->codec_id) +
                                             " in this FFmpeg");
  }
  StreamDecoder out;
  out.index_ = stream.index;
  out.timeBase_ = stream.time_base;
  out.frame_ = av::makeFrame();
  out.context_.reset(avcodec_alloc_context3(codec));
  if (!out.context_ || !out.frame_) return fail(ErrorCode::Operation, what + ": out of memory");
  int error = avcodec_parameters_to_context(out.context_.get(), stream.codecpar);
  if (error >= 0) {
    out.context_->pkt_timebase = stream.time_base;
    // One thread decodes 720p30 many times over; larger pictures may take a second.
    out.context_->thread_count = stream.codecpar->width > 1280 ? 2 : 1;
    error = avcodec_open2(out.context_.get(), codec, nullptr);
  }
  if (error < 0) return av::failure(what, error);
  return out;
}

bool StreamDecoder::decode(const AVPacket* packet,
                           const std::function<void(const AVFrame&)>& take) {
  const int sent = avcodec_send_packet(context_.get(), packet);
  while (avcodec_receive_frame(context_.get(), frame_.get()) >= 0) {
    take(*frame_);
    av_frame_unref(frame_.get());
  }
  return sent >= 0;
}

void StreamDecoder::flush() {
  avcodec_flush_buffers(context_.get());
}

}  // namespace parley::devices
