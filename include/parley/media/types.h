#pragma once

#include <cstdint>

namespace parley::media {

/// The two kinds of media that WebRTC knows.
enum class MediaKind : uint8_t { Audio, Video };

constexpr const char* toString(MediaKind kind) {
  return kind == MediaKind::Audio ? "audio" : "video";
}

}  // namespace parley::media
