#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

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

/// A report of the whole connection, and what in it the selectors select.
struct SelectableStats {
  StatsReport report;
  std::multimap<uint32_t, std::string> outbound{};  ///< ids of objects, by transceiver
  std::multimap<uint32_t, std::string> inbound{};   ///< the same

  StatsReport select(const StatsSelector& selector) const;
};

/// The lock is held.
SelectableStats buildStats(PeerConnectionCore& pc, Timestamp now);

}  // namespace parley::api_internal
