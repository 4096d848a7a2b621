#pragma once

#include "parley/base/export.h"
#include "parley/base/random.h"

namespace parley {

/// The operating system's generator (getrandom). Safe to share between threads.
class PARLEY_EXPORT SecureRandom final : public Random {
 public:
  void fill(MutableByteSpan out) override;
};

}  // namespace parley
