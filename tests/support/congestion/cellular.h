#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "parley/base/random.h"

#include "support/congestion/dumbbell.h"

namespace parley::test {

/// What a mobile network gives one user over time: a slow walk of the logarithm of the rate
/// (distance, shadowing), a fast one on top (fading, other users), and interruptions (handover,
/// tunnel). Made from a seed, so that the program is the recording.
struct CellularModel {
  const char* name;
  uint64_t seed;
  double meanKbps;
  double slowDeviation;  ///< of ln(rate)
  double slowSeconds;    ///< how long it remembers
  double fastDeviation;
  double fastSeconds;
  double interruptEvery;  ///< s, on average; 0: never
  double interruptSeconds;
  double interruptKbps;
};

inline constexpr CellularModel kCellular[] = {
    {"at a desk", 101, 6000, 0.10, 20, 0.10, 0.5, 0, 0, 0},
    {"walking", 102, 3000, 0.35, 8, 0.20, 0.4, 0, 0, 0},
    {"in a car", 103, 2500, 0.50, 4, 0.25, 0.3, 15, 0.15, 100},
    {"in a train", 104, 2000, 0.60, 6, 0.30, 0.3, 20, 1.0, 60},
    {"crowded cell", 105, 1200, 0.30, 10, 0.45, 0.2, 0, 0, 0},
};

inline std::vector<Capacity> cellularTrace(const CellularModel& model, double seconds) {
  constexpr double kStep = 0.1;
  SeededRandom random(model.seed);
  const auto normal = [&random] {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.unit();
    return sum;
  };
  const auto walk = [&](double& state, double deviation, double memory) {
    const double keep = std::exp(-kStep / memory);
    state = keep * state + deviation * std::sqrt(1 - keep * keep) * normal();
  };
  std::vector<Capacity> trace;
  double slow = 0;
  double fast = 0;
  double interruptedUntil = -1;
  for (double t = 0; t < seconds; t += kStep) {
    walk(slow, model.slowDeviation, model.slowSeconds);
    walk(fast, model.fastDeviation, model.fastSeconds);
    if (model.interruptEvery > 0 && random.unit() < kStep / model.interruptEvery)
      interruptedUntil = t + model.interruptSeconds;
    const double rate = model.meanKbps * std::exp(slow + fast);
    trace.push_back({t, t < interruptedUntil ? model.interruptKbps
                                             : std::clamp(rate, 100.0, 4 * model.meanKbps)});
  }
  return trace;
}

}  // namespace parley::test
