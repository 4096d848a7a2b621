#include "parley/io/clock.h"

#include <time.h>

namespace parley::io {
namespace {

int64_t readNanos(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

Timestamp monotonicNow() {
  return Timestamp::nanos(readNanos(CLOCK_MONOTONIC));
}

WallClock readWallClock() {
  const int64_t before = readNanos(CLOCK_MONOTONIC);
  const int64_t wall = readNanos(CLOCK_REALTIME);
  const int64_t after = readNanos(CLOCK_MONOTONIC);
  return WallClock{Timestamp::nanos(before + (after - before) / 2), wall};
}

}  // namespace parley::io
