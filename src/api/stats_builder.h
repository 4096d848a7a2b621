#pragma once

#include <cstdint>
#include <optional>

#include "parley/api/stats_report.h"
#include "parley/base/time.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// Whose statistics are asked for: of one sender, one receiver, or of the whole connection (W3C
/// webrtc-pc section 8.3).
struct StatsSelector {
  std::optional<uint32_t> sender{};    ///< of this transceiver
  std::optional<uint32_t> receiver{};  ///< of this transceiver
};

/// The lock is held.
StatsReport buildStats(PeerConnectionCore& pc, Timestamp now, const StatsSelector& selector);

}  // namespace parley::api_internal
