#pragma once

#include <atomic>
#include <cstddef>

namespace parley {

/// A bound on memory that several connections share: what one may take beyond its fair beginning,
/// it reserves here first. Thread rule: any thread; may be shared between loops.
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t limit) : limit_(limit) {}

  /// False, and nothing reserved, if it would exceed the limit.
  bool reserve(size_t bytes) {
    size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void release(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  size_t limit() const { return limit_; }

 private:
  const size_t limit_;
  std::atomic<size_t> used_{0};
};

/// One holder's share of a budget; gives it back when it dies. A null budget always grants.
class MemoryShare {
 public:
  explicit MemoryShare(MemoryBudget* budget) : budget_(budget) {}
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;
  ~MemoryShare() { resize(0); }

  /// Grows or shrinks to `bytes`; false (and unchanged) if the budget does not allow it.
  bool resize(size_t bytes) {
    if (bytes > held_) {
      if (budget_ != nullptr && !budget_->reserve(bytes - held_)) return false;
    } else if (budget_ != nullptr) {
      budget_->release(held_ - bytes);
    }
    held_ = bytes;
    return true;
  }
  size_t held() const { return held_; }

 private:
  MemoryBudget* budget_;
  size_t held_ = 0;
};

}  // namespace parley
