#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"

namespace parley::rtp {

/// Reads bits, most significant first, from untrusted bytes. Past the end it gives zeros and `ok()`
/// turns false for good.
class BitReader {
 public:
  explicit BitReader(ByteSpan data) : data_(data) {}
  bool ok() const { return ok_; }
  uint32_t bit() {
    if (pos_ >= data_.size() * 8) {
      ok_ = false;
      return 0;
    }
    const uint32_t v = data_[pos_ / 8] >> (7 - pos_ % 8) & 1u;
    ++pos_;
    return v;
  }
  /// count <= 32.
  uint32_t bits(unsigned count) {
    uint32_t v = 0;
    for (unsigned i = 0; i < count; ++i) v = v << 1 | bit();
    return v;
  }
  void skip(size_t count) {
    pos_ += count;
    if (pos_ > data_.size() * 8) ok_ = false;
  }
  /// Exponential Golomb code (ITU-T H.264 section 9.1).
  uint32_t ue() {
    unsigned zeros = 0;
    while (ok_ && bit() == 0) {
      if (++zeros > 31) {
        ok_ = false;
        return 0;
      }
    }
    return ok_ ? ((1u << zeros) - 1 + bits(zeros)) : 0;
  }
  int64_t se() {
    const uint32_t v = ue();
    return v & 1 ? int64_t{v / 2} + 1 : -int64_t{v / 2};
  }

 private:
  ByteSpan data_;
  size_t pos_ = 0;
  bool ok_ = true;
};

}  // namespace parley::rtp
