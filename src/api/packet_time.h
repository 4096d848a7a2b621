#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>

#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley::api_internal {

/// How much sound a packet carries (RTCRtpEncodingParameters.adaptivePtime). Headers of 20 ms
/// packets take some 26 kb/s, as much as speech itself: where there is little rate, packets of 40
/// and 60 ms leave more of it to the sound, at the price of delay.
class PacketTime {
 public:
  static constexpr Duration kUsual = Duration::millis(20);

  /// With what sound gets of the bitrate, and the longest packet that the peer takes.
  Duration choose(DataRate rate, std::optional<Duration> most) {
    while (level_ > 0 && rate > kLevels[level_].shorterAbove) --level_;
    while (level_ + 1 < std::size(kLevels) && rate < kLevels[level_ + 1].longerBelow) ++level_;
    Duration time = kLevels[level_].time;
    if (most) time = std::min(time, std::max(*most, kUsual));
    return time;
  }

 private:
  struct Level {
    Duration time;
    DataRate longerBelow;
    DataRate shorterAbove;
  };
  static constexpr Level kLevels[] = {
      {kUsual, DataRate::zero(), DataRate::zero()},
      {Duration::millis(40), DataRate::kbps(28), DataRate::kbps(34)},
      {Duration::millis(60), DataRate::kbps(20), DataRate::kbps(24)},
  };
  size_t level_ = 0;
};

}  // namespace parley::api_internal
