#pragma once

#include <cstddef>
#include <cstdlib>

#include "support/alloc_guard.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace parley::test {

/// Bytes of heap in use, where the C library can tell and no sanitizer stands between; 0 elsewhere.
inline size_t heapBytes() {
#ifdef __GLIBC__
  if (AllocGuard::isActive()) return mallinfo2().uordblks;
#endif
  return 0;
}

}  // namespace parley::test
