#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/time.h"

namespace parley::devices {

/// Smooth times for received pictures. Their RTP timestamps are exact in distance but start
/// anywhere; their playout times are where they belong but waver with the jitter buffer. The result
/// has the distances of the first and follows the second slowly, or at once when the two disagree
/// by much (another sender, a pause). Strictly increasing, by a millisecond at least.
class PlayLine {
 public:
  Timestamp place(uint32_t rtpTimestamp, Timestamp playout) {
    constexpr Duration kJump = Duration::millis(250);
    constexpr int64_t kSlowness = 64;  // frames until most of an error is gone
    Timestamp out = playout;
    if (last_ && rtpTimestamp != lastRtp_) {
      // 90 kHz; the difference of two timestamps of 32 bits, either way.
      const auto ticks = static_cast<int32_t>(rtpTimestamp - lastRtp_);
      const Timestamp smooth = line_ + Duration::nanos(int64_t{ticks} * 100'000 / 9);
      const Duration error = playout - smooth;
      if (error < kJump && error > -kJump) out = smooth + error / kSlowness;
    }
    line_ = out;
    lastRtp_ = rtpTimestamp;
    if (last_ && out < *last_ + Duration::millis(1)) out = *last_ + Duration::millis(1);
    last_ = out;
    return out;
  }

 private:
  Timestamp line_;
  uint32_t lastRtp_ = 0;
  std::optional<Timestamp> last_;
};

}  // namespace parley::devices
