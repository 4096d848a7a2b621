// The goals of congestion control that decide most, on simulated bottlenecks. All cases:
// tests/bench/run congestion.

#include <gtest/gtest.h>

#include "parley/congestion/scream.h"

#include "support/congestion/dumbbell.h"

namespace parley::test {
namespace {

FlowOptions flow(const char* name) {
  FlowOptions options;
  options.name = name;
  options.end.max = DataRate::kbps(10'000);
  return options;
}

TEST(CongestionSim, StartsFast) {
  Dumbbell net(1, {.capacity = {{0, 3000}}});
  const auto& media = net.addMedia(flow("media"));
  net.run(5);
  EXPECT_LT(net.timeToRate(media, 0, 2700, 5), 2.5);
}

TEST(CongestionSim, FillsALinkWithAShortQueue) {
  Dumbbell net(1, {.capacity = {{0, 2000}}});
  net.addMedia(flow("media"));
  net.run(25);
  EXPECT_GE(net.utilisation(5, 25), 0.9);
  EXPECT_LT(net.queueDelay(0.95, 5, 25), 100);
}

TEST(CongestionSim, FollowsARateThatHalvesAndDoubles) {
  Dumbbell net(1, {.capacity = {{0, 3000}, {8, 1500}, {16, 3000}}});
  const auto& media = net.addMedia(flow("media"));
  net.run(28);
  EXPECT_LT(net.timeToShortQueue(media, 8, 100, 16), 2);
  EXPECT_LT(net.timeToRate(media, 16, 2700, 28), 10);
}

// A report now and then, as such a path lets through, is no leave to fill it.
TEST(CongestionSim, APathThatStandsStillIsNotFilled) {
  PathOptions path{.capacity = {{0, 2000}, {10, 10}, {13, 2000}}};
  path.queueBytes = 1'000'000;
  Dumbbell net(1, path);
  const auto& media = net.addMedia(flow("media"));
  size_t most = 0;
  int64_t held = 0;
  net.onStep = [&] {
    if (net.now() <= 10 || net.now() > 14) return;
    most = std::max(most, net.bottleneck().queueBytes());
    held = std::max(held, media.sender->session().bandwidth().pacerQueueBytes);
  };
  net.run(25);
  EXPECT_LT(most, 2000 / 8 * 800u);
  EXPECT_LT(held, 2000 / 8 * 600) << "encoders are told";
  EXPECT_LT(net.timeToShortQueue(media, 13, 100, 25), 2);
  EXPECT_LT(net.timeToRate(media, 13, 1800, 25), 4);
}

// RFC 8867 section 5.4. Who comes later begins with little and has to catch up.
TEST(CongestionSim, ThreeFlowsBecomeEqual) {
  Dumbbell net(1, {.capacity = {{0, 3500}}});
  for (int i = 0; i < 3; ++i) {
    FlowOptions each = flow(i == 0 ? "first" : i == 1 ? "second" : "third");
    each.end.max = DataRate::kbps(2500);
    each.jitter = Duration::millis(30);
    each.start = 10 * i;
    net.addMedia(each);
  }
  net.run(80);
  EXPECT_GE(net.shares(40, 80).first, 0.28);
  EXPECT_LE(net.shares(40, 80).second, 0.40);
  EXPECT_GE(net.utilisation(40, 80), 0.9);
}

TEST(CongestionSim, AQueueOfItsOwnAfterADeepFallIsNotTakenForThatOfOthers) {
  Dumbbell net(1, {.capacity = {{0, 2500}, {8, 600}}});
  net.addMedia(flow("media"));
  net.run(30);
  EXPECT_LT(net.queueDelay(0.95, 15, 30), 120);
  EXPECT_GE(net.utilisation(15, 30), 0.85);
}

TEST(CongestionSim, IsNotStarvedByTcpAndDoesNotStarveIt) {
  Dumbbell net(1, {.capacity = {{0, 2000}}});
  const auto& media = net.addMedia(flow("media"));
  const auto& tcp = net.addTcp("tcp", TcpSender::Kind::Cubic, -1, 3);
  net.run(40);
  EXPECT_GT(net.rate(media, 15, 40), 200);
  EXPECT_GT(Dumbbell::rate(tcp.receiver->arrivals(), net.start() + 15, net.start() + 40), 200);
}

TEST(CongestionSim, FeedbackOfRfc8888IsAsGood) {
  Dumbbell net(1, {.capacity = {{0, 2000}}});
  FlowOptions options = flow("media");
  options.end.feedback = media::ArrivalFeedback::Rfc8888;
  net.addMedia(options);
  net.run(20);
  EXPECT_GE(net.utilisation(5, 20), 0.85);
  EXPECT_LT(net.queueDelay(0.95, 5, 20), 100);
}

FlowOptions screamFlow(const char* name) {
  static const auto scream = congestion::screamFactory();
  FlowOptions options = flow(name);
  options.end.feedback = media::ArrivalFeedback::Rfc8888;
  options.end.controllers = scream.get();
  return options;
}

TEST(CongestionSim, ScreamKeepsAnL4sQueueEmptyAndTheLinkFull) {
  PathOptions path{.capacity = {{0, 3000}}};
  path.markAbove = Duration::millis(5);
  Dumbbell net(1, path);
  net.addMedia(screamFlow("media"));
  net.run(20);
  EXPECT_GE(net.utilisation(5, 20), 0.9);
  EXPECT_LT(net.queueDelay(0.95, 5, 20), 20);
  EXPECT_GT(net.bottleneck().counters().ecnMarked, 0u);
  EXPECT_EQ(net.bottleneck().counters().lostInQueue, 0u);
}

TEST(CongestionSim, ScreamFillsALinkAndFollowsIt) {
  Dumbbell net(1, {.capacity = {{0, 3000}, {20, 1500}, {35, 3000}}});
  const auto& media = net.addMedia(screamFlow("media"));
  net.run(50);
  EXPECT_LT(net.timeToRate(media, 0, 2700, 20), 2.5);
  EXPECT_GE(net.utilisation(5, 20), 0.9);
  EXPECT_LT(net.queueDelay(0.95, 5, 20), 60);
  EXPECT_LT(net.timeToShortQueue(media, 20, 100, 35), 1);
  EXPECT_LT(net.timeToRate(media, 35, 2700, 50), 5);
}

TEST(CongestionSim, TwoScreamFlowsShareEqually) {
  Dumbbell net(1, {.capacity = {{0, 4000}}});
  net.addMedia(screamFlow("first"));
  FlowOptions second = screamFlow("second");
  second.start = 10;
  net.addMedia(second);
  net.run(90);
  EXPECT_GE(net.shares(40, 90).first, 0.43);
  EXPECT_GE(net.utilisation(40, 90), 0.9);
}

// RFC 8298 section 1: packets are sent at the pace at which packets leave the path.
TEST(CongestionSim, ScreamStopsWhereThePathStandsStill) {
  PathOptions path{.capacity = {{0, 2000}, {10, 10}, {13, 2000}}};
  path.queueBytes = 1'000'000;
  Dumbbell net(1, path);
  const auto& media = net.addMedia(screamFlow("media"));
  size_t most = 0;
  size_t early = 0;
  net.onStep = [&] {
    if (net.now() > 10 && net.now() < 13.9) most = std::max(most, net.bottleneck().queueBytes());
    if (net.now() < 10.6) early = most;
  };
  net.run(25);
  // A window and a half, and 50 kb/s to see whether the path is back.
  EXPECT_LT(early, 2000 / 8 * 400u);
  EXPECT_LT(most, early + 3 * 50'000 / 8 * 3 / 2);
  EXPECT_LT(net.timeToRate(media, 13, 1800, 25), 4);
}

}  // namespace
}  // namespace parley::test
