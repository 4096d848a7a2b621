#include "media/rate_limits.h"

#include <algorithm>
#include <limits>

namespace parley::media {

bool RateLimits::forget(uint32_t owner) {
  Tuples others;
  for (const auto& tuple : tuples_) {
    if (tuple.ssrc != owner) others.push_back(tuple);
  }
  if (others.size() == tuples_.size()) return false;
  tuples_ = others;
  return true;
}

bool RateLimits::request(uint32_t owner, DataRate most, uint16_t overhead) {
  const rtp::rtcp::TmmbEntry tuple{owner, most, overhead};
  if (std::find(tuples_.begin(), tuples_.end(), tuple) != tuples_.end()) return false;
  forget(owner);
  if (tuples_.full()) forget(tuples_.begin()->ssrc);
  tuples_.push_back(tuple);
  return true;
}

// Each tuple is a line over the packet rate x: what is left for media is most - 8 * overhead * x.
// The lowest at x = 0 comes first; then whichever line crosses the present one soonest.
RateLimits::Tuples RateLimits::boundingSet() const {
  Tuples out;
  if (tuples_.empty()) return out;
  const auto* current =
      &*std::min_element(tuples_.begin(), tuples_.end(), [](const auto& a, const auto& b) {
        return a.maxBitrate != b.maxBitrate ? a.maxBitrate < b.maxBitrate : a.overhead > b.overhead;
      });
  while (current != nullptr && !out.full()) {
    out.push_back(*current);
    const double most = static_cast<double>(current->maxBitrate.bps());
    const double slope = 8.0 * current->overhead;
    // Beyond this packet rate nothing is left at all.
    double nearest = slope > 0 ? most / slope : std::numeric_limits<double>::infinity();
    const rtp::rtcp::TmmbEntry* next = nullptr;
    for (const auto& tuple : tuples_) {
      const double steeper = 8.0 * tuple.overhead - slope;
      if (steeper <= 0) continue;
      const double crossing = (static_cast<double>(tuple.maxBitrate.bps()) - most) / steeper;
      if (crossing >= nearest) continue;
      nearest = crossing;
      next = &tuple;
    }
    current = next;
  }
  return out;
}

std::optional<DataRate> RateLimits::limit(double bytesPerPacket) const {
  std::optional<DataRate> out;
  for (const auto& tuple : tuples_) {
    // With the overhead of its packets the stream is to stay below.
    const double share = bytesPerPacket / (bytesPerPacket + tuple.overhead);
    const DataRate rate =
        tuple.maxBitrate.isInfinite() ? tuple.maxBitrate : tuple.maxBitrate * share;
    out = out ? std::min(*out, rate) : rate;
  }
  return out;
}

}  // namespace parley::media
