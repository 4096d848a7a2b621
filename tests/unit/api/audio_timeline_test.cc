#include "api/audio_timeline.h"

#include <gtest/gtest.h>

namespace parley::api_internal {
namespace {

constexpr Duration kPiece = Duration::millis(10);

TEST(AudioTimeline, CountsSamplesWhateverTheUnevenness) {
  AudioTimeline line;
  const Timestamp begin = Timestamp::seconds(50);
  const int64_t first = line.next(begin, 48'000);
  EXPECT_EQ(first, 50 * 48'000);
  // The pushing thread stalls for 100 ms and then catches up.
  for (int64_t i = 1; i < 500; ++i) {
    const Timestamp due = begin + kPiece * i;
    const Timestamp stalled = begin + Duration::millis(1100);
    const bool during = i >= 100 && i < 110;
    EXPECT_EQ(line.next(during ? stalled : due, 48'000), first + 480 * i) << i;
  }
}

TEST(AudioTimeline, APauseOfTheSourceIsSkipped) {
  AudioTimeline line;
  Timestamp now = Timestamp::seconds(1);
  const int64_t first = line.next(now, 8000);
  EXPECT_EQ(line.next(now += kPiece, 8000), first + 80);
  EXPECT_EQ(line.next(now += Duration::seconds(3), 8000), first + 80 + 24'000);
  EXPECT_EQ(line.next(now += kPiece, 8000), first + 160 + 24'000);
}

TEST(AudioTimeline, ASlowClockIsFollowedWithoutJumps) {
  AudioTimeline line;
  const Timestamp begin = Timestamp::seconds(1);
  const int64_t first = line.next(begin, 48'000);
  // 0.02 % slow: after an hour 720 ms off.
  for (int64_t i = 1; i < 360'000; ++i)
    ASSERT_EQ(line.next(begin + Duration::nanos(10'002'000) * i, 48'000), first + 480 * i);
}

}  // namespace
}  // namespace parley::api_internal
