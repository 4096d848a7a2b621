#include "media/nack_tracker.h"

#include <gtest/gtest.h>

namespace parley::media {
namespace {

std::vector<uint16_t> due(NackTracker& tracker, Timestamp now) {
  NackTracker::Sequences out;
  tracker.collect(now, out);
  return {out.begin(), out.end()};
}

Timestamp ms(int64_t t) {
  return Timestamp::millis(t);
}

TEST(NackTracker, AsksAtOnceForAGapAndAgainAfterARoundTrip) {
  NackTracker tracker(1000);
  tracker.setRtt(Duration::millis(50));
  tracker.handlePacket(10, false, false, ms(0));
  tracker.handlePacket(13, false, false, ms(1));
  EXPECT_EQ(due(tracker, ms(1)), (std::vector<uint16_t>{11, 12}));
  EXPECT_TRUE(due(tracker, ms(30)).empty()) << "the answer cannot be here yet";
  EXPECT_GT(tracker.nextDeadline(), ms(30));
  EXPECT_EQ(due(tracker, ms(66)), (std::vector<uint16_t>{11, 12}));
  tracker.handlePacket(11, false, true, ms(70));
  EXPECT_EQ(due(tracker, ms(140)), (std::vector<uint16_t>{12}));
}

TEST(NackTracker, SequenceNumbersWrap) {
  NackTracker tracker(1000);
  tracker.handlePacket(65534, false, false, ms(0));
  tracker.handlePacket(65538, false, false, ms(0));
  EXPECT_EQ(due(tracker, ms(0)), (std::vector<uint16_t>{65535, 0, 1}));
  EXPECT_TRUE(tracker.isMissing(0));
  EXPECT_FALSE(tracker.isMissing(2));
}

TEST(NackTracker, GivesUpAfterTenRequests) {
  NackTracker tracker(1000);
  tracker.setRtt(Duration::millis(50));
  tracker.handlePacket(1, false, false, ms(0));
  tracker.handlePacket(3, false, false, ms(0));
  int requests = 0;
  for (int t = 0; t < 2000; t += 5) requests += static_cast<int>(due(tracker, ms(t)).size());
  EXPECT_EQ(requests, NackTracker::kMaxRequests);
  EXPECT_TRUE(tracker.takeGaveUp());
  EXPECT_FALSE(tracker.takeGaveUp());
  EXPECT_EQ(tracker.missing(), 0u);
  EXPECT_EQ(tracker.nextDeadline(), Timestamp::never());
}

TEST(NackTracker, AHugeGapIsGivenUpAtOnce) {
  NackTracker tracker(1000);
  tracker.handlePacket(1, false, false, ms(0));
  tracker.handlePacket(20'000, false, false, ms(0));
  EXPECT_TRUE(tracker.takeGaveUp());
  EXPECT_TRUE(due(tracker, ms(0)).empty());
}

TEST(NackTracker, ListIsBoundedAndClearedUpToAKeyFrame) {
  NackTracker tracker(100);
  tracker.handlePacket(0, true, false, ms(0));
  tracker.handlePacket(60, false, false, ms(0));
  tracker.handlePacket(61, true, false, ms(0));
  tracker.handlePacket(122, false, false, ms(0));
  EXPECT_EQ(tracker.missing(), 60u) << "what stands before the key frame is not needed";
  EXPECT_FALSE(tracker.takeGaveUp());
  tracker.handlePacket(300, false, false, ms(0));
  EXPECT_EQ(tracker.missing(), 0u);
  EXPECT_TRUE(tracker.takeGaveUp());
}

TEST(NackTracker, ReorderingTeachesItToWait) {
  NackTracker tracker(1000);
  int64_t s = 0;
  Timestamp now = ms(0);
  size_t requests = 0;
  for (int round = 0; round < 20; ++round) {
    tracker.handlePacket(s, false, false, now);
    tracker.handlePacket(s + 2, false, false, now);
    requests += due(tracker, now).size();
    now += Duration::millis(5);
    requests += due(tracker, now).size();
    tracker.handlePacket(s + 1, false, false, now);
    s += 3;
  }
  EXPECT_EQ(requests, 1u) << "only the first swap was taken for a loss";
}

TEST(NackTracker, ForgetsWhatIsNoLongerNeeded) {
  NackTracker tracker(1000);
  tracker.handlePacket(1, false, false, ms(0));
  tracker.handlePacket(10, false, false, ms(0));
  tracker.forgetBefore(6);
  EXPECT_EQ(due(tracker, ms(0)), (std::vector<uint16_t>{6, 7, 8, 9}));
}

TEST(NackTracker, MoreThanOnePacketHoldsComesLater) {
  NackTracker tracker(1000);
  tracker.handlePacket(0, false, false, ms(0));
  tracker.handlePacket(401, false, false, ms(0));
  EXPECT_EQ(due(tracker, ms(0)).size(), 253u);
  EXPECT_LE(tracker.nextDeadline(), ms(0));
  EXPECT_EQ(due(tracker, ms(0)).size(), 147u);
  EXPECT_GT(tracker.nextDeadline(), ms(0));
}

}  // namespace
}  // namespace parley::media
