#pragma once

#include <cstddef>

namespace parley::test {

/// Counts calls of operator new while it lives. Using it replaces the global operator new of the
/// test executable. In sanitizer builds it counts nothing: the sanitizer's own operator stays in
/// place.
///
///     AllocGuard guard;
///     hotPath();
///     EXPECT_EQ(guard.count(), 0u);
class AllocGuard {
 public:
  AllocGuard();
  size_t count() const;
  /// Whether counting works in this build.
  static bool isActive();

 private:
  size_t start_;
};

}  // namespace parley::test
