#pragma once

#include <cstdint>

#include "parley/base/driven.h"

namespace parley {

/// Hands out socket and look-up ids that are unique within one `Driven`: its machines share one
/// allocator. Ids from here have a clear top bit; drivers number accepted connections
/// (`TcpAccepted::socket`) with the top bit set. 0 is never handed out.
class IdAllocator {
 public:
  /// The first number follows `base`: several allocators of one `Driven` need bases far apart.
  explicit IdAllocator(uint32_t base = 0) : lastSocket_(base), lastResolve_(base) {}

  SocketId nextSocket() { return SocketId(next(lastSocket_)); }
  ResolveId nextResolve() { return ResolveId(next(lastResolve_)); }

 private:
  static uint32_t next(uint32_t& last) {
    last = (last + 1) & 0x7FFF'FFFF;
    if (last == 0) last = 1;
    return last;
  }
  uint32_t lastSocket_;
  uint32_t lastResolve_;
};

}  // namespace parley
