#include "parley/forwarding/layer_allocator.h"

#include <algorithm>

namespace parley::forwarding {
namespace {

/// What rises has to fit into so much of the rate.
constexpr double kRiseMargin = 0.9;

}  // namespace

void allocateLayers(DataRate rate, std::span<LayerDemand> demands) {
  DataRate used;
  const auto cost = [](const LayerDemand& demand, size_t option) {
    const DataRate before = demand.given ? demand.options[*demand.given].rate : DataRate();
    return demand.options[option].rate - before;
  };
  const auto fits = [&](const LayerDemand& demand, size_t option) {
    const bool rises = !demand.present || option > *demand.present;
    if (rises && !demand.mayRise && demand.given) return false;
    return used + cost(demand, option) <= (rises ? rate * kRiseMargin : rate);
  };
  for (LayerDemand& demand : demands) demand.given.reset();
  bool first = true;
  for (;;) {
    LayerDemand* next = nullptr;
    double nextValue = 0;
    for (LayerDemand& demand : demands) {
      const size_t option = demand.given ? *demand.given + 1 : 0;
      if (option >= demand.options.size()) continue;
      const bool cheapest = !demand.given;
      if (!fits(demand, option) && !(first && cheapest)) continue;
      // Cheapest options before all others, then whoever has least for their priority.
      const double priority = std::max(demand.priority, 1e-3);
      const double value = cheapest ? 1e6 * priority : priority / static_cast<double>(option + 1);
      if (next != nullptr && value <= nextValue) continue;
      next = &demand;
      nextValue = value;
    }
    if (next == nullptr) return;
    const size_t option = next->given ? *next->given + 1 : 0;
    used = used + cost(*next, option);
    next->given = option;
    first = false;
  }
}

}  // namespace parley::forwarding
