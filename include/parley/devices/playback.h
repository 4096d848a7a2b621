#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parley/api/media_track.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

// Both classes honour SDL's own environment variables; with SDL_VIDEODRIVER=dummy and
// SDL_AUDIODRIVER=dummy they work on machines without a screen or a sound card.

namespace parley::devices {

/// How a window opens.
struct WindowOptions {
  std::string title = "Parley";
  int width = 0;  ///< 0: as large as the first picture
  int height = 0;
};

/// What a window has shown so far.
struct WindowStats {
  uint64_t framesShown = 0;
  uint64_t framesDropped = 0;  ///< replaced by a newer one before they were due
};

/// A picture as 8 bits red, green, blue, rows from the top without gaps.
struct RgbPicture {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> data;
};

/// A window that shows pictures, scaled to fit with their proportions kept, each at its time. All
/// windows of a process share one thread, which also reads the window system's events; an app that
/// uses SDL video itself should draw by itself. Thread rule: any thread.
class PARLEY_EXPORT Window {
 public:
  /// NotFound if there is no screen to open a window on.
  static Result<std::unique_ptr<Window>> open(const WindowOptions& options = {});
  virtual ~Window() = default;

  /// Shows a remote track by taking its video sink, until another is shown or the window closes; an
  /// empty one shows nothing more.
  virtual void show(MediaStreamTrack track) = 0;
  /// Shows one picture when its `capture` time (CLOCK_MONOTONIC) comes, at once if it is past.
  virtual void push(const codec::VideoFrame& frame) = 0;

  /// The user closed the window; called on the windows' thread.
  virtual void onClosed(std::function<void()> callback) = 0;
  virtual bool closed() const = 0;
  /// What the window shows right now, borders included; empty before the first picture.
  virtual RgbPicture snapshot() = 0;
  virtual WindowStats stats() const = 0;
};

/// What a loudspeaker has played so far.
struct SpeakerStats {
  uint64_t framesPlayed = 0;   ///< pieces of 10 ms that reached the sound card
  uint64_t framesDropped = 0;  ///< too early or too many
  uint64_t framesMissing = 0;  ///< pieces of silence because nothing was there
};

/// A loudspeaker: plays any number of tracks mixed. Thread rule: any thread.
class PARLEY_EXPORT Speaker {
 public:
  /// `device` as SDL names it; empty: the default. NotFound if there is none.
  static Result<std::unique_ptr<Speaker>> open(const std::string& device = {});
  virtual ~Speaker() = default;

  /// Plays a remote track by taking its audio sink, until the speaker is gone.
  virtual void play(MediaStreamTrack track) = 0;
  /// Plays sound that the app hands on itself, as one more voice.
  virtual void push(const codec::AudioFrame& frame) = 0;
  /// 0 silent .. 1 as it came; anything else counts as the nearer of the two. 1 at first.
  virtual void setVolume(double volume) = 0;
  virtual SpeakerStats stats() const = 0;
};

}  // namespace parley::devices
