#pragma once

#include <memory>

#include "parley/base/export.h"
#include "parley/congestion/controller.h"

namespace parley::congestion {

/// SCReAM version 2 (RFC 8298, draft-johansson-ccwg-rfc8298bis-screamv2): a reference window moved
/// by acknowledgements, queueing delay, losses and congestion marks; the rate is the window per
/// round trip. Scales its answer to the share of marks where packets are ECT(1) (L4S, RFC 9331).
PARLEY_EXPORT std::unique_ptr<Controller> createScream(const RateConstraints& constraints);
PARLEY_EXPORT std::unique_ptr<ControllerFactory> screamFactory();

}  // namespace parley::congestion
