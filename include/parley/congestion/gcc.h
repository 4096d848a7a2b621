#pragma once

#include <memory>

#include "parley/base/export.h"
#include "parley/congestion/controller.h"

namespace parley::congestion {

/// Google congestion control (draft-ietf-rmcat-gcc-02 and what became of it): a delay-gradient
/// estimator with probing, beside a loss-based one; the lower of both rules.
PARLEY_EXPORT std::unique_ptr<Controller> createGcc(const RateConstraints& constraints);
PARLEY_EXPORT std::unique_ptr<ControllerFactory> gccFactory();

}  // namespace parley::congestion
