#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/base/time.h"

#include "base/ticks.h"

namespace parley::media {

/// Learns from arrivals how a source's RTP clock lies on the local one, and how late its packets or
/// frames tend to be.
///
/// Of the last kWindow arrivals, the earliest (relative to its timestamp) marks the undelayed line;
/// the delay of each is its distance from that line. A path that gets longer, or a clock that
/// drifts, moves the line within a window.
class ArrivalDelay {
 public:
  static constexpr size_t kWindow = 192;

  explicit ArrivalDelay(uint32_t clockRate) : clockRate_(clockRate ? clockRate : 1) {}

  /// `rtp` is unwrapped.
  void update(int64_t rtp, Timestamp arrival);
  void reset();
  bool isEmpty() const { return count_ == 0; }

  /// When `rtp` would have arrived undelayed. Meaningless while empty.
  Timestamp idealArrival(int64_t rtp) const { return toMedia(rtp) + minOffset_; }
  /// The delay that the given share (0..1) of arrivals did not exceed.
  Duration quantile(double share) const;

 private:
  Timestamp toMedia(int64_t rtp) const { return ticksToTime(rtp, clockRate_); }
  int64_t clockRate_;
  std::array<Duration, kWindow> offsets_{};
  size_t count_ = 0;
  size_t next_ = 0;
  Duration minOffset_;
};

}  // namespace parley::media
