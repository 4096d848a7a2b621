#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "parley/base/check.h"

namespace parley::media {

/// A bounded FIFO whose elements are swapped in and out, so that the memory inside them (byte
/// vectors, strings) circulates instead of being freed.
template <class T>
class RecyclingQueue {
 public:
  explicit RecyclingQueue(size_t maxSize) : maxSize_(maxSize) {}

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == maxSize_; }
  size_t size() const { return size_; }

  /// The slot behind the last element, holding whatever a former element left there; it becomes the
  /// last element. Must not be full.
  T& push() {
    PARLEY_CHECK(!full());
    if (size_ == slots_.size()) grow();
    return slots_[(head_ + size_++) % slots_.size()];
  }
  bool pop(T& out) {
    if (empty()) return false;
    std::swap(out, slots_[head_]);
    dropFront();
    return true;
  }
  void dropFront() {
    PARLEY_CHECK(!empty());
    head_ = (head_ + 1) % slots_.size();
    --size_;
  }
  void clear() { size_ = 0; }

 private:
  void grow() {
    std::vector<T> bigger(slots_.empty() ? 4 : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) bigger[i] = std::move(slots_[(head_ + i) % slots_.size()]);
    slots_ = std::move(bigger);
    head_ = 0;
  }
  std::vector<T> slots_;
  size_t maxSize_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace parley::media
