// What a connection costs while nothing happens.

#include <gtest/gtest.h>

#include "parley/codec/generators.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;

/// What the first side does, and how often it wakes, in each of ten minutes.
struct PerMinute {
  explicit PerMinute(Pair& pair) {
    const sim::NodeCounters before = pair.nodeA().counters();
    pair.run(Duration::seconds(600));
    const sim::NodeCounters after = pair.nodeA().counters();
    wakes = static_cast<double>(after.advances - before.advances) / 10;
    packets = static_cast<double>(after.datagramsOut - before.datagramsOut) / 10;
  }
  double wakes, packets;
};

PARLEY_SIM_TEST(IdleSim, AnIdleConnectionOnlyKeepsItsConsentAlive) {
  Pair pair(world, {});
  DataChannel channel = pair.a().createDataChannel("c").value();
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  pair.run(Duration::seconds(30));
  const PerMinute perMinute(pair);
  // Consent: a request each 4 to 6 s and the answers to the peer's (RFC 7675 section 5.1), and
  // SCTP's heartbeats each 30 s. Its engine wants to be looked at once a second.
  EXPECT_LT(perMinute.packets, 40);
  EXPECT_LT(perMinute.wakes, 100);
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
}

// Sound and pictures were agreed and came, and then both sides fell silent: a muted call.
PARLEY_SIM_TEST(IdleSim, ASilentCallOnlyReportsAndKeepsItsConsentAlive) {
  Pair pair(world, {});
  MediaStreamTrack tracks[2][2];
  for (int side = 0; side < 2; ++side) {
    PeerConnection& pc = side == 0 ? pair.a() : pair.b();
    const std::shared_ptr<Loop>& loop = side == 0 ? pair.loopA() : pair.loopB();
    tracks[side][0] = MediaStreamTrack::createAudio(loop);
    tracks[side][1] = MediaStreamTrack::createVideo(loop);
    for (const MediaStreamTrack& track : tracks[side]) ASSERT_TRUE(pc.addTrack(track, {"s"}));
  }
  ASSERT_TRUE(pair.connect());
  codec::TestPattern pattern(160, 120);
  codec::ToneSource tone(440);
  for (int i = 0; i < 300; ++i) {
    for (auto& side : tracks) {
      ASSERT_TRUE(side[0].push(tone.next(pair.world().now())));
      if (i % 3 == 0) ASSERT_TRUE(side[1].push(pattern.next(pair.world().now())));
    }
    pair.run(Duration::millis(10));
  }
  pair.run(Duration::seconds(30));
  const PerMinute perMinute(pair);
  // Each way a report every 5 s (RFC 3550 section 6.2) beside the consent, whose wake-ups are those
  // of the request, of its repetition's timer and of the peer's packets.
  EXPECT_LT(perMinute.packets, 24 + 15);
  EXPECT_LT(perMinute.wakes, 75);
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
