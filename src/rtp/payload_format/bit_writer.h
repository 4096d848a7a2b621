#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"

namespace parley::rtp {

/// Writes bits, most significant first, and zeros up to the end of the last octet. Past the end
/// nothing is written and `ok()` turns false for good.
class BitWriter {
 public:
  explicit BitWriter(MutableByteSpan out) : out_(out) {}
  bool ok() const { return ok_; }
  /// In octets, begun ones included.
  size_t size() const { return (count_ + 7) / 8; }
  /// width <= 32.
  void bits(unsigned width, uint32_t value) {
    for (unsigned i = width; i-- > 0;) {
      if (count_ / 8 >= out_.size()) {
        ok_ = false;
        return;
      }
      uint8_t& octet = out_[count_ / 8];
      if (count_ % 8 == 0) octet = 0;
      if (value >> i & 1) octet = static_cast<uint8_t>(octet | 0x80 >> count_ % 8);
      ++count_;
    }
  }

 private:
  MutableByteSpan out_;
  size_t count_ = 0;
  bool ok_ = true;
};

}  // namespace parley::rtp
