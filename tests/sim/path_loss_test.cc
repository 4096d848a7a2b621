// What a configuration says about paths that die.

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

void cut(Pair& pair, bool up) {
  for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) host->port(0).up.setUp(up);
}

/// From the cut until A is in that state.
Duration until(Pair& pair, PeerConnectionState state) {
  const Timestamp begin = pair.world().now();
  EXPECT_TRUE(
      pair.runUntil([&] { return pair.a().connectionState() == state; }, Duration::seconds(120)));
  return pair.world().now() - begin;
}

TEST(PathLossSim, TimeoutsAreThoseConfigured) {
  for (const bool hasty : {false, true}) {
    PairOptions options;
    if (hasty) {
      options.configurationA.disconnectedAfter = Duration::seconds(2);
      options.configurationA.failedAfter = Duration::seconds(10);
    }
    Pair pair(options);
    ASSERT_TRUE(pair.a().createDataChannel("c"));
    ASSERT_TRUE(pair.connect());
    pair.run(Duration::seconds(20));
    cut(pair, false);
    const Duration disconnected = until(pair, PeerConnectionState::Disconnected);
    const Duration failed = disconnected + until(pair, PeerConnectionState::Failed);
    // The last answer came up to six seconds before the cut or the next request is up to six away.
    EXPECT_GE(disconnected, Duration::seconds(2));
    EXPECT_LE(disconnected, Duration::seconds(hasty ? 9 : 12));
    EXPECT_GE(failed, Duration::seconds(hasty ? 3 : 23));
    EXPECT_LE(failed, Duration::seconds(hasty ? 11 : 41));
  }
}

TEST(PathLossSim, ASearchForAPathEndsWhenConfigured) {
  PairOptions options;
  options.configurationA.failedAfter = Duration::seconds(8);
  Pair pair(options);
  cut(pair, false);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  pair.negotiate();
  const Duration failed = until(pair, PeerConnectionState::Failed);
  EXPECT_GE(failed, Duration::seconds(7));
  EXPECT_LE(failed, Duration::seconds(10));
}

TEST(PathLossSim, TimeoutsThatMakeNoSenseAreRefused) {
  Pair pair;
  Configuration configuration;
  configuration.disconnectedAfter = Duration::millis(500);
  EXPECT_FALSE(PeerConnection::create(pair.loopA(), configuration));
  configuration.disconnectedAfter = Duration::seconds(5);
  configuration.failedAfter = Duration::seconds(5);
  const auto made = PeerConnection::create(pair.loopA(), configuration);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Range);
}

TEST(PathLossSim, AFailedPathIsRestartedByItselfIfWanted) {
  PairOptions options;
  options.configurationA.restartWhenFailed = true;
  Pair pair(options);
  DataChannel channel = *pair.a().createDataChannel("c");
  int wishes = 0;
  pair.a().onNegotiationNeeded([&] {
    ++wishes;
    pair.negotiate();
  });
  ASSERT_TRUE(
      pair.runUntil([&] { return pair.a().connectionState() == PeerConnectionState::Connected; },
                    Duration::seconds(30)));
  ASSERT_EQ(wishes, 1);
  pair.run(Duration::seconds(10));
  cut(pair, false);
  // Failed lasts for no time at all.
  ASSERT_TRUE(pair.runUntil([&] { return wishes == 2; }, Duration::seconds(60)));
  cut(pair, true);
  (void)until(pair, PeerConnectionState::Connected);
  EXPECT_EQ(wishes, 2);
  pair.run(Duration::seconds(5));
  EXPECT_TRUE(channel.send("still the same"));
}

}  // namespace
}  // namespace parley
