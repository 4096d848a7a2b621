#pragma once

#include <functional>
#include <optional>

#include "devices/av.h"

namespace parley::devices {

/// Decodes one stream of an open input.
class StreamDecoder {
 public:
  /// NotSupported if this FFmpeg has no decoder for it.
  static Result<StreamDecoder> open(const AVStream& stream, const std::string& what);

  int index() const { return index_; }
  AVRational timeBase() const { return timeBase_; }
  const AVCodecContext& context() const { return *context_; }
  /// Decodes a packet (null: the end, everything still inside comes out) and hands each frame to
  /// `take`. False if the packet was broken.
  bool decode(const AVPacket* packet, const std::function<void(const AVFrame&)>& take);
  /// Forgets everything, for a new beginning elsewhere in the stream.
  void flush();

 private:
  StreamDecoder() = default;
  int index_ = -1;
  AVRational timeBase_{1, 1};
  av::CodecContext context_;
  av::Frame frame_;
};

}  // namespace parley::devices
