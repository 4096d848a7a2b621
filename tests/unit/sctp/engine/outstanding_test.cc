#include "sctp/engine/outstanding.h"

#include <gtest/gtest.h>

namespace parley::sctp {
namespace {

class OutstandingTest : public ::testing::Test {
 protected:
  OutstandingTest() { outstanding.start(kFirst, true); }
  /// Sends `n` chunks of 1000 bytes, one each `gap`.
  void send(int n, Duration gap = Duration::zero()) {
    for (int i = 0; i < n; ++i) {
      SendScheduler::Fragment f;
      f.message = pool.takeMessage();
      f.piece = pool.takePiece();
      f.piece->data.resize(1000);
      f.length = 1000;
      f.first = f.last = true;
      outstanding.add(f, now, {});
      now += gap;
    }
  }
  Outstanding::AckResult sack(uint32_t cumulative, std::vector<uint16_t> gaps = {},
                              std::vector<uint32_t> duplicates = {}) {
    Bytes g(gaps.size() * 2), d(duplicates.size() * 4);
    for (size_t i = 0; i < gaps.size(); ++i) storeU16(&g[2 * i], gaps[i]);
    for (size_t i = 0; i < duplicates.size(); ++i) storeU32(&d[4 * i], duplicates[i]);
    return outstanding.onSack(kFirst + cumulative - 1, ByteSpan(g), d, now);
  }
  size_t lost() { return outstanding.detectLosses(Duration::millis(100), now); }

  static constexpr uint32_t kFirst = 0xFFFF'FFF8;  // wraps soon
  MessagePool pool;
  Outstanding outstanding{pool};
  Timestamp now = Timestamp::seconds(10);
};

TEST_F(OutstandingTest, AcknowledgedBytesLeaveTheFlight) {
  send(20, Duration::millis(1));
  EXPECT_EQ(outstanding.inFlightPayload(), 20'000u);
  now += Duration::millis(100);
  const Outstanding::AckResult r = sack(5, {3, 4});
  EXPECT_TRUE(r.valid);
  EXPECT_EQ(r.ackedBytes, 7 * 1020u);
  EXPECT_EQ(r.rtt, Duration::millis(112)) << "of the newest one";
  EXPECT_EQ(outstanding.inFlightPayload(), 13'000u);
  EXPECT_FALSE(sack(4).valid) << "an old one";
  EXPECT_EQ(sack(5, {3, 4}).ackedBytes, 0u) << "the same again";
  sack(20);
  EXPECT_TRUE(outstanding.empty());
  EXPECT_EQ(outstanding.inFlightBytes(), 0u);
}

TEST_F(OutstandingTest, ThreeLaterArrivalsTellALoss) {
  send(10);
  now += Duration::millis(50);
  sack(0, {2, 3});
  EXPECT_EQ(lost(), 0u) << "two may be reordering";
  EXPECT_LT(outstanding.lossDeadline(), Timestamp::never()) << "but not for long";
  sack(0, {2, 4});
  EXPECT_EQ(lost(), 1020u);
  ASSERT_TRUE(outstanding.nextLost());
  EXPECT_EQ(*outstanding.nextLost(), kFirst);
}

TEST_F(OutstandingTest, ALostRepetitionIsSeenToo) {
  send(10, Duration::millis(1));
  now += Duration::millis(50);
  sack(0, {2, 6});
  EXPECT_GT(lost(), 0u);
  outstanding.onRetransmitted(*outstanding.nextLost(), now, {});
  send(10, Duration::millis(1));
  now += Duration::millis(50);
  sack(0, {2, 20});
  EXPECT_GT(lost(), 0u);
  EXPECT_EQ(outstanding.nextLost(), kFirst);
}

TEST_F(OutstandingTest, OnceReorderingWasSeenTimeDecides) {
  send(10, Duration::millis(1));
  now += Duration::millis(40);
  sack(0, {2, 10});
  lost();
  // It was only late.
  now += Duration::millis(1);
  sack(10);
  send(10);
  now += Duration::millis(40);
  sack(10, {2, 9});
  EXPECT_EQ(lost(), 0u);
  const Timestamp deadline = outstanding.lossDeadline();
  ASSERT_FALSE(deadline.isNever());
  now = deadline;
  EXPECT_EQ(lost(), 1020u);
}

TEST_F(OutstandingTest, WhatIsTakenBackIsSentAgainAfterATimeout) {
  send(10);
  sack(0, {2, 5});
  sack(0, {2, 3});
  EXPECT_EQ(outstanding.inFlightPayload(), 6000u) << "perhaps an old SACK";
  outstanding.loseAll();
  std::vector<uint32_t> again;
  while (const auto tsn = outstanding.nextLost()) {
    again.push_back(*tsn - kFirst);
    outstanding.onRetransmitted(*tsn, now, {});
  }
  EXPECT_EQ(again, (std::vector<uint32_t>{0, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(OutstandingTest, AbandonedChunksMoveTheForwardPoint) {
  send(4);
  OutMessage* second = outstanding.at(kFirst + 1).fragment.message;
  outstanding.abandon(*second, kFirst + 1);
  EXPECT_FALSE(outstanding.needsForward()) << "the first one is still wanted";
  outstanding.abandon(*outstanding.at(kFirst).fragment.message, kFirst);
  EXPECT_EQ(outstanding.forwardPoint(), kFirst + 1);
  EXPECT_EQ(outstanding.inFlightPayload(), 2000u);
  sack(2);
  EXPECT_FALSE(outstanding.needsForward());
  outstanding.addAbandoned(*outstanding.at(kFirst + 2).fragment.message);
  EXPECT_EQ(outstanding.nextTsn(), kFirst + 5) << "a number for what was never sent";
}

TEST_F(OutstandingTest, ManyGapsInOneSackCostOneSweep) {
  send(3000);
  std::vector<uint16_t> gaps;
  for (uint16_t i = 2; i < 500; i = static_cast<uint16_t>(i + 2)) gaps.insert(gaps.end(), {i, i});
  EXPECT_EQ(sack(0, gaps).ackedBytes, gaps.size() / 2 * 1020u);
  gaps.insert(gaps.end(), {600, 2900});
  EXPECT_EQ(sack(0, gaps).ackedBytes, 2301 * 1020u);
  EXPECT_EQ(outstanding.inFlightPayload(), (3000 - 249 - 2301) * 1000u);
}

}  // namespace
}  // namespace parley::sctp
