#pragma once

#include <cstddef>

namespace parley::rtp {

/// Cuts `total` bytes into the fewest pieces of at most `max`, all of one size but the last, which
/// may be shorter: the shape that UDP segmentation offload takes.
struct EqualPieces {
  size_t count = 0;
  size_t size = 0;

  static constexpr EqualPieces of(size_t total, size_t max) {
    if (total == 0 || max == 0) return {};
    const size_t fewest = (total + max - 1) / max;
    const size_t size = (total + fewest - 1) / fewest;
    return {(total + size - 1) / size, size};
  }
};

}  // namespace parley::rtp
