#pragma once

#include <concepts>

#include "parley/base/time.h"

namespace parley {

/// The verbs every leaf machine shares (machine rules M1 to M10 in src/README.md). Inputs are
/// `handleX(..., Timestamp now)`, outputs `pollX(...)`; they differ per machine.
template <class T>
concept Machine = requires(T machine, const T& constMachine, Timestamp now) {
  { machine.advance(now) } -> std::same_as<void>;
  { constMachine.nextDeadline() } -> std::same_as<Timestamp>;
};

}  // namespace parley
