#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "parley/parley.h"

namespace parley::interop {

/// The codecs that this program has besides the library's own; none without FFmpeg's part of the
/// library.
void useMoreCodecs(Configuration& configuration);
/// As an app that compresses and decompresses by itself: the library gets to see compressed frames
/// only.
void bringCodecs(Configuration& configuration);

/// A camera with an encoder of its own: pictures of `source`, compressed at the rate and with the
/// key frames that the connection asks for.
MediaStreamTrack makeCompressedTrack(const std::shared_ptr<Loop>& loop,
                                     std::shared_ptr<VideoSource> source, const std::string& codec);

/// Decodes what an encoded sink gets.
class SinkDecoder {
 public:
  /// Nothing if it is not to be decoded.
  std::shared_ptr<const codec::I420Buffer> decode(const codec::EncodedVideoFrame& frame);

 private:
  std::unique_ptr<codec::VideoDecoder> decoder_;
  std::string codec_;
};

}  // namespace parley::interop
