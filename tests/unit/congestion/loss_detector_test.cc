#include "congestion/scream/loss_detector.h"

#include <gtest/gtest.h>

namespace parley::congestion::scream {
namespace {

constexpr Duration kRtt = Duration::millis(100);

Timestamp ms(int64_t t) {
  return Timestamp::millis(t);
}

TEST(LossDetector, AMissingPacketIsLostAfterAQuarterOfARoundTrip) {
  LossDetector losses;
  losses.onMissing(7, ms(0));
  EXPECT_FALSE(losses.takeLoss(0, kRtt, ms(20)));
  EXPECT_TRUE(losses.takeLoss(0, kRtt, ms(30)));
  EXPECT_FALSE(losses.takeLoss(0, kRtt, ms(200))) << "it was told";
}

TEST(LossDetector, ALatePacketIsNoLossAndMakesItMorePatient) {
  LossDetector losses;
  losses.onMissing(7, ms(0));
  EXPECT_FALSE(losses.takeLoss(0, kRtt, ms(10)));
  losses.onArrived(7, ms(24));
  EXPECT_FALSE(losses.takeLoss(0, kRtt, ms(500)));
  losses.onMissing(8, ms(600));
  EXPECT_FALSE(losses.takeLoss(0, kRtt, ms(628)));
  EXPECT_TRUE(losses.takeLoss(0, kRtt, ms(632)));
}

TEST(LossDetector, WhatWasSentBeforeTheLastReductionBelongsToIt) {
  LossDetector losses;
  losses.onMissing(7, ms(0));
  EXPECT_FALSE(losses.takeLoss(7, kRtt, ms(200)));
  losses.onMissing(8, ms(200));
  EXPECT_TRUE(losses.takeLoss(7, kRtt, ms(400)));
}

TEST(LossDetector, MoreThanItRemembersAreLostAtOnce) {
  LossDetector losses;
  for (int i = 0; i < 65; ++i) losses.onMissing(i, ms(0));
  EXPECT_TRUE(losses.takeLoss(0, kRtt, ms(0)));
}

}  // namespace
}  // namespace parley::congestion::scream
