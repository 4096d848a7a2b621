#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

namespace parley {

/// True if `a` is newer than `b` in wrapping serial-number arithmetic (RFC 1982). At exactly half
/// the range apart the larger number counts as newer, so that the relation stays asymmetric.
template <class U>
constexpr bool isNewer(U a, U b) {
  static_assert(std::is_unsigned_v<U>);
  constexpr U kHalf = static_cast<U>(U{1} << (sizeof(U) * 8 - 1));
  const U diff = static_cast<U>(a - b);
  if (diff == kHalf) return a > b;
  return diff != 0 && diff < kHalf;
}

/// Turns a wrapping counter (RTP sequence number, RTP timestamp, TWCC sequence number) into a
/// 64-bit one that never wraps, choosing the value nearest to the highest one seen.
template <class U>
class SeqUnwrapper {
 public:
  int64_t unwrap(U value) {
    const int64_t result = peek(value);
    if (!last_ || result > *last_) last_ = result;
    return result;
  }
  /// The same without remembering.
  int64_t peek(U value) const {
    if (!last_) return value;
    using Signed = std::make_signed_t<U>;
    return *last_ + static_cast<Signed>(static_cast<U>(value - static_cast<U>(*last_)));
  }
  std::optional<int64_t> last() const { return last_; }
  void reset() { last_.reset(); }

 private:
  std::optional<int64_t> last_;
};

}  // namespace parley
