#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "parley/base/check.h"

namespace parley {

/// A FIFO in one growable ring, bounded by `maxSize`. No allocation once it has grown to its
/// working size. `push` answers false when full: the caller documents what is dropped (machine rule
/// M2).
template <class T>
class RingQueue {
 public:
  explicit RingQueue(size_t maxSize) : maxSize_(maxSize) {}

  bool push(T value) {
    if (size_ == maxSize_) return false;
    if (size_ == slots_.size()) grow();
    slots_[(head_ + size_) % slots_.size()] = std::move(value);
    ++size_;
    return true;
  }
  T pop() {
    PARLEY_CHECK(size_ > 0);
    T value = std::move(slots_[head_]);
    slots_[head_] = T{};
    head_ = (head_ + 1) % slots_.size();
    --size_;
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
  T& operator[](size_t i) { return slots_[(head_ + i) % slots_.size()]; }
  const T& operator[](size_t i) const { return slots_[(head_ + i) % slots_.size()]; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == maxSize_; }
  size_t size() const { return size_; }
  size_t maxSize() const { return maxSize_; }
  void clear() {
    while (size_ > 0) pop();
  }

 private:
  void grow() {
    const size_t capacity = slots_.empty() ? 16 : slots_.size() * 2;
    std::vector<T> bigger(capacity < maxSize_ ? capacity : maxSize_);
    for (size_t i = 0; i < size_; ++i) bigger[i] = std::move(slots_[(head_ + i) % slots_.size()]);
    slots_ = std::move(bigger);
    head_ = 0;
  }
  std::vector<T> slots_;
  size_t maxSize_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace parley
