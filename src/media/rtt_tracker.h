#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/time.h"

namespace parley::media {

/// Remembers when we sent our NTP stamps (in sender reports and receiver reference times) and turns
/// their echoes (LSR + DLSR, RFC 3550 section 6.4.1; LRR + DLRR, RFC 3611 section 4.5) into
/// round-trip times. An echo of a stamp that we did not send is ignored, so nonsense cannot become
/// a time.
class RttTracker {
 public:
  void onStampSent(uint32_t compactNtp, Timestamp now) {
    if (stamps_[last_].compact == compactNtp && stamps_[last_].used) return;
    last_ = (last_ + 1) % stamps_.size();
    stamps_[last_] = {compactNtp, now, true};
  }
  /// `delay` in 1/65536 s. nullopt for an unknown stamp, a negative time or one above 60 s.
  std::optional<Duration> onEcho(uint32_t compactNtp, uint32_t delay, Timestamp now) {
    if (compactNtp == 0) return std::nullopt;
    for (const Stamp& stamp : stamps_) {
      if (!stamp.used || stamp.compact != compactNtp) continue;
      const Duration held = Duration::nanos(
          static_cast<int64_t>(static_cast<uint64_t>(delay) * 1'000'000'000 / 65'536));
      const Duration rtt = (now - stamp.sent) - held;
      // The peer's clock may run a little faster than ours.
      if (rtt < Duration::millis(-10) || rtt > kMax) return std::nullopt;
      const Duration sample = std::max(rtt, Duration::millis(1));
      smoothed_ = smoothed_ ? *smoothed_ * 0.875 + sample * 0.125 : sample;
      return sample;
    }
    return std::nullopt;
  }
  std::optional<Duration> smoothed() const { return smoothed_; }
  void reset() { smoothed_.reset(); }

 private:
  static constexpr Duration kMax = Duration::seconds(60);
  struct Stamp {
    uint32_t compact = 0;
    Timestamp sent;
    bool used = false;
  };
  std::array<Stamp, 32> stamps_{};
  size_t last_ = 0;
  std::optional<Duration> smoothed_;
};

}  // namespace parley::media
