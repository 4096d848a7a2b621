#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

struct VideoOrientationValue {
  uint16_t rotation = 0;  ///< degrees the receiver turns the picture clockwise: 0, 90, 180, 270
  bool flip = false;      ///< mirror horizontally
  bool backCamera = false;
  bool operator==(const VideoOrientationValue&) const = default;
};

/// Coordination of video orientation (3GPP TS 26.114 section 7.4.5): bits C F R1 R0. Sent on the
/// last packet of every key frame and of the frame on which it changes.
struct VideoOrientation {
  using Value = VideoOrientationValue;
  static constexpr ExtensionKind kKind = ExtensionKind::VideoOrientation;
  static constexpr std::string_view kUri = "urn:3gpp:video-orientation";
  static constexpr size_t kMaxSize = 1;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 1) return std::nullopt;
    return Value{static_cast<uint16_t>((bytes[0] & 3) * 90), (bytes[0] & 4) != 0,
                 (bytes[0] & 8) != 0};
  }
  static size_t write(const Value& v, uint8_t* out) {
    if (v.rotation % 90 != 0 || v.rotation > 270) return 0;
    out[0] = static_cast<uint8_t>(v.rotation / 90 | (v.flip ? 4 : 0) | (v.backCamera ? 8 : 0));
    return 1;
  }
};

}  // namespace parley::rtp
