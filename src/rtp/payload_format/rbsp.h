#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"

namespace parley::rtp {

/// The first bytes of a NAL unit without emulation prevention (ITU-T H.264 section 7.4.1.1, H.265
/// section 7.4.2): in parameter sets what we look for stands in front of anything long.
class Rbsp {
 public:
  explicit Rbsp(ByteSpan nalu) {
    size_t zeros = 0;
    for (size_t i = 0; i < nalu.size() && size_ < bytes_.size(); ++i) {
      if (zeros >= 2 && nalu[i] == 3) {
        zeros = 0;
        continue;
      }
      zeros = nalu[i] == 0 ? zeros + 1 : 0;
      bytes_[size_++] = nalu[i];
    }
  }
  ByteSpan bytes() const { return ByteSpan(bytes_).first(size_); }

 private:
  std::array<uint8_t, 256> bytes_{};
  size_t size_ = 0;
};

}  // namespace parley::rtp
