#pragma once

#include "parley/api/stats_report.h"
#include "parley/base/time.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// Everything that getStats() knows of the connection now. With the loop's lock held.
StatsReport buildStats(PeerConnectionCore& pc, Timestamp now);

}  // namespace parley::api_internal
