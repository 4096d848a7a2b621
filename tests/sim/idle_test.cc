// What a connection costs while nothing happens.

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;

PARLEY_SIM_TEST(IdleSim, AnIdleConnectionOnlyKeepsItsConsentAlive) {
  Pair pair(world, {});
  DataChannel channel = pair.a().createDataChannel("c").value();
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  pair.run(Duration::seconds(30));
  const uint64_t advances = pair.nodeA().counters().advances;
  const uint64_t sent = pair.nodeA().counters().datagramsOut;
  pair.run(Duration::seconds(600));
  const double wakesPerMinute =
      static_cast<double>(pair.nodeA().counters().advances - advances) / 10;
  const double packetsPerMinute =
      static_cast<double>(pair.nodeA().counters().datagramsOut - sent) / 10;
  // Consent: a request each 4 to 6 s and the answers to the peer's (RFC 7675 section 5.1), and
  // SCTP's heartbeats each 30 s. Its engine wants to be looked at once a second.
  EXPECT_LT(packetsPerMinute, 40);
  EXPECT_LT(wakesPerMinute, 100);
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
}

PARLEY_SIM_TEST(IdleSim, AConnectionWithNothingNegotiatedSleeps) {
  Pair pair(world, {});
  pair.run(Duration::seconds(5));
  const uint64_t advances = pair.nodeA().counters().advances;
  pair.run(Duration::seconds(600));
  EXPECT_LE(pair.nodeA().counters().advances - advances, 2u);
}

}  // namespace
}  // namespace parley
