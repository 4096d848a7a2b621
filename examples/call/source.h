#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parley/devices/capture.h"
#include "parley/parley.h"

#include "options.h"

namespace call {

/// What the native peer shows. One source for all calls: each connection encodes it for its own
/// network path.
struct Source {
  parley::MediaStreamTrack video;
  parley::MediaStreamTrack audio;  ///< empty: no sound
  std::string description;
  /// Cameras, microphones and screens are open as long as these are held.
  std::vector<std::shared_ptr<parley::devices::CaptureDevice>> devices;
};

parley::Result<Source> openSource(const Options& options,
                                  const std::shared_ptr<parley::Loop>& loop);

}  // namespace call
