#pragma once

#include <atomic>

#include "parley/base/check.h"

namespace parley {

/// Catches two threads inside a thread-compatible object at the same time: put a Scope at the top
/// of each public entry. Free in release builds.
class SequenceChecker {
 public:
  class Scope {
   public:
    explicit Scope([[maybe_unused]] SequenceChecker& checker)
#ifdef NDEBUG
        {}
#else
        : checker_(checker) {
      PARLEY_CHECK(!checker_.busy_.exchange(true, std::memory_order_acquire));
    }
    ~Scope() {
      checker_.busy_.store(false, std::memory_order_release);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    SequenceChecker& checker_;
#endif
  };

 private:
#ifndef NDEBUG
  std::atomic<bool> busy_{false};
#endif
};

}  // namespace parley
