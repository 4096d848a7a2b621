#include "parley/base/time.h"

#include <gtest/gtest.h>

#include "parley/base/seq_num.h"
#include "parley/base/units.h"

namespace parley {
namespace {

TEST(Duration, ConvertsAndCalculates) {
  EXPECT_EQ(Duration::seconds(2).millis(), 2000);
  EXPECT_EQ(Duration::millis(-3).micros(), -3000);
  EXPECT_EQ(Duration::fromSeconds(0.25), Duration::millis(250));
  EXPECT_EQ(Duration::millis(100) * 2.5, Duration::millis(250));
  EXPECT_EQ(Duration::seconds(1) / 4, Duration::millis(250));
  EXPECT_DOUBLE_EQ(Duration::seconds(1) / Duration::millis(250), 4.0);
  EXPECT_LT(Duration::seconds(1'000'000), Duration::infinite());
}

TEST(Timestamp, NeverStaysNever) {
  EXPECT_TRUE((Timestamp::never() + Duration::seconds(1)).isNever());
  EXPECT_TRUE((Timestamp::never() - Duration::seconds(1)).isNever());
  EXPECT_TRUE((Timestamp::seconds(5) + Duration::infinite()).isNever());
  EXPECT_EQ(earliest(Timestamp::never(), Timestamp::seconds(3), Timestamp::seconds(2)),
            Timestamp::seconds(2));
  EXPECT_TRUE(earliest(Timestamp::never(), Timestamp::never()).isNever());
}

TEST(MonotonicGuard, TimeDoesNotRunBackwards) {
  MonotonicGuard guard;
  EXPECT_EQ(guard.clamp(Timestamp::seconds(-5)), Timestamp::seconds(-5)) << "any origin will do";
  EXPECT_EQ(guard.clamp(Timestamp::seconds(3)), Timestamp::seconds(3));
  EXPECT_EQ(guard.clamp(Timestamp::seconds(1)), Timestamp::seconds(3));
  EXPECT_EQ(guard.last(), Timestamp::seconds(3));
}

TEST(WallClock, KnowsNtpTime) {
  WallClock clock;
  clock.anchor = Timestamp::seconds(100);
  clock.unixNanos = 500'000'000;  // half a second into 1970
  EXPECT_EQ(clock.ntpAt(Timestamp::seconds(100)).seconds(), 2'208'988'800u);
  EXPECT_EQ(clock.ntpAt(Timestamp::seconds(100)).fraction(), 0x80000000u);
  const NtpTime later = clock.ntpAt(Timestamp::millis(101'250));
  EXPECT_EQ(later.seconds(), 2'208'988'801u);
  EXPECT_EQ(later.fraction(), 0xC0000000u);
  EXPECT_EQ(later.compact(), (2'208'988'801u & 0xFFFF) << 16 | 0xC000u);
  EXPECT_EQ(clock.unixNanosAt(Timestamp::seconds(99)), -500'000'000);
}

TEST(IsNewer, FollowsSerialNumberArithmetic) {
  EXPECT_TRUE(isNewer<uint16_t>(1, 0));
  EXPECT_TRUE(isNewer<uint16_t>(0, 65535));
  EXPECT_FALSE(isNewer<uint16_t>(65535, 0));
  EXPECT_FALSE(isNewer<uint16_t>(7, 7));
  EXPECT_TRUE(isNewer<uint16_t>(0x7FFF, 0));
  // RFC 1982 leaves half the range undefined; exactly one direction must hold.
  EXPECT_NE(isNewer<uint16_t>(0x8000, 0), isNewer<uint16_t>(0, 0x8000));
  EXPECT_TRUE(isNewer<uint32_t>(5, 0xFFFFFFF0));
  EXPECT_NE(isNewer<uint8_t>(200, 72), isNewer<uint8_t>(72, 200));
}

TEST(SeqUnwrapper, FollowsTheCounterOverItsEndAndBack) {
  SeqUnwrapper<uint16_t> unwrapper;
  EXPECT_EQ(unwrapper.unwrap(65'534), 65'534);
  EXPECT_EQ(unwrapper.unwrap(65'535), 65'535);
  EXPECT_EQ(unwrapper.unwrap(0), 65'536);
  EXPECT_EQ(unwrapper.unwrap(65'535), 65'535) << "a late one belongs before the end";
  EXPECT_EQ(unwrapper.unwrap(2), 65'538);
  EXPECT_EQ(unwrapper.peek(32'000), 97'536);
  EXPECT_EQ(unwrapper.last(), 65'538) << "peeking is not remembered";
}

TEST(SeqUnwrapper, LateOnesBeforeTheFirstAreNegative) {
  SeqUnwrapper<uint16_t> unwrapper;
  EXPECT_EQ(unwrapper.unwrap(3), 3);
  EXPECT_EQ(unwrapper.unwrap(65'530), -6);
  EXPECT_EQ(unwrapper.last(), 3);
  unwrapper.reset();
  EXPECT_EQ(unwrapper.unwrap(65'530), 65'530);
}

TEST(SeqUnwrapper, EveryStepWidthBelowHalfTheRangeIsFollowed) {
  for (const uint32_t step : {1u, 1000u, 32'767u}) {
    SeqUnwrapper<uint16_t> unwrapper;
    for (uint32_t i = 0, value = 0; i < 200; ++i, value += step)
      EXPECT_EQ(unwrapper.unwrap(static_cast<uint16_t>(value)), value);
  }
  SeqUnwrapper<uint32_t> timestamps;
  for (int64_t i = 0, value = 0xFFFF0000; i < 100; ++i, value += 90'000)
    EXPECT_EQ(timestamps.unwrap(static_cast<uint32_t>(value)), value);
}

TEST(DataRate, TimeAndBytesFollowFromTheRate) {
  EXPECT_EQ(DataRate::kbps(8).timeFor(1000), Duration::seconds(1));
  EXPECT_EQ(DataRate::kbps(80).bytesIn(Duration::millis(100)), 1000);
  EXPECT_TRUE(DataRate::zero().timeFor(1).isInfinite());
  EXPECT_DOUBLE_EQ(DataRate::kbps(300) / DataRate::kbps(100), 3.0);
}

}  // namespace
}  // namespace parley
