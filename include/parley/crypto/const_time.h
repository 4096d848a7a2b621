#pragma once

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::crypto {

/// Compares without a running time that depends on where the bytes differ: for authenticators and
/// keys. The lengths are not secret; unequal lengths give false at once.
PARLEY_EXPORT bool constantTimeEquals(ByteSpan a, ByteSpan b);

/// Overwrites secrets so that the compiler cannot drop the writes.
PARLEY_EXPORT void wipe(MutableByteSpan secret);

}  // namespace parley::crypto
