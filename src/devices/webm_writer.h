#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/codec/encoded_frame.h"
#include "parley/devices/recorder.h"

#include "devices/key_frame.h"
#include "devices/opus_track.h"
#include "devices/play_line.h"

namespace parley::devices {

/// The file behind a Recorder, for one thread. Matroska needs to know its tracks before the first
/// frame, and what a video track holds is known with its first key frame; until then frames wait in
/// memory.
class WebmWriter {
 public:
  static Result<std::unique_ptr<WebmWriter>> create(const std::string& path,
                                                    const RecorderOptions& options);
  ~WebmWriter();
  WebmWriter(const WebmWriter&) = delete;
  WebmWriter& operator=(const WebmWriter&) = delete;

  Result<void> addTrack(size_t track, MediaKind kind);
  void push(size_t track, const codec::EncodedVideoFrame& frame);
  void push(size_t track, const codec::AudioFrame& frame);
  Result<void> finish();
  const RecorderStats& stats() const { return stats_; }

 private:
  struct Track {
    MediaKind kind;
    std::optional<KeyFrameHeader> header;  ///< video, once known
    bool needKeyFrame = true;
    PlayLine line;
    std::optional<OpusTrack> opus;
    AVStream* stream = nullptr;
  };
  struct Waiting {
    size_t track;
    av::Packet packet;
    Timestamp at;
  };

  WebmWriter(std::string path, const RecorderOptions& options)
      : path_(std::move(path)), options_(options) {}
  Result<void> open();
  bool acceptVideo(Track& track, const codec::EncodedVideoFrame& frame);
  void submit(size_t track, av::Packet packet, Timestamp at);
  bool readyToStart(Timestamp at) const;
  void start();
  void describe(Track& track);
  void write(size_t track, av::Packet packet, Timestamp at);
  void note(int error);

  const std::string path_;
  const RecorderOptions options_;
  std::unique_ptr<AVFormatContext, void (*)(AVFormatContext*)> output_{nullptr, nullptr};
  std::vector<Track> tracks_;
  std::deque<Waiting> waiting_;
  size_t waitingBytes_ = 0;
  Timestamp epoch_;
  bool started_ = false;
  bool finished_ = false;
  int error_ = 0;
  RecorderStats stats_;
};

}  // namespace parley::devices
