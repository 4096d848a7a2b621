// A call whose path changes under it.

#include <algorithm>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "support/encoded_camera.h"

namespace parley {
namespace {

using testing::EncodedCamera;
using testing::Pair;
using testing::PairOptions;

TEST(PathChangeSim, TheEstimateOfTheOldPathDoesNotFloodTheNewOne) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  options.aToB.queue.rate = DataRate::kbps(10'000);
  Pair pair(options);
  sim::LinkConfig slow;
  slow.delay = Duration::millis(80);
  slow.queue.rate = DataRate::kbps(500);
  pair.world().connect(pair.hostA(), pair.hostB(), slow);
  EncodedCamera camera(pair);
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(15));
  ASSERT_GT(camera.target, DataRate::kbps(1500)) << "the fast path is in use";
  pair.hostA().setUp(pair.hostA().port(0), false);
  camera.highest = DataRate::zero();
  pair.run(Duration::seconds(8));
  EXPECT_LT(camera.highest, DataRate::kbps(1000));
  EXPECT_GT(camera.lowest, DataRate::kbps(150)) << "while what the first probes left drains";
  EXPECT_GT(camera.target, DataRate::kbps(300)) << "it has drained";
}

TEST(PathChangeSim, DataGoesOnWhereThereIsNoMedia) {
  Pair pair;
  pair.world().connect(pair.hostA(), pair.hostB());
  DataChannel channel = pair.a().createDataChannel("c").value();
  int received = 0;
  pair.b().onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  pair.hostA().setUp(pair.hostA().port(0), false);
  pair.run(Duration::seconds(3));
  ASSERT_TRUE(channel.send("after"));
  pair.run(Duration::seconds(3));
  EXPECT_EQ(received, 1);
}

// Another port of the same two addresses (a NAT that forgot, an ICE restart) is the same way.
TEST(PathChangeSim, AnIceRestartOnTheSameWayKeepsTheEstimate) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  options.aToB.queue.rate = DataRate::kbps(10'000);
  Pair pair(options);
  EncodedCamera camera(pair);
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(15));
  ASSERT_GT(camera.target, DataRate::kbps(1500));
  pair.a().restartIce();
  pair.negotiate();
  for (int i = 0; i < 50; ++i) {
    pair.run(Duration::millis(100));
    ASSERT_GT(camera.target, DataRate::kbps(1200));
  }
}

}  // namespace
}  // namespace parley
