#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "parley/parley.h"

namespace loopback {

/// What became of one picture of the clip.
struct FrameResult {
  double timeS = 0;  ///< since the first picture
  bool encoded = false;
  bool keyFrame = false;
  size_t bytes = 0;  ///< compressed
  int qp = -1;
  bool shown = false;
  double psnrDb = 0;
  double delayMs = 0;  ///< from the source to the decoder's output
};

/// Compares every picture that comes out of the receiving decoder with the one that went into the
/// sending encoder. Which is which is told by the compressed frame: the receiver gets byte for byte
/// what the encoder made, so its hash leads back to the capture time, exactly and whatever the
/// network did in between. Any thread.
class QualityMeter {
 public:
  /// A picture leaves the source.
  void sent(const parley::codec::VideoFrame& frame);
  /// It has been compressed (or, if this is not called, left out by the encoder).
  void encoded(const parley::codec::EncodedVideoFrame& frame);
  /// A compressed picture has arrived; called before `decoded` for the same one.
  void arrived(const parley::codec::EncodedVideoFrame& frame);
  void decoded(const parley::codec::VideoFrame& frame, parley::Timestamp now);

  std::vector<FrameResult> results() const;
  /// Pictures that came out of the decoder and were never sent.
  uint64_t unmatched() const;

 private:
  struct Sent {
    std::shared_ptr<const parley::codec::I420Buffer> picture;
    size_t index;
  };
  FrameResult* find(parley::Timestamp capture);

  mutable std::mutex mutex_;
  std::vector<FrameResult> results_;
  std::map<parley::Timestamp, Sent> recent_;  ///< the last seconds; pictures take memory
  std::unordered_map<uint64_t, parley::Timestamp> captureOfHash_;
  std::unordered_map<uint32_t, parley::Timestamp> captureOfRtp_;
  parley::Timestamp first_;
  uint64_t unmatched_ = 0;
};

/// The clip's pictures, noted on their way to the track.
class MeteredSource final : public parley::VideoSource {
 public:
  MeteredSource(std::shared_ptr<parley::VideoSource> inner, QualityMeter& meter)
      : inner_(std::move(inner)), meter_(meter) {}
  parley::codec::VideoFrame next(parley::Timestamp capture) override {
    parley::codec::VideoFrame frame = inner_->next(capture);
    if (metering_ && frame.buffer) meter_.sent(frame);
    return metering_ ? frame : parley::codec::VideoFrame{};
  }
  parley::Duration interval() const override { return inner_->interval(); }
  /// Before it the source gives nothing: the clip begins when there is somebody to see it.
  void start() { metering_ = true; }
  void stop() { metering_ = false; }

 private:
  std::shared_ptr<parley::VideoSource> inner_;
  QualityMeter& meter_;
  std::atomic<bool> metering_{false};
};

}  // namespace loopback
