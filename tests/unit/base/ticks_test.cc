#include "base/ticks.h"

#include <limits>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Ticks, AreExactToTheNanosecond) {
  EXPECT_EQ(ticksToTime(90'000, 90'000), Timestamp::seconds(1));
  EXPECT_EQ(ticksToTime(-1, 1000), Timestamp::millis(-1));
  EXPECT_EQ(ticksToTime(48'000 * int64_t{86'400 * 365} + 1, 48'000).nanos(),
            int64_t{86'400 * 365} * 1'000'000'000 + 20'833);
}

TEST(Ticks, NoNumberIsTooLarge) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  for (const int64_t rate : {int64_t{1}, int64_t{8000}, int64_t{0xffffffff}}) {
    EXPECT_GT(ticksToTime(kMost, rate), Timestamp());
    EXPECT_LT(ticksToTime(kLeast, rate), Timestamp());
    EXPECT_LE(ticksToTime(kMost, rate) - ticksToTime(kLeast, rate),
              Duration::seconds(2'000'000'002));
  }
}

}  // namespace
}  // namespace parley
