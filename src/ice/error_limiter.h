#pragma once

#include <array>

#include "parley/base/address.h"
#include "parley/base/time.h"

namespace parley::ice {

/// Keeps error responses to unauthenticated requests from becoming a weapon: one per source and
/// second, and `perSecond` in all. Remembers the last 16 sources only: what falls out is bounded by
/// the total.
class ErrorLimiter {
 public:
  explicit ErrorLimiter(size_t perSecond) : perSecond_(perSecond) {}

  bool allow(const SocketAddress& source, Timestamp now) {
    if (!started_ || now - windowStart_ >= Duration::seconds(1)) {
      windowStart_ = now;
      sent_ = 0;
      started_ = true;
    }
    if (sent_ >= perSecond_) return false;
    for (const Recent& recent : recent_) {
      if (recent.used && recent.source == source && now - recent.at < Duration::seconds(1)) {
        return false;
      }
    }
    recent_[next_] = {source, now, true};
    next_ = (next_ + 1) % recent_.size();
    ++sent_;
    return true;
  }

 private:
  struct Recent {
    SocketAddress source;
    Timestamp at;
    bool used = false;
  };
  std::array<Recent, 16> recent_{};
  size_t next_ = 0;
  size_t perSecond_;
  size_t sent_ = 0;
  Timestamp windowStart_;
  bool started_ = false;
};

}  // namespace parley::ice
