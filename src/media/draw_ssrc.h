#pragma once

#include <cstdint>

#include "parley/base/random.h"

namespace parley::media {

/// RFC 3550 section 8.1: at random. Zero stands for none in our interfaces.
inline uint32_t drawSsrc(Random& random) {
  for (;;) {
    if (const uint32_t ssrc = random.u32(); ssrc != 0) return ssrc;
  }
}

}  // namespace parley::media
