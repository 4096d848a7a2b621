#pragma once

#include <memory>
#include <string>

#include "parley/api/media_track.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/time.h"

// devices: what stands at the ends of a call: files, cameras, microphones, screens (through
// FFmpeg), windows and loudspeakers (through SDL2). Uses the facade only; nothing in the library
// uses it. The way of a picture: CaptureDevice or MediaFile -> MediaStreamTrack -> the network ->
// MediaStreamTrack -> Window or Recorder. No device is opened unless one of the functions here is
// called.

namespace parley::devices {

/// How a clip is played.
struct MediaFileOptions {
  /// Begin again at the end; otherwise the sources give nothing (pictures) or silence (sound) then.
  bool loop = true;
  /// Let `next` wait for the decoder instead of leaving a picture out. For virtual time, which may
  /// run faster than decoding; a loop in real time should never wait.
  bool waitForDecoder = false;
};

/// A clip as sources for MediaStreamTrack::createVideo and createAudio. A thread reads and decodes
/// ahead; it ends when both sources are gone. Both follow one clock that starts with the first
/// frame taken from either, so picture and sound stay together even if one of them is stalled or
/// unused.
struct MediaFile {
  std::shared_ptr<VideoSource> video;  ///< null if the file has no pictures
  std::shared_ptr<AudioSource> audio;  ///< null if it has no sound; 48 kHz, mono or stereo
  int width = 0;
  int height = 0;
  double fps = 0;  ///< the file's own rate, at which `video` delivers
  Duration duration{};
};

/// Opens a file of any format that FFmpeg can read. NotFound if there is no such file; NotSupported
/// if it is not a media file or its codecs are missing in this FFmpeg.
PARLEY_EXPORT Result<MediaFile> openMediaFile(const std::string& path,
                                              const MediaFileOptions& options = {});

}  // namespace parley::devices
