#pragma once

#include <optional>
#include <span>
#include <vector>

#include "parley/base/export.h"
#include "parley/forwarding/types.h"

namespace parley::forwarding {

/// One way to send a publication, and what it costs.
struct LayerOption {
  LayerChoice layers;
  DataRate rate;
};

/// One subscription in the division of a peer's rate.
struct LayerDemand {
  /// Cheapest first. Each is better than the one before.
  std::vector<LayerOption> options;
  double priority = 1;
  /// Of `options`, what is sent at present; nothing: paused.
  std::optional<size_t> present;
  /// Whether more than at present may be given; not so shortly after there was too little.
  bool mayRise = true;
  std::optional<size_t> given;  ///< the answer; nothing: pause
};

/// Divides `rate`: first everybody gets the cheapest option, by priority; then the one with the
/// least for its priority is raised by one, as long as that fits. What is above the present state
/// must fit with a margin, so that small changes of the estimate move nothing. The first in
/// priority gets its cheapest option always: a frozen picture helps nobody.
PARLEY_EXPORT void allocateLayers(DataRate rate, std::span<LayerDemand> demands);

}  // namespace parley::forwarding
