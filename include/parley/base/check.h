#pragma once

#include "parley/base/export.h"

namespace parley {

/// Called with the failed condition and its place before the process aborts. The default writes one
/// line to file descriptor 2. Must not return control to the failing code: the process aborts after
/// it.
using CheckHandler = void (*)(const char* condition, const char* file, int line);

/// Replaces the handler for the whole process; returns the former one. Any thread.
PARLEY_EXPORT CheckHandler setCheckHandler(CheckHandler handler);

namespace internal {
[[noreturn]] PARLEY_EXPORT void checkFailed(const char* condition, const char* file, int line);
}

}  // namespace parley

/// Aborts when the library itself is wrong. Bytes from a peer must never be able to reach one.
#define PARLEY_CHECK(condition)       \
  ((condition) ? static_cast<void>(0) \
               : ::parley::internal::checkFailed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define PARLEY_DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define PARLEY_DCHECK(condition) PARLEY_CHECK(condition)
#endif
