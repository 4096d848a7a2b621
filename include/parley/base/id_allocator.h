#pragma once

#include <cstdint>

#include "parley/base/driven.h"

namespace parley {

/// Hands out socket and look-up ids that are unique within one `Driven`: its machines share one
/// allocator. Ids from here have a clear top bit; drivers number accepted connections
/// (`TcpAccepted::socket`) with the top bit set. 0 is never handed out.
class IdAllocator {
 public:
  SocketId nextSocket() { return SocketId(next(lastSocket_)); }
  ResolveId nextResolve() { return ResolveId(next(lastResolve_)); }

 private:
  static uint32_t next(uint32_t& last) {
    last = (last + 1) & 0x7FFF'FFFF;
    if (last == 0) last = 1;
    return last;
  }
  uint32_t lastSocket_ = 0;
  uint32_t lastResolve_ = 0;
};

}  // namespace parley
