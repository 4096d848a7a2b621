#pragma once

#include <array>
#include <cstddef>

#include "parley/base/check.h"

namespace parley {

/// A vector with its storage inside and a fixed capacity: lists whose length a wire format bounds
/// (31 report blocks, 15 CSRCs). Never allocates. T must be default-constructible and assignable.
template <class T, size_t N>
class InlineVector {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  constexpr InlineVector() = default;

  static constexpr size_t capacity() { return N; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr bool full() const { return size_ == N; }
  /// False (and unchanged) when full.
  constexpr bool push_back(const T& value) {
    if (size_ == N) return false;
    items_[size_++] = value;
    return true;
  }
  constexpr void pop_back() {
    PARLEY_DCHECK(size_ > 0);
    --size_;
  }
  constexpr void clear() { size_ = 0; }
  constexpr T& operator[](size_t i) {
    PARLEY_DCHECK(i < size_);
    return items_[i];
  }
  constexpr const T& operator[](size_t i) const {
    PARLEY_DCHECK(i < size_);
    return items_[i];
  }
  constexpr T& back() { return (*this)[size_ - 1]; }
  constexpr const T& back() const { return (*this)[size_ - 1]; }
  constexpr T* data() { return items_.data(); }
  constexpr const T* data() const { return items_.data(); }
  constexpr T* begin() { return items_.data(); }
  constexpr T* end() { return items_.data() + size_; }
  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }

  constexpr bool operator==(const InlineVector& o) const {
    if (size_ != o.size_) return false;
    for (size_t i = 0; i < size_; ++i) {
      if (!(items_[i] == o.items_[i])) return false;
    }
    return true;
  }

 private:
  std::array<T, N> items_{};
  size_t size_ = 0;
};

}  // namespace parley
