#pragma once

#include <optional>

#include "parley/base/time.h"

namespace parley::media {

/// Keeps the sound and the picture of one sender in step: whichever would be played earlier is
/// delayed. Works on captureToPlayout() of both, which sender reports make comparable (RFC 3550
/// section 6.4.1 on the use of NTP timestamps).
class AvSync {
 public:
  struct Delays {
    Duration audio;
    Duration video;
  };

  /// Takes a measurement and gives the extra delays to apply from now on.
  Delays update(std::optional<Duration> audio, std::optional<Duration> video) {
    if (!audio || !video) return delays_;
    const Duration lag = *video - *audio;  // positive: the picture comes later
    // Clocks that are so far apart are not the same sender's.
    if (lag > kMaxLag || lag < -kMaxLag) return delays_;
    smoothed_ = smoothed_ ? *smoothed_ * 0.75 + lag * 0.25 : lag;
    const Duration applied = delays_.audio - delays_.video;
    const Duration error = *smoothed_ - applied;
    // Less is not noticed (ITU-R BT.1359: 45 ms early, 125 ms late), and every change costs a
    // little.
    if (error < kTolerance && error > -kTolerance) return delays_;
    const Duration step = error > kMaxStep ? kMaxStep : error < -kMaxStep ? -kMaxStep : error;
    const Duration wanted = applied + step;
    delays_.audio = wanted > Duration::zero() ? wanted : Duration::zero();
    delays_.video = wanted < Duration::zero() ? -wanted : Duration::zero();
    return delays_;
  }

 private:
  static constexpr Duration kTolerance = Duration::millis(15);
  static constexpr Duration kMaxStep = Duration::millis(80);
  static constexpr Duration kMaxLag = Duration::seconds(5);
  Delays delays_;
  std::optional<Duration> smoothed_;
};

}  // namespace parley::media
