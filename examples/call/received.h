#pragma once

#include <functional>
#include <memory>
#include <string>

#include "parley/devices/playback.h"
#include "parley/devices/recorder.h"
#include "parley/parley.h"

#include "options.h"

namespace call {

/// Where a caller's pictures and sound go: into a file, to a window and the loudspeaker, or both.
class Received {
 public:
  /// `number`: which call it is, for names. `speaker` may be null. `onWindowClosed` is called when
  /// the user closes the window.
  static parley::Result<std::unique_ptr<Received>> open(
      const Options& options, int number, std::shared_ptr<parley::devices::Speaker> speaker,
      std::function<void()> onWindowClosed);

  void add(parley::MediaStreamTrack track);
  /// Completes the file; tells what was recorded. Waits for the disk.
  std::string finish();

 private:
  Received() = default;
  void addAudio(parley::MediaStreamTrack track);

  std::string path_;
  std::shared_ptr<parley::devices::Recorder> recorder_;
  std::unique_ptr<parley::devices::Window> window_;
  std::shared_ptr<parley::devices::Speaker> speaker_;
};

}  // namespace call
