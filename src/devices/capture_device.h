#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parley/devices/capture.h"

namespace parley::devices {

/// One of libavdevice's inputs.
struct InputRequest {
  std::string what;    ///< for errors: "the camera /dev/video0"
  std::string format;  ///< FFmpeg's name of the input, e.g. "v4l2"
  std::string url;
  std::vector<std::pair<std::string, std::string>> options;
  MediaKind kind = MediaKind::Video;
};

/// Opens it and starts its thread.
Result<std::shared_ptr<CaptureDevice>> openInput(const InputRequest& request);

}  // namespace parley::devices
