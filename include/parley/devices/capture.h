#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "parley/api/loop.h"
#include "parley/api/media_track.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley::devices {

/// Which camera, and how it is opened.
struct CameraOptions {
  std::string device = "/dev/video0";  ///< Video4Linux2
  int width = 640;                     ///< wishes; the camera gives what it can
  int height = 480;
  double fps = 30;
};

/// Which microphone.
struct MicrophoneOptions {
  /// "pulse" or "alsa"; empty: whichever opens first, in that order.
  std::string system;
  std::string device = "default";  ///< as that system names it
};

/// What of which screen.
struct ScreenOptions {
  std::string display;  ///< X11, e.g. ":0.0"; empty: $DISPLAY
  int x = 0;            ///< upper left corner of what is shown
  int y = 0;
  int width = 0;  ///< 0: the whole screen
  int height = 0;
  double fps = 15;
  bool showPointer = true;
};

/// What a device has delivered since it was opened.
struct CaptureStats {
  uint64_t videoFrames = 0;
  uint64_t audioFrames = 0;  ///< pieces of 10 ms
  uint64_t errors = 0;       ///< pieces of input that could not be decoded
};

/// An open camera, microphone or screen, with a thread of its own that reads it. It is closed with
/// the last reference, or by `stop`. Thread rule: any thread; callbacks come on the device's
/// thread.
class PARLEY_EXPORT CaptureDevice {
 public:
  virtual ~CaptureDevice() = default;

  virtual MediaKind kind() const = 0;
  virtual int width() const = 0;  ///< of the pictures as they really come; 0 for sound
  virtual int height() const = 0;
  virtual double fps() const = 0;  ///< as the device claims

  /// A new track that the device feeds for as long as the device lives. Several are possible, also
  /// on different loops. The track does not keep the device open; of one that has ended it has,
  /// too.
  virtual MediaStreamTrack createTrack(const std::shared_ptr<Loop>& loop) = 0;

  /// What the device delivers, besides the tracks: for a picture of oneself, or a level meter.
  virtual void setVideoSink(std::function<void(const codec::VideoFrame&)> sink) = 0;
  virtual void setAudioSink(std::function<void(const codec::AudioFrame&)> sink) = 0;
  /// The device is gone (unplugged, screen closed) or `stop` was called; its tracks have stopped.
  virtual void onEnded(std::function<void()> callback) = 0;

  /// Closes the device and waits for its thread, unless called from it.
  virtual void stop() = 0;
  virtual bool ended() const = 0;
  virtual CaptureStats stats() const = 0;
};

/// Errors of the three: Range for a size or a rate that is not above zero (of the screen a size
/// below zero), NotFound if there is no such device, InvalidAccess if this user may not open it,
/// NotSupported if this FFmpeg lacks the input, Operation for everything else, each with a sentence
/// that names the device.
PARLEY_EXPORT Result<std::shared_ptr<CaptureDevice>> openCamera(const CameraOptions& options = {});
PARLEY_EXPORT Result<std::shared_ptr<CaptureDevice>> openMicrophone(
    const MicrophoneOptions& options = {});
PARLEY_EXPORT Result<std::shared_ptr<CaptureDevice>> openScreen(const ScreenOptions& options = {});

}  // namespace parley::devices
