#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parley {

using ByteSpan = std::span<const uint8_t>;
using MutableByteSpan = std::span<uint8_t>;
using Bytes = std::vector<uint8_t>;

inline ByteSpan asBytes(std::string_view s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}
inline std::string_view asText(ByteSpan b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}
inline Bytes toBytes(ByteSpan b) {
  return Bytes(b.begin(), b.end());
}
inline Bytes toBytes(std::string_view s) {
  return toBytes(asBytes(s));
}

// Unchecked big-endian loads and stores. The caller has checked the bounds.
inline uint16_t loadU16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}
inline uint32_t loadU24(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
}
inline uint32_t loadU32(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | p[3];
}
inline uint64_t loadU64(const uint8_t* p) {
  return static_cast<uint64_t>(loadU32(p)) << 32 | loadU32(p + 4);
}
inline void storeU16(uint8_t* p, uint16_t v) {
  p[0] = static_cast<uint8_t>(v >> 8);
  p[1] = static_cast<uint8_t>(v);
}
inline void storeU24(uint8_t* p, uint32_t v) {
  p[0] = static_cast<uint8_t>(v >> 16);
  p[1] = static_cast<uint8_t>(v >> 8);
  p[2] = static_cast<uint8_t>(v);
}
inline void storeU32(uint8_t* p, uint32_t v) {
  storeU16(p, static_cast<uint16_t>(v >> 16));
  storeU16(p + 2, static_cast<uint16_t>(v));
}
inline void storeU64(uint8_t* p, uint64_t v) {
  storeU32(p, static_cast<uint32_t>(v >> 32));
  storeU32(p + 4, static_cast<uint32_t>(v));
}

/// Reads big-endian fields from untrusted bytes. Running past the end never touches memory: the
/// read gives zero (or an empty span) and `ok()` stays false from then on, so a parser may read all
/// its fields and test once.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan data) : data_(data) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return ok_ ? data_.size() - pos_ : 0; }
  size_t position() const { return pos_; }
  bool atEnd() const { return remaining() == 0; }

  uint8_t u8() { return take(1) ? data_[pos_ - 1] : 0; }
  uint16_t u16() { return take(2) ? loadU16(&data_[pos_ - 2]) : 0; }
  uint32_t u24() { return take(3) ? loadU24(&data_[pos_ - 3]) : 0; }
  uint32_t u32() { return take(4) ? loadU32(&data_[pos_ - 4]) : 0; }
  uint64_t u64() { return take(8) ? loadU64(&data_[pos_ - 8]) : 0; }
  ByteSpan bytes(size_t n) { return take(n) ? data_.subspan(pos_ - n, n) : ByteSpan{}; }
  ByteSpan rest() { return bytes(remaining()); }
  void skip(size_t n) { take(n); }

 private:
  bool take(size_t n) {
    if (!ok_ || data_.size() - pos_ < n) {
      ok_ = false;
      return false;
    }
    pos_ += n;
    return true;
  }
  ByteSpan data_;
  size_t pos_ = 0;
  bool ok_ = true;
};

/// Writes big-endian fields into a fixed buffer. Writing past the end writes nothing and `ok()`
/// stays false from then on.
class ByteWriter {
 public:
  explicit ByteWriter(MutableByteSpan out) : out_(out) {}

  bool ok() const { return ok_; }
  size_t size() const { return pos_; }
  size_t remaining() const { return ok_ ? out_.size() - pos_ : 0; }
  ByteSpan written() const { return out_.first(pos_); }

  void u8(uint8_t v) {
    if (take(1)) out_[pos_ - 1] = v;
  }
  void u16(uint16_t v) {
    if (take(2)) storeU16(&out_[pos_ - 2], v);
  }
  void u24(uint32_t v) {
    if (take(3)) storeU24(&out_[pos_ - 3], v);
  }
  void u32(uint32_t v) {
    if (take(4)) storeU32(&out_[pos_ - 4], v);
  }
  void u64(uint64_t v) {
    if (take(8)) storeU64(&out_[pos_ - 8], v);
  }
  void bytes(ByteSpan b) {
    if (take(b.size()) && !b.empty()) std::memcpy(&out_[pos_ - b.size()], b.data(), b.size());
  }
  void zeros(size_t n) {
    if (take(n) && n != 0) std::memset(&out_[pos_ - n], 0, n);
  }
  /// Overwrites two bytes already written, e.g. a length known only at the end.
  void patchU16(size_t at, uint16_t v) {
    if (ok_ && at + 2 <= pos_) storeU16(&out_[at], v);
  }

 private:
  bool take(size_t n) {
    if (!ok_ || out_.size() - pos_ < n) {
      ok_ = false;
      return false;
    }
    pos_ += n;
    return true;
  }
  MutableByteSpan out_;
  size_t pos_ = 0;
  bool ok_ = true;
};

}  // namespace parley
