#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

enum class VideoContentType : uint8_t { Unspecified = 0, Screenshare = 1 };

/// What kind of picture a frame shows (video-content-type); sent on the last packet of key frames.
struct ContentType {
  using Value = VideoContentType;
  static constexpr ExtensionKind kKind = ExtensionKind::ContentType;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type";
  static constexpr size_t kMaxSize = 1;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 1) return std::nullopt;
    // The upper bits carry simulcast and experiment ids in some senders; only bit 0 is the type.
    return (bytes[0] & 1) ? VideoContentType::Screenshare : VideoContentType::Unspecified;
  }
  static size_t write(Value v, uint8_t* out) {
    out[0] = static_cast<uint8_t>(v);
    return 1;
  }
};

}  // namespace parley::rtp
