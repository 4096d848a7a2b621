// usrsctp measures round trips, lifetimes and cookie ages with gettimeofday. This program answers
// that call itself, so tests run in virtual time from end to end and can break the wall clock.

#include <atomic>
#include <sys/time.h>

#include <gtest/gtest.h>

#include "unit/sctp/pair.h"

namespace {

std::atomic<int64_t> wallNanos{1'700'000'000'000'000'000};
std::atomic<int64_t> wallShift{0};

}  // namespace

extern "C" int gettimeofday(struct timeval* tv, void*) noexcept {
  const int64_t nanos = wallNanos + wallShift;
  tv->tv_sec = nanos / 1'000'000'000;
  tv->tv_usec = nanos % 1'000'000'000 / 1000;
  return 0;
}

namespace parley::sctp {

void setWallClock(Timestamp now) {
  wallNanos = 1'700'000'000'000'000'000 + now.nanos();
}
void shiftWallClock(Duration by) {
  wallShift += by.nanos();
}

TEST(WallClock, IsVirtualInThisProgram) {
  timeval before{};
  timeval after{};
  setWallClock(Timestamp::seconds(5));
  gettimeofday(&before, nullptr);
  setWallClock(Timestamp::seconds(12));
  gettimeofday(&after, nullptr);
  EXPECT_EQ(after.tv_sec - before.tv_sec, 7);
}

}  // namespace parley::sctp
