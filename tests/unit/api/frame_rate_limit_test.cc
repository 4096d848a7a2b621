#include <gtest/gtest.h>

#include "api/frame_rate.h"

namespace parley::api_internal {
namespace {

/// How many of ten seconds of pictures get through.
int taken(double source, double cap, Duration jitter = {}) {
  FrameRateLimit limit;
  int out = 0;
  const int count = static_cast<int>(source * 10);
  for (int i = 0; i < count; ++i) {
    Timestamp at = Timestamp::seconds(5) + Duration::seconds(1) * (i / source);
    if (i % 3 == 1) at += jitter;
    if (limit.take(at, cap)) ++out;
  }
  return out;
}

TEST(FrameRateLimit, LetsThroughTheRateOnAverage) {
  EXPECT_NEAR(taken(30, 20), 200, 3);
  EXPECT_NEAR(taken(30, 13.3), 133, 3);
  EXPECT_NEAR(taken(30, 7), 70, 2);
  EXPECT_NEAR(taken(60, 30), 300, 3);
}

TEST(FrameRateLimit, ACameraAtTheCapLosesNothing) {
  EXPECT_EQ(taken(30, 30), 300);
  EXPECT_EQ(taken(30.02, 30), 300);
  EXPECT_EQ(taken(30, 30, Duration::millis(3)), 300);
  EXPECT_EQ(taken(10, 30), 100);
}

TEST(FrameRateLimit, AnotherSourceWithAnEarlierClockIsNotHeldUp) {
  FrameRateLimit limit;
  EXPECT_TRUE(limit.take(Timestamp::seconds(1000), 10));
  EXPECT_TRUE(limit.take(Timestamp::seconds(3), 10));
  EXPECT_FALSE(limit.take(Timestamp::seconds(3) + Duration::millis(50), 10));
  EXPECT_TRUE(limit.take(Timestamp::seconds(3) + Duration::millis(100), 10));
}

TEST(FrameRateLimit, ARateOfZeroIsOnePictureInAges) {
  FrameRateLimit limit;
  EXPECT_TRUE(limit.take(Timestamp::seconds(1), 0));
  EXPECT_FALSE(limit.take(Timestamp::seconds(100), 0));
}

}  // namespace
}  // namespace parley::api_internal
