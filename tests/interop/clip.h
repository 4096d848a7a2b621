#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "parley/codec/video_frame.h"

namespace parley::interop {

/// Plays the video of a film file in a loop, scaled to a size. A thread decodes ahead.
class Clip {
 public:
  /// Throws if the file has no video that can be decoded.
  Clip(const std::string& file, int width, int height);
  ~Clip();

  /// The picture `seconds` after the start of playing; never null. Times must not go back.
  std::shared_ptr<const codec::I420Buffer> at(double seconds);

 private:
  struct Picture {
    double seconds = 0;
    std::shared_ptr<const codec::I420Buffer> buffer;
  };
  class Decoder;
  void decodeAhead();

  std::unique_ptr<Decoder> decoder_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Picture> ahead_;
  Picture shown_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace parley::interop
