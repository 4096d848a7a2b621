#pragma once

#include "parley/base/export.h"
#include "parley/base/time.h"

namespace parley::io {

/// CLOCK_MONOTONIC: the time line of everything that an EventLoop runs.
PARLEY_EXPORT Timestamp monotonicNow();

/// Ties the monotonic clock to the wall clock as of now, for `Environment::wallClock`.
PARLEY_EXPORT WallClock readWallClock();

}  // namespace parley::io
