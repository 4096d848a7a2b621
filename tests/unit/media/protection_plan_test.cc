#include "media/protection_plan.h"

#include <vector>

#include <gtest/gtest.h>

namespace parley::media {
namespace {

/// Hundreds of packets, of which every `period`-th begins a run of `run` losses.
void feed(LossMeter& meter, size_t period, size_t run, Timestamp& now) {
  std::vector<congestion::PacketResult> packets(10);
  size_t n = 0;
  for (int i = 0; i < 100; ++i) {
    for (auto& p : packets) {
      const bool lost = period > 0 && n++ % period < run;
      p.receiveTime = lost ? Timestamp::never() : now;
    }
    now += Duration::millis(50);
    meter.add(packets, now);
  }
}

TEST(LossMeter, TellsSingleLossesFromRuns) {
  Timestamp now = Timestamp::seconds(1);
  LossMeter meter;
  EXPECT_EQ(meter.estimate().fraction, 0);
  feed(meter, 20, 1, now);
  EXPECT_NEAR(meter.estimate().fraction, 0.05, 0.01);
  EXPECT_EQ(meter.estimate().pattern(), LossPattern::Single);
  LossMeter bursts;
  feed(bursts, 60, 3, now);
  EXPECT_NEAR(bursts.estimate().fraction, 0.05, 0.01);
  EXPECT_NEAR(bursts.estimate().runLength, 3, 0.5);
  EXPECT_EQ(bursts.estimate().pattern(), LossPattern::Bursts);
}

TEST(LossMeter, ForgetsWithinSeconds) {
  Timestamp now = Timestamp::seconds(1);
  LossMeter meter;
  feed(meter, 10, 1, now);
  EXPECT_GT(meter.estimate().fraction, 0.08);
  for (int i = 0; i < 5; ++i) feed(meter, 0, 0, now);
  EXPECT_LT(meter.estimate().fraction, 0.002);
}

TEST(LossMeter, TakesReceiverReportsWhenNothingElseComes) {
  LossMeter meter;
  Timestamp now = Timestamp::seconds(1);
  meter.add(5, 95, now);
  EXPECT_NEAR(meter.estimate().fraction, 0.05, 0.001);
  std::vector<congestion::PacketResult> received(500);
  for (auto& p : received) p.receiveTime = now;
  meter.add(received, now);
  const double known = meter.estimate().fraction;
  meter.add(50, 50, now + Duration::millis(10));
  EXPECT_EQ(meter.estimate().fraction, known) << "the same losses, told twice";
}

TEST(Protection, NoneWithoutLossOrOnAShortPath) {
  EXPECT_EQ(repairsFor(10, {0, 1}, Duration::millis(300)), 0u);
  EXPECT_EQ(repairsFor(10, {0.004, 1}, Duration::millis(300)), 0u);
  EXPECT_EQ(repairsFor(10, {0.05, 1}, Duration::millis(20)), 0u);
  EXPECT_EQ(repairsFor(0, {0.5, 1}, Duration::millis(300)), 0u);
  EXPECT_EQ(redundancyFor({0, 1}), 0u);
}

TEST(Protection, GrowsWithLossAndWithTheRoundTrip) {
  size_t before = 0;
  for (const double loss : {0.01, 0.03, 0.05, 0.1, 0.2, 0.4}) {
    const size_t repairs = repairsFor(16, {loss, 1}, Duration::millis(300));
    EXPECT_GE(repairs, before) << loss;
    EXPECT_GE(repairs, 1u);
    EXPECT_LE(repairs, 8u);
    before = repairs;
  }
  EXPECT_EQ(before, 8u);
  EXPECT_LT(repairsFor(16, {0.05, 1}, Duration::millis(60)),
            repairsFor(16, {0.05, 1}, Duration::millis(300)));
  EXPECT_LT(redundancyFor({0.02, 1}), redundancyFor({0.2, 1}));
}

TEST(Protection, RunsNeedAsManyAsTheyAreLong) {
  EXPECT_EQ(repairsFor(16, {0.05, 3}, Duration::millis(60)), 3u);
  EXPECT_EQ(repairsFor(16, {0.05, 4}, Duration::millis(60)), 4u);
  EXPECT_EQ(repairsFor(16, {0.05, 12}, Duration::millis(300)), 8u) << "half as many, at most";
}

}  // namespace
}  // namespace parley::media
