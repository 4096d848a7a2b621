#include "media/simulcast_rates.h"

#include <algorithm>
#include <cmath>

namespace parley::media {
namespace {

// 1280x720 wants 600 to 2500 kb/s, which is common practice; quarter the pixels, a quarter of the
// minimum, and somewhat more than that of the maximum: small pictures need more bits per pixel.
constexpr double kPixels = 1280.0 * 720.0;
constexpr double kMinKbps = 600;
constexpr double kMaxKbps = 2500;
constexpr double kMaxExponent = 0.92;
constexpr double kLeastKbps = 30;
constexpr double kMostMinKbps = 800;
constexpr double kLeastMaxKbps = 100;
constexpr double kToSwitchOn = 1.1;

DataRate kbps(double value) {
  return DataRate::bps(static_cast<int64_t>(value * 1000));
}

BitrateDemand* firstOf(std::span<BitrateDemand> demands, uint32_t sender) {
  const auto it = std::find_if(demands.begin(), demands.end(),
                               [sender](const BitrateDemand& d) { return d.sender == sender; });
  return it == demands.end() ? nullptr : &*it;
}

/// Larger `scaleDownBy` is lower; among equals the one that comes first.
bool isLower(const BitrateDemand& a, const BitrateDemand& b) {
  return a.scaleDownBy != b.scaleDownBy ? a.scaleDownBy > b.scaleDownBy : &a < &b;
}

/// The lowest active layer above `below`; of all if that is null.
BitrateDemand* nextLayer(std::span<BitrateDemand> demands, uint32_t sender,
                         const BitrateDemand* below) {
  BitrateDemand* next = nullptr;
  for (BitrateDemand& d : demands) {
    if (d.sender != sender || !d.own.active || (below != nullptr && !isLower(*below, d))) continue;
    if (next == nullptr || isLower(d, *next)) next = &d;
  }
  return next;
}

void spread(std::span<BitrateDemand> demands, uint32_t sender, DataRate left) {
  const bool paused = left.isZero();
  const BitrateDemand* below = nullptr;
  while (BitrateDemand* layer = nextLayer(demands, sender, below)) {
    const DataRate needed =
        below == nullptr || layer->wasOn ? layer->min : layer->min * kToSwitchOn;
    // The lowest is sent even where its minimum does not fit, as a single stream would be.
    if (paused || (below != nullptr && left < needed)) return;
    layer->given = std::min(left, layer->max);
    left = left - layer->given;
    below = layer;
  }
}

}  // namespace

LayerRates layerRates(double pixels) {
  const double share = std::max(pixels, 1.0) / kPixels;
  return {kbps(std::clamp(kMinKbps * share, kLeastKbps, kMostMinKbps)),
          kbps(std::max(kMaxKbps * std::pow(share, kMaxExponent), kLeastMaxKbps))};
}

void joinLayers(std::span<BitrateDemand> demands) {
  for (BitrateDemand& d : demands) {
    if (d.sender != 0) d.own = {d.min, d.max, d.active};
  }
  for (BitrateDemand& d : demands) {
    if (d.sender == 0) continue;
    BitrateDemand& first = *firstOf(demands, d.sender);
    if (&d != &first) {
      d.active = false;
      continue;
    }
    const BitrateDemand* lowest = nextLayer(demands, d.sender, nullptr);
    d.active = lowest != nullptr;
    if (lowest == nullptr) continue;
    d.min = lowest->own.min;
    d.max = DataRate::zero();
    for (const BitrateDemand& other : demands) {
      if (other.sender != d.sender || !other.own.active) continue;
      d.max = d.max + other.own.max;
      d.priority = std::max(d.priority, other.priority);
    }
  }
}

void spreadOverLayers(std::span<BitrateDemand> demands) {
  for (BitrateDemand& d : demands) {
    if (d.sender == 0) continue;
    d.min = d.own.min;
    d.max = d.own.max;
    d.active = d.own.active;
  }
  for (BitrateDemand& d : demands) {
    if (d.sender == 0 || firstOf(demands, d.sender) != &d) continue;
    const DataRate total = d.given;
    d.given = DataRate::zero();
    spread(demands, d.sender, total);
  }
}

}  // namespace parley::media
