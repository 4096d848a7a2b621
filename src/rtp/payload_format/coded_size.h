#pragma once

#include <algorithm>
#include <cstdint>

#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// The size that a parameter set tells. Whoever is to refuse pictures that are too large (bad-input
/// rule B47) goes by it: numbers beyond 16 bits are the largest ones, and what is cut off at the
/// edges is left out only as far as encoders need it to fill blocks, because decoders take memory
/// for all of it.
constexpr VideoSize codedSize(uint64_t width, uint64_t height, uint64_t cutX = 0,
                              uint64_t cutY = 0) {
  constexpr uint64_t kBlock = 128;
  constexpr uint64_t kMost = 0xffff;
  return {static_cast<uint16_t>(std::min(cutX < kBlock ? width - cutX : width, kMost)),
          static_cast<uint16_t>(std::min(cutY < kBlock ? height - cutY : height, kMost))};
}

}  // namespace parley::rtp
