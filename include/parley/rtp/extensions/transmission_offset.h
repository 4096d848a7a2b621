#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// Transmission time offset (RFC 5450): how much later than its RTP timestamp says the packet was
/// sent, in RTP clock ticks; 24 bits, signed.
struct TransmissionOffset {
  using Value = int32_t;
  static constexpr ExtensionKind kKind = ExtensionKind::TransmissionOffset;
  static constexpr std::string_view kUri = "urn:ietf:params:rtp-hdrext:toffset";
  static constexpr size_t kMaxSize = 3;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 3) return std::nullopt;
    const uint32_t v = loadU24(bytes.data());
    return static_cast<int32_t>(v << 8) >> 8;
  }
  static size_t write(Value v, uint8_t* out) {
    storeU24(out, static_cast<uint32_t>(v) & 0xffffff);
    return 3;
  }
};

}  // namespace parley::rtp
