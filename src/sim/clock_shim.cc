#include "parley/sim/clock_shim.h"

#include <sys/time.h>
#include <time.h>

namespace parley::sim {
namespace {

// The one thread-local of the project: the C libraries give us no argument to carry it in.
thread_local ClockScope* newestScope = nullptr;

}  // namespace

ClockScope::ClockScope(Timestamp now) : now_(now), older_(newestScope) {
  newestScope = this;
}

ClockScope::~ClockScope() {
  // Two worlds in one test need not die in the reverse order of their birth.
  ClockScope** link = &newestScope;
  while (*link && *link != this) link = &(*link)->older_;
  if (*link) *link = older_;
}

ClockScope* ClockScope::current() {
  return newestScope;
}

void setVirtualNow(Timestamp now) {
  if (newestScope) newestScope->set(now);
}

}  // namespace parley::sim

extern "C" {

// The linker is told to need this name (cmake/layers.cmake), so that the object is taken from the
// static library although nothing in the program refers to it.
PARLEY_EXPORT extern const char parleyClockShim;
const char parleyClockShim = 1;

PARLEY_EXPORT int gettimeofday(struct timeval* out, void* /*timezone*/) noexcept {
  if (const parley::sim::ClockScope* scope = parley::sim::newestScope) {
    const int64_t us = scope->now().micros();
    out->tv_sec = parley::sim::kVirtualUnixSeconds + us / 1'000'000;
    out->tv_usec = us % 1'000'000;
    return 0;
  }
  timespec real{};
  clock_gettime(CLOCK_REALTIME, &real);
  out->tv_sec = real.tv_sec;
  out->tv_usec = real.tv_nsec / 1'000;
  return 0;
}
}
