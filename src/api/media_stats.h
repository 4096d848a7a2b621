#pragma once

#include "parley/api/stats_report.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// codec, media-source, outbound-rtp, inbound-rtp, remote-inbound-rtp and remote-outbound-rtp.
void addMediaStats(StatsReport& report, PeerConnectionCore& pc, double timestamp);

}  // namespace parley::api_internal
