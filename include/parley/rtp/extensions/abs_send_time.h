#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// When the packet left the sender: 24-bit 6.18 fixed point seconds that wrap every 64 s
/// (abs-send-time, draft-alvestrand-rmcat-remb-03 appendix). Rewritten on every transmission, also
/// for RTX.
struct AbsSendTime {
  using Value = uint32_t;
  static constexpr ExtensionKind kKind = ExtensionKind::AbsSendTime;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
  static constexpr size_t kMaxSize = 3;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 3) return std::nullopt;
    return loadU24(bytes.data());
  }
  static size_t write(Value v, uint8_t* out) {
    storeU24(out, v & 0xffffff);
    return 3;
  }
  static constexpr Value fromNtp(NtpTime ntp) {
    return static_cast<uint32_t>(ntp.value >> 14) & 0xffffff;
  }
  /// Any steady clock will do: only differences between packets of one sender are ever used.
  static constexpr Value fromTimestamp(Timestamp t) {
    const uint64_t ns = static_cast<uint64_t>(t.nanos());
    const uint64_t seconds = ns / 1'000'000'000;
    const uint64_t fraction = ((ns % 1'000'000'000) << 18) / 1'000'000'000;
    return static_cast<uint32_t>(seconds << 18 | fraction) & 0xffffff;
  }
};

}  // namespace parley::rtp
