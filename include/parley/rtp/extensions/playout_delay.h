#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

struct PlayoutDelayValue {
  Duration min;
  Duration max;  ///< both zero: render as soon as possible
  bool operator==(const PlayoutDelayValue&) const = default;
};

/// The sender's wish for the playout delay (playout-delay): two 12-bit numbers in units of 10 ms.
/// It holds until another one arrives.
struct PlayoutDelay {
  using Value = PlayoutDelayValue;
  static constexpr ExtensionKind kKind = ExtensionKind::PlayoutDelay;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
  static constexpr size_t kMaxSize = 3;
  static constexpr int64_t kUnitMs = 10;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 3) return std::nullopt;
    const uint32_t v = loadU24(bytes.data());
    const Value value{Duration::millis((v >> 12) * kUnitMs),
                      Duration::millis((v & 0xfff) * kUnitMs)};
    if (value.min > value.max) return std::nullopt;
    return value;
  }
  static size_t write(const Value& v, uint8_t* out) {
    const int64_t min = v.min.millis() / kUnitMs;
    const int64_t max = v.max.millis() / kUnitMs;
    if (min < 0 || min > max || max > 0xfff) return 0;
    storeU24(out, static_cast<uint32_t>(min << 12 | max));
    return 3;
  }
};

}  // namespace parley::rtp
