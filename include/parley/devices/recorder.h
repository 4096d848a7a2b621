#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "parley/api/media_track.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/units.h"

namespace parley::devices {

/// How a file is written.
struct RecorderOptions {
  /// Of the Opus that received sound is compressed to.
  DataRate audioBitrate = DataRate::kbps(64);
  /// What to announce for a video track that has shown nothing for `videoWait`: "VP8" or "VP9".
  std::string videoCodec = "VP8";
  /// How long the start of the file waits for the first key frame of every video track.
  Duration videoWait = Duration::seconds(5);
  /// Write on the thread that delivers the frames instead of on one of the recorder's own: for
  /// loops in virtual time, which would outrun it.
  bool writeInline = false;
};

/// What has become of the frames so far.
struct RecorderStats {
  uint64_t videoFrames = 0;  ///< written
  uint64_t keyFrames = 0;    ///< of them
  uint64_t audioFrames = 0;  ///< pieces of 10 ms taken in
  /// Left out: before the first key frame, of another codec than the track began with, or because
  /// the disk did not keep up.
  uint64_t droppedVideoFrames = 0;
  uint64_t droppedAudioFrames = 0;
  Duration silenceInserted{};  ///< in place of sound that did not come
  uint64_t bytesWritten = 0;
};

/// Writes received tracks to a .webm or .mkv file: pictures as they came over the network (VP8 or
/// VP9, never decoded, from the first key frame on), sound compressed to Opus. Times are those of
/// playout, so picture and sound are as much together as for a listener. Every second is complete
/// on disk by itself: if the process dies, what was written so far can be played.
///
/// Thread rule: any thread, any method. Disk and encoder work happens on a thread of the recorder.
class PARLEY_EXPORT Recorder {
 public:
  /// The file is created at once. Type for another file name extension or videoCodec; NotFound or
  /// Operation if it cannot be written; NotSupported if this FFmpeg cannot write Matroska or Opus.
  static Result<std::unique_ptr<Recorder>> create(const std::string& path,
                                                  RecorderOptions options = {});
  virtual ~Recorder() = default;

  /// Records `track` by taking its audio sink or its encoded video sink until `finish`; its decoded
  /// video sink stays free. InvalidState once the file has begun (0.3 s after the first frame, or
  /// later as `videoWait` says) or after `finish`. A video track that flows already should be asked
  /// for a key frame (RtpReceiver::requestKeyFrame).
  virtual Result<void> addTrack(MediaStreamTrack track) = 0;

  /// For frames that the app hands on itself: the number of a track to push to. InvalidState as
  /// above.
  virtual Result<size_t> addVideo() = 0;
  virtual Result<size_t> addAudio() = 0;
  virtual void push(size_t track, const codec::EncodedVideoFrame& frame) = 0;
  virtual void push(size_t track, const codec::AudioFrame& frame) = 0;

  /// Completes the file (duration and seek index) and lets go of the tracks. Operation if the disk
  /// failed at any time or nothing was recorded. Later calls answer the same. The destructor does
  /// it too.
  virtual Result<void> finish() = 0;
  virtual RecorderStats stats() const = 0;
};

}  // namespace parley::devices
