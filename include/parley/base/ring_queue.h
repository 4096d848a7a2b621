#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "parley/base/check.h"

namespace parley {

/// A FIFO in one growable ring, bounded by `maxSize`. No allocation once it has grown to its
/// working size, which is a power of two and small at first: most connections are idle. `push`
/// answers false when full: the caller documents what is dropped (machine rule M2).
template <class T>
class RingQueue {
 public:
  explicit RingQueue(size_t maxSize) : maxSize_(maxSize) {}

  bool push(T value) {
    if (size_ == maxSize_) return false;
    if (size_ == slots_.size()) grow();
    slots_[place(size_)] = std::move(value);
    ++size_;
    return true;
  }
  T pop() {
    PARLEY_CHECK(size_ > 0);
    T value = std::move(slots_[head_]);
    if constexpr (!std::is_trivially_destructible_v<T>) slots_[head_] = T{};
    // An empty one begins anew, where the memory is near: most hold one or two at a time.
    head_ = --size_ == 0 ? 0 : place(1);
    return value;
  }
  T& front() {
    PARLEY_CHECK(size_ > 0);
    return slots_[head_];
  }
  const T& front() const {
    PARLEY_CHECK(size_ > 0);
    return slots_[head_];
  }
  /// The i-th oldest element.
  T& operator[](size_t i) { return slots_[place(i)]; }
  const T& operator[](size_t i) const { return slots_[place(i)]; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == maxSize_; }
  size_t size() const { return size_; }
  size_t maxSize() const { return maxSize_; }
  void clear() {
    while (size_ > 0) pop();
  }

 private:
  size_t place(size_t i) const { return (head_ + i) & (slots_.size() - 1); }
  void grow() {
    constexpr size_t kFirst = sizeof(T) > 64 ? 4 : 16;
    std::vector<T> bigger(slots_.empty() ? kFirst : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) bigger[i] = std::move(slots_[place(i)]);
    slots_ = std::move(bigger);
    head_ = 0;
  }
  std::vector<T> slots_;
  size_t maxSize_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace parley
