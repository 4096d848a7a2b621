#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

struct AbsCaptureTimeValue {
  NtpTime captureTime;  ///< by the clock of the system that captured
  /// Estimated difference between the sender's and the capturer's NTP clock, Q32.32 seconds.
  std::optional<int64_t> clockOffset;
  bool operator==(const AbsCaptureTimeValue&) const = default;
};

/// When the first byte of the frame was captured (abs-capture-time): 8 bytes, or 16 with the
/// offset.
struct AbsCaptureTime {
  using Value = AbsCaptureTimeValue;
  static constexpr ExtensionKind kKind = ExtensionKind::AbsCaptureTime;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
  static constexpr size_t kMaxSize = 16;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 8 && bytes.size() != 16) return std::nullopt;
    Value v;
    v.captureTime.value = loadU64(bytes.data());
    if (bytes.size() == 16) v.clockOffset = static_cast<int64_t>(loadU64(bytes.data() + 8));
    return v;
  }
  static size_t write(const Value& v, uint8_t* out) {
    storeU64(out, v.captureTime.value);
    if (!v.clockOffset) return 8;
    storeU64(out + 8, static_cast<uint64_t>(*v.clockOffset));
    return 16;
  }
};

}  // namespace parley::rtp
