#pragma once

#include <cstdint>

namespace parley::sim {

/// What the World's event heap calls when an event is due. The argument is the target's own
/// business.
class EventTarget {
 public:
  virtual void fire(uint64_t argument) = 0;

 protected:
  ~EventTarget() = default;
};

}  // namespace parley::sim
