#include "media/bitrate_allocator.h"

#include <algorithm>

#include "media/simulcast_rates.h"

namespace parley::media {
namespace {

/// Hands out `left` in proportion to priority; what a full stream cannot take goes round again.
void distribute(DataRate& left, std::span<BitrateDemand> demands, bool audio) {
  for (size_t round = 0; round <= demands.size() && left > DataRate::zero(); ++round) {
    double weights = 0;
    for (const BitrateDemand& d : demands) {
      if (d.audio == audio && !d.given.isZero() && d.given < d.max) weights += d.priority;
    }
    if (weights <= 0) return;
    const DataRate share = left;
    for (BitrateDemand& d : demands) {
      if (d.audio != audio || d.given.isZero() || d.given >= d.max) continue;
      const DataRate extra = std::min(share * (d.priority / weights), d.max - d.given);
      d.given = d.given + extra;
      left = left - extra;
    }
  }
}

}  // namespace

void allocateBitrate(DataRate total, std::span<BitrateDemand> demands) {
  joinLayers(demands);
  DataRate left = total;
  bool anyVideo = false;
  for (const bool audio : {true, false}) {
    for (BitrateDemand& d : demands) {
      if (d.audio != audio) continue;
      d.given = DataRate::zero();
      if (!d.active || total.isZero()) continue;
      const bool must = audio || !anyVideo;
      if (d.min > left && !must) continue;
      d.given = std::max(d.min, DataRate::bps(1));
      left = std::max(DataRate::zero(), left - d.min);
      anyVideo = anyVideo || !audio;
    }
    if (audio) distribute(left, demands, true);
  }
  distribute(left, demands, false);
  spreadOverLayers(demands);
}

}  // namespace parley::media
