#include <gtest/gtest.h>

#include "media/rtcp_schedule.h"
#include "media/rtt_tracker.h"

namespace parley::media {
namespace {

TEST(RtcpSchedule, TheFirstReportFollowsTheFirstPacketAtOnce) {
  SeededRandom random(1);
  RtcpSchedule schedule(random);
  EXPECT_TRUE(schedule.nextDeadline().isNever());
  const Timestamp now = Timestamp::seconds(10);
  schedule.start(now);
  EXPECT_GE(schedule.nextDeadline(), now + Duration::millis(2500));
  schedule.onMedia(true, now);
  EXPECT_LE(schedule.nextDeadline(), now + Duration::millis(150));
}

TEST(RtcpSchedule, IntervalsAreRandomAroundOneSecondWithVideo) {
  SeededRandom random(2);
  RtcpSchedule schedule(random);
  Timestamp now = Timestamp::seconds(1);
  schedule.onMedia(true, now);
  Timestamp last = now = schedule.nextDeadline();
  double sum = 0;
  for (int i = 0; i < 200; ++i) {
    schedule.onReported(now);
    schedule.onMedia(true, now + Duration::millis(1));
    now = schedule.nextDeadline();
    EXPECT_GE(now - last, Duration::millis(500));
    EXPECT_LE(now - last, Duration::millis(1500));
    sum += (now - last).seconds();
    last = now;
  }
  EXPECT_NEAR(sum / 200, 1.0, 0.05);
}

TEST(RtcpSchedule, WithoutMediaItSlowsDownAndWakesUpAgain) {
  SeededRandom random(3);
  RtcpSchedule schedule(random);
  Timestamp now = Timestamp::seconds(1);
  schedule.onMedia(true, now);
  for (int i = 0; i < 3; ++i) schedule.onReported(now = schedule.nextDeadline());
  EXPECT_GE(schedule.nextDeadline() - now, Duration::millis(2500));
  schedule.onMedia(true, now);
  EXPECT_LE(schedule.nextDeadline() - now, Duration::millis(1500));
  schedule.stop();
  EXPECT_TRUE(schedule.nextDeadline().isNever());
}

TEST(RttTracker, EchoesOfOurStampsGiveTheRoundTrip) {
  RttTracker rtt;
  Timestamp now = Timestamp::seconds(5);
  rtt.onStampSent(0x12345678, now);
  // Held for half a second by the peer.
  EXPECT_EQ(rtt.onEcho(0x12345678, 0x8000, now + Duration::millis(580)), Duration::millis(80));
  EXPECT_EQ(rtt.smoothed(), Duration::millis(80));
}

TEST(RttTracker, NonsenseIsIgnored) {
  RttTracker rtt;
  const Timestamp now = Timestamp::seconds(5);
  rtt.onStampSent(100, now);
  EXPECT_FALSE(rtt.onEcho(0, 0, now));  // no report seen yet
  EXPECT_FALSE(
      rtt.onEcho(0xffffffff, 0, now + Duration::seconds(1)));  // never sent, "in the future"
  EXPECT_FALSE(rtt.onEcho(100, 0xffffffff, now + Duration::seconds(1)));  // negative
  EXPECT_FALSE(rtt.onEcho(100, 0, now + Duration::seconds(61)));
  EXPECT_FALSE(rtt.smoothed());
  EXPECT_EQ(rtt.onEcho(100, 0, now), Duration::millis(1));
}

TEST(RttTracker, OnlyRecentStampsCount) {
  RttTracker rtt;
  for (uint32_t i = 1; i <= 100; ++i) rtt.onStampSent(i, Timestamp::seconds(i));
  EXPECT_FALSE(rtt.onEcho(50, 0, Timestamp::seconds(101)));
  EXPECT_EQ(rtt.onEcho(100, 0, Timestamp::seconds(101)), Duration::seconds(1));
}

}  // namespace
}  // namespace parley::media
