#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "parley/codec/audio_frame.h"
#include "parley/codec/video_frame.h"
#include "parley/devices/file_source.h"

#include "devices/convert.h"
#include "devices/stream_decoder.h"

namespace parley::devices {

/// Reads a media file ahead on a thread of its own and hands out what belongs to a moment. Times
/// within are positions: from the first frame taken, through every repetition of the file.
class ClipReader {
 public:
  static Result<std::shared_ptr<ClipReader>> open(const std::string& path,
                                                  const MediaFileOptions& options);
  ~ClipReader();
  ClipReader(const ClipReader&) = delete;
  ClipReader& operator=(const ClipReader&) = delete;

  bool hasVideo() const { return video_.has_value(); }
  bool hasAudio() const { return audio_.has_value(); }
  int width() const { return width_; }
  int height() const { return height_; }
  Duration interval() const { return interval_; }
  double fps() const { return fps_; }
  Duration duration() const { return duration_; }

  /// The picture to show at `capture`; no buffer if it was taken already or is not there.
  codec::VideoFrame takeVideo(Timestamp capture);
  codec::AudioFrame takeAudio(Timestamp capture);

 private:
  struct Picture {
    Duration at;
    std::shared_ptr<const codec::I420Buffer> buffer;
  };
  struct Sound {
    Duration at;
    codec::AudioFrame frame;
  };

  explicit ClipReader(const MediaFileOptions& options) : options_(options) {}
  Result<void> start(const std::string& path);
  void describe();
  void run();
  bool readOnce();
  bool rewind();
  void takePacket(const AVPacket& packet);
  void drain();
  void onPicture(const AVFrame& frame);
  void onSound(const AVFrame& frame);
  void moveSound();
  Duration positionOf(int64_t pts, AVRational timeBase) const;
  bool waitForRoom();
  void dropStale();
  bool full();
  bool worthWaiting();
  Duration elapsed(Timestamp capture);

  const MediaFileOptions options_;
  av::Input input_;
  av::Packet packet_;
  std::optional<StreamDecoder> video_;
  std::optional<StreamDecoder> audio_;
  PictureConverter pictures_;
  std::optional<SoundConverter> sounds_;
  int width_ = 0;
  int height_ = 0;
  double fps_ = 0;
  codec::VideoRotation rotation_ = codec::VideoRotation::None;
  Duration interval_ = Duration::millis(33);
  Duration duration_{};
  size_t picturesAhead_ = 0;

  // The thread's own.
  Duration base_{};  ///< where this repetition begins
  Duration end_{};   ///< end of what has been decoded, over all repetitions
  std::optional<Duration> pictureShift_;
  Duration soundAt_{};  ///< of the next piece
  bool soundAnchored_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Picture> pictureQueue_;
  std::deque<Sound> soundQueue_;
  std::optional<Timestamp> start_;
  Duration position_{};  ///< the latest asked for
  bool ended_ = false;
  bool stopping_ = false;
  std::atomic<bool> interrupted_{false};  ///< for reads that hang
  std::thread thread_;
};

}  // namespace parley::devices
