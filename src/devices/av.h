#pragma once

#include <memory>
#include <string>

#include "parley/base/result.h"

// FFmpeg's C interface gives pictures its own structures; all of it stays inside this layer.
extern "C" {
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

namespace parley::devices::av {

struct Deleter {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
  void operator()(SwrContext* p) const { swr_free(&p); }
};
using Input = std::unique_ptr<AVFormatContext, Deleter>;
using CodecContext = std::unique_ptr<AVCodecContext, Deleter>;
using Frame = std::unique_ptr<AVFrame, Deleter>;
using Packet = std::unique_ptr<AVPacket, Deleter>;
using Scaler = std::unique_ptr<SwsContext, Deleter>;
using Resampler = std::unique_ptr<SwrContext, Deleter>;

inline Frame makeFrame() {
  return Frame(av_frame_alloc());
}
inline Packet makePacket() {
  return Packet(av_packet_alloc());
}

/// FFmpeg's sentence for one of its negative codes.
std::string errorText(int code);
/// `what` (a sentence's beginning that names the file or device) and FFmpeg's reason, with the code
/// that the facade uses for that reason.
Failure failure(const std::string& what, int code);

}  // namespace parley::devices::av
