#include "parley/congestion/gcc.h"

#include <gtest/gtest.h>

#include "unit/congestion/closed_loop.h"

namespace parley::congestion {
namespace {

RateConstraints upTo(int64_t kbps) {
  RateConstraints c;
  c.max = DataRate::kbps(kbps);
  c.start = DataRate::kbps(300);
  return c;
}

class GccOnALink : public testing::TestWithParam<int> {};

TEST_P(GccOnALink, FillsItWithAShortQueue) {
  ClosedLoop loop(upTo(10'000));
  loop.link.rate = DataRate::kbps(GetParam());
  loop.run(Duration::seconds(5));
  loop.run(Duration::seconds(25));
  EXPECT_GE(loop.utilisation(), 0.85);
  EXPECT_LT(loop.maxQueueDelay(), Duration::millis(250));
}

INSTANTIATE_TEST_SUITE_P(Kbps, GccOnALink, testing::Values(250, 1000, 4000));

TEST(Gcc, ProbesReachTheRateOfTheLinkWithinASecond) {
  ClosedLoop loop(upTo(10'000));
  loop.link.rate = DataRate::kbps(3000);
  loop.run(Duration::millis(1500));
  EXPECT_GT(loop.target(), DataRate::kbps(2000));
  EXPECT_LT(loop.target(), DataRate::kbps(3300));
}

TEST(Gcc, ProbesThatAReceiverTookInOneLumpAreRepeated) {
  ClosedLoop loop(upTo(10'000));
  loop.link.rate = DataRate::kbps(3000);
  loop.receiverBusyUntil = loop.now() + Duration::millis(200);
  loop.run(Duration::millis(2500));
  EXPECT_GT(loop.target(), DataRate::kbps(2000));
  EXPECT_LT(loop.target(), DataRate::kbps(3300));
}

TEST(Gcc, AHalvedRateIsFollowedWithinTwoSecondsAndLeftBehindLater) {
  ClosedLoop loop(upTo(10'000));
  loop.link.rate = DataRate::kbps(2000);
  loop.run(Duration::seconds(15));
  EXPECT_GT(loop.target(), DataRate::kbps(1500));
  loop.link.rate = DataRate::kbps(1000);
  loop.run(Duration::seconds(2));
  EXPECT_LT(loop.target(), DataRate::kbps(1050));
  loop.run(Duration::seconds(10));
  EXPECT_GE(loop.utilisation(), 0.8);
  EXPECT_LT(loop.maxQueueDelay(), Duration::millis(250));
  loop.link.rate = DataRate::kbps(2000);
  loop.run(Duration::seconds(12));
  EXPECT_GT(loop.target(), DataRate::kbps(1600));
}

TEST(Gcc, ALittleRandomLossDoesNotLowerTheRate) {
  for (const double loss : {0.005, 0.02}) {
    ClosedLoop loop(upTo(2000));
    loop.link.rate = DataRate::kbps(3000);
    loop.link.loss = loss;
    loop.run(Duration::seconds(10));
    loop.run(Duration::seconds(20));
    EXPECT_GT(loop.target(), DataRate::kbps(1700)) << loss;
  }
}

TEST(Gcc, RadioLikeLossKeepsAUsableRate) {
  for (const double loss : {0.05, 0.10}) {
    ClosedLoop loop(upTo(2000));
    loop.link.rate = DataRate::kbps(3000);
    loop.link.loss = loss;
    loop.run(Duration::seconds(30));
    EXPECT_GT(loop.target(), DataRate::kbps(500)) << loss;
    EXPECT_NEAR(loop.lossFraction(), loss, 0.05);
  }
}

TEST(Gcc, LossOfAShortQueueIsObeyed) {
  ClosedLoop loop(upTo(10'000));
  loop.link.rate = DataRate::kbps(1000);
  loop.link.queue = Duration::millis(20);
  loop.run(Duration::seconds(10));
  loop.run(Duration::seconds(20));
  EXPECT_LT(loop.target(), DataRate::kbps(1400));
  EXPECT_GE(loop.utilisation(), 0.6);
}

TEST(Gcc, JitterIsNoCongestion) {
  ClosedLoop loop(upTo(2000));
  loop.link.rate = DataRate::kbps(5000);
  loop.link.jitter = Duration::millis(10);
  loop.run(Duration::seconds(20));
  EXPECT_GT(loop.target(), DataRate::kbps(1500));
}

TEST(Gcc, ALongRoundTripStillConverges) {
  ClosedLoop loop(upTo(10'000));
  loop.link.rate = DataRate::kbps(2000);
  loop.link.delay = Duration::millis(150);
  loop.run(Duration::seconds(20));
  loop.run(Duration::seconds(30));
  EXPECT_GE(loop.utilisation(), 0.8);
}

TEST(Gcc, AnApplicationThatSendsLittleKeepsItsEstimate) {
  ClosedLoop loop(upTo(5000));
  loop.link.rate = DataRate::kbps(3000);
  loop.run(Duration::seconds(5));
  loop.demand = DataRate::kbps(100);
  loop.run(Duration::seconds(20));
  EXPECT_GT(loop.target(), DataRate::kbps(2000));
  EXPECT_LT(loop.target(), DataRate::kbps(4500));
  loop.demand = DataRate::kbps(100'000);
  loop.run(Duration::seconds(5));
  EXPECT_GE(loop.utilisation(), 0.75);
}

TEST(Gcc, SilenceLowersTheRateAndFeedbackBringsItBack) {
  ClosedLoop loop(upTo(3000));
  loop.link.rate = DataRate::kbps(2000);
  loop.run(Duration::seconds(8));
  const DataRate before = loop.target();
  loop.feedbackBlocked = true;
  loop.run(Duration::seconds(6));
  EXPECT_LT(loop.target(), before * 0.5);
  loop.feedbackBlocked = false;
  loop.run(Duration::seconds(15));
  EXPECT_GT(loop.target(), before * 0.7);
}

TEST(Gcc, TheTargetStaysWithinItsConstraints) {
  RateConstraints c = upTo(800);
  c.min = DataRate::kbps(100);
  ClosedLoop loop(c);
  loop.link.rate = DataRate::kbps(5000);
  loop.run(Duration::seconds(5));
  EXPECT_EQ(loop.target(), DataRate::kbps(800));
  loop.link.rate = DataRate::kbps(40);
  loop.run(Duration::seconds(10));
  EXPECT_EQ(loop.controller().onConstraints({loop.now(), c.min, c.max, {}}).target.has_value(),
            false);
  EXPECT_GE(loop.target(), DataRate::kbps(100));
}

TEST(Gcc, AnIdleControllerSleeps) {
  ClosedLoop loop(upTo(2000));
  loop.run(Duration::seconds(2));
  EXPECT_FALSE(loop.controller().nextDeadline().isNever());
  loop.demand = DataRate::zero();
  loop.run(Duration::seconds(3));
  EXPECT_TRUE(loop.controller().nextDeadline().isNever());
}

TEST(Gcc, WithoutTransportFeedbackLossReportsAndRembRule) {
  auto gcc = createGcc(upTo(2000));
  Timestamp now = Timestamp::seconds(1);
  DataRate target;
  const auto apply = [&](const ControlUpdate& u) {
    if (u.target) target = u.target->target;
  };
  apply(gcc->onNetworkAvailability({now, true}));
  EXPECT_EQ(target, DataRate::kbps(300));
  for (int i = 0; i < 10; ++i) apply(gcc->onLossReport({now += Duration::seconds(1), 0, 100}));
  EXPECT_GT(target, DataRate::kbps(550));
  const DataRate high = target;
  apply(gcc->onLossReport({now += Duration::seconds(1), 5, 95}));
  EXPECT_EQ(target, high);
  apply(gcc->onLossReport({now += Duration::seconds(1), 50, 50}));
  EXPECT_LT(target, high * 0.8);
  apply(gcc->onRemoteBitrate({now, DataRate::kbps(1500)}));
  apply(gcc->onLossReport({now += Duration::seconds(1), 0, 100}));
  apply(gcc->onRemoteBitrate({now, DataRate::kbps(1500)}));
  EXPECT_EQ(target, DataRate::kbps(1500));
  apply(gcc->onRemoteBitrate({now, DataRate::zero()}));
  EXPECT_EQ(target, DataRate::kbps(30));
}

TEST(Gcc, ANewRouteStartsAnew) {
  ClosedLoop loop(upTo(5000));
  loop.link.rate = DataRate::kbps(4000);
  loop.run(Duration::seconds(5));
  RateConstraints fresh = upTo(5000);
  const auto update = loop.controller().onRouteChange({loop.now(), fresh});
  ASSERT_TRUE(update.target);
  EXPECT_EQ(update.target->target, DataRate::kbps(300));
  const auto probing = loop.controller().onSentPacket({1, loop.now(), 1000, -1, false, 1000});
  EXPECT_EQ(probing.probes().size(), 2u);
}

TEST(Gcc, WithoutANetworkTheTargetIsZero) {
  auto gcc = createGcc(upTo(1000));
  const auto up = gcc->onNetworkAvailability({Timestamp::seconds(1), true});
  EXPECT_EQ(up.target->target, DataRate::kbps(300));
  const auto down = gcc->onNetworkAvailability({Timestamp::seconds(2), false});
  EXPECT_EQ(down.target->target, DataRate::zero());
  EXPECT_TRUE(gcc->nextDeadline().isNever());
}

}  // namespace
}  // namespace parley::congestion
