#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// ISO/IEC 23091-2 code points. HDR metadata of the long form is checked for length and skipped.
struct ColorSpaceValue {
  uint8_t primaries = 2;  ///< 2: unspecified
  uint8_t transfer = 2;
  uint8_t matrix = 2;
  uint8_t range = 0;  ///< 0 unspecified, 1 limited, 2 full, 3 derived
  uint8_t chromaHorizontal = 0;
  uint8_t chromaVertical = 0;
  bool operator==(const ColorSpaceValue&) const = default;
};

/// The colour space of a frame (color-space), on the last packet of key frames.
struct ColorSpace {
  using Value = ColorSpaceValue;
  static constexpr ExtensionKind kKind = ExtensionKind::ColorSpace;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/color-space";
  static constexpr size_t kMaxSize = 4;
  static constexpr size_t kLongSize = 28;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != kMaxSize && bytes.size() != kLongSize) return std::nullopt;
    Value v;
    v.primaries = bytes[0];
    v.transfer = bytes[1];
    v.matrix = bytes[2];
    v.range = bytes[3] >> 4 & 3;
    v.chromaHorizontal = bytes[3] >> 2 & 3;
    v.chromaVertical = bytes[3] & 3;
    return v;
  }
  static size_t write(const Value& v, uint8_t* out) {
    out[0] = v.primaries;
    out[1] = v.transfer;
    out[2] = v.matrix;
    out[3] = static_cast<uint8_t>((v.range & 3) << 4 | (v.chromaHorizontal & 3) << 2 |
                                  (v.chromaVertical & 3));
    return kMaxSize;
  }
};

}  // namespace parley::rtp
