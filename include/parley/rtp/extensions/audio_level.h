#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

struct AudioLevelValue {
  bool voice = false;
  uint8_t level = 127;  ///< -dBov: 0 loudest, 127 silence
  bool operator==(const AudioLevelValue&) const = default;
};

/// Client-to-mixer audio level (RFC 6464).
struct AudioLevel {
  using Value = AudioLevelValue;
  static constexpr ExtensionKind kKind = ExtensionKind::AudioLevel;
  static constexpr std::string_view kUri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
  static constexpr size_t kMaxSize = 1;
  static std::optional<Value> parse(ByteSpan bytes) {
    // RFC 6464 section 3: the two-byte form may carry a longer, padded element; the first byte
    // counts.
    if (bytes.empty()) return std::nullopt;
    return Value{(bytes[0] & 0x80) != 0, static_cast<uint8_t>(bytes[0] & 0x7f)};
  }
  static size_t write(const Value& v, uint8_t* out) {
    out[0] = static_cast<uint8_t>((v.voice ? 0x80 : 0) | (v.level & 0x7f));
    return 1;
  }
};

}  // namespace parley::rtp
