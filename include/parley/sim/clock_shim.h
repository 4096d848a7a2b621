#pragma once

#include <cstdint>

#include "parley/base/export.h"
#include "parley/base/time.h"

// libssl and libusrsctp read the clock themselves, through gettimeofday(), and offer no hook. An
// executable that links this layer defines gettimeofday(), so by ELF symbol interposition the
// shared libraries call ours: virtual time on a thread with a ClockScope, CLOCK_REALTIME on every
// other.

namespace parley::sim {

/// Where virtual timelines are placed on the wall clock: `Timestamp` zero is 2025-01-01T00:00:00Z.
inline constexpr int64_t kVirtualUnixSeconds = 1'735'689'600;

/// While it lives, gettimeofday() on the thread that made it answers `kVirtualUnixSeconds` plus the
/// scope's time. Scopes nest; the newest living one counts. To be destroyed on the same thread.
class PARLEY_EXPORT ClockScope {
 public:
  explicit ClockScope(Timestamp now = {});
  ~ClockScope();
  ClockScope(const ClockScope&) = delete;
  ClockScope& operator=(const ClockScope&) = delete;

  void set(Timestamp now) { now_ = now; }
  Timestamp now() const { return now_; }
  /// The newest scope of the calling thread, or null.
  static ClockScope* current();

 private:
  Timestamp now_;
  ClockScope* older_;
};

/// Sets the time of the calling thread's newest scope; without one it does nothing.
PARLEY_EXPORT void setVirtualNow(Timestamp now);

/// The wall clock that virtual time corresponds to, for `Environment::wallClock`.
constexpr WallClock virtualWallClock() {
  return WallClock{Timestamp{}, kVirtualUnixSeconds * 1'000'000'000};
}

}  // namespace parley::sim
