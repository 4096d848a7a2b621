#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/jsep/bundle.h"

namespace parley::jsep {

// The first transport counts its sockets from zero, the others from their slot on; 24 bits are more
// than a transport ever opens. The topmost bit is the drivers'.
inline constexpr uint32_t kSlotShift = 24;
inline constexpr uint32_t kAcceptedBit = 0x8000'0000;
/// Transports that have ended keep theirs until they have said good-bye.
inline constexpr size_t kSlots = 127;
static_assert(kSlots > 2 * kMaxTransports);

}  // namespace parley::jsep
