#pragma once

#include <cstdint>

namespace parley::rtp {

struct VideoSize {
  uint16_t width = 0;
  uint16_t height = 0;
  bool operator==(const VideoSize&) const = default;
};

}  // namespace parley::rtp
