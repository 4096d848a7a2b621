#pragma once

#include <algorithm>

#include "parley/congestion/controller.h"

namespace parley::congestion {

/// No path is faster, and products with the longest round trip still fit: what peers and
/// applications say of rates is brought below it at the door.
inline constexpr DataRate kHighestRate = DataRate::kbps(100'000'000);
inline constexpr DataRate kLowestRate = DataRate::kbps(5);
/// RFC 3550 section 6.4.1 lets a peer claim any time.
inline constexpr Duration kLongestRtt = Duration::seconds(60);

inline DataRate bounded(DataRate rate) {
  return std::clamp(rate, DataRate::zero(), kHighestRate);
}

inline RateConstraints bounded(RateConstraints constraints) {
  constraints.min = std::clamp(constraints.min, kLowestRate, kHighestRate);
  constraints.max = std::clamp(constraints.max, constraints.min, kHighestRate);
  if (constraints.start)
    constraints.start = std::clamp(*constraints.start, constraints.min, constraints.max);
  return constraints;
}

inline StreamsConfig bounded(StreamsConfig streams) {
  streams.minTotal = bounded(streams.minTotal);
  streams.maxTotal = bounded(streams.maxTotal);
  streams.maxPadding = bounded(streams.maxPadding);
  return streams;
}

inline Duration boundedRtt(Duration rtt) {
  return std::clamp(rtt, Duration::millis(1), kLongestRtt);
}

}  // namespace parley::congestion
