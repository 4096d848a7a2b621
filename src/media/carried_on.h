#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>

#include "parley/base/time.h"

namespace parley::media {

/// The capture time of one RTP timestamp from that of another (abs-capture-time: receivers
/// extrapolate). Nothing if they lie too far apart: clocks of cameras and microphones drift.
inline std::optional<NtpTime> carriedOn(NtpTime time, uint32_t fromRtp, uint32_t toRtp,
                                        uint32_t clockRate) {
  constexpr int64_t kMaxSeconds = 5;
  if (clockRate == 0) return std::nullopt;
  const int64_t ticks = static_cast<int32_t>(toRtp - fromRtp);
  const int64_t rate = clockRate;
  if (std::abs(ticks) > kMaxSeconds * rate) return std::nullopt;
  const int64_t fractions = ticks * (int64_t{1} << 32) / rate;
  return NtpTime{time.value + static_cast<uint64_t>(fractions)};
}

}  // namespace parley::media
