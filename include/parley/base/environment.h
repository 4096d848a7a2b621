#pragma once

#include "parley/base/limits.h"
#include "parley/base/log.h"
#include "parley/base/memory_budget.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/random.h"
#include "parley/base/time.h"

namespace parley {

/// What every machine is given instead of globals. Holds references: the owner (an Endpoint, a
/// test) outlives the machines. There is no clock in it: time is an argument (machine rule M1).
struct Environment {
  Random& random;
  PacketPool& pool;
  LogSink& log = nullLog();
  WallClock wallClock{};
  Limits limits{};
  /// Bounds what connections hold together beyond their first megabyte each way; null: only the
  /// limits of each.
  MemoryBudget* memory = nullptr;
};

}  // namespace parley
