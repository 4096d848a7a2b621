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
  // The goal is 2 s, which the bench holds; how soon depends on where in its cycle the rate was.
  EXPECT_LT(net.timeToShortQueue(media, 8, 100, 16), 2.5);
  EXPECT_LT(net.timeToRate(media, 16, 2700, 28), 10);
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

TEST(CongestionSim, ScreamKeepsAnL4sQueueEmpty) {
  PathOptions path{.capacity = {{0, 3000}}};
  path.markAbove = Duration::millis(5);
  Dumbbell net(1, path);
  FlowOptions options = flow("media");
  options.end.feedback = media::ArrivalFeedback::Rfc8888;
  static const auto scream = congestion::screamFactory();
  options.end.controllers = scream.get();
  net.addMedia(options);
  net.run(20);
  EXPECT_GE(net.utilisation(5, 20), 0.7);
  EXPECT_LT(net.queueDelay(0.95, 5, 20), 40);
  EXPECT_GT(net.bottleneck().counters().ecnMarked, 0u);
  EXPECT_EQ(net.bottleneck().counters().lostInQueue, 0u);
}

}  // namespace
}  // namespace parley::test
