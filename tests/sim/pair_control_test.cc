// What the application decides about candidate pairs and about gathering, through the facade.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// Two networks between the peers, and a channel that counts.
struct TwoWays {
  explicit TwoWays(PairOptions options = {}) : pair(std::move(options)) {
    pair.world().connect(pair.hostA(), pair.hostB(), {.delay = Duration::millis(30)});
    channel = pair.a().createDataChannel("c").value();
    pair.b().onDataChannel([this](DataChannel incoming) {
      incoming.onMessage([this](const DataMessage&) { ++received; });
    });
  }
  IceTransport ice(PeerConnection& pc) { return pc.sctp().transport().iceTransport(); }
  std::string local(PeerConnection& pc) {
    const auto pair = ice(pc).getSelectedCandidatePair();
    return pair ? pair->local.parse()->address : "";
  }
  /// The pair that leads over the other network than the one in use.
  std::optional<IceCandidatePair> other(PeerConnection& pc) {
    const auto selected = ice(pc).getSelectedCandidatePair();
    for (const IceCandidatePair& candidate : ice(pc).getCandidatePairs()) {
      const std::string from = candidate.local.parse()->address;
      const std::string to = candidate.remote.parse()->address;
      if (from == selected->local.parse()->address || to == selected->remote.parse()->address)
        continue;
      return candidate;
    }
    return std::nullopt;
  }
  Pair pair;
  DataChannel channel;
  int received = 0;
};

TEST(PairControlSim, DataFollowsTheChosenPairAndLeavesARemovedOne) {
  TwoWays w;
  ASSERT_TRUE(w.pair.connect());
  w.pair.run(Duration::seconds(2));
  const std::string first = w.local(w.pair.a());
  const auto wanted = w.other(w.pair.a());
  ASSERT_TRUE(wanted);
  int changes = 0;
  w.ice(w.pair.a()).onSelectedCandidatePairChange([&] { ++changes; });
  ASSERT_TRUE(w.ice(w.pair.a()).selectCandidatePair(wanted));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(w.channel.send("tick"));
    w.pair.run(Duration::millis(20));
  }
  EXPECT_EQ(w.received, 50);
  EXPECT_EQ(w.local(w.pair.a()), wanted->local.parse()->address);
  EXPECT_EQ(w.local(w.pair.b()), wanted->remote.parse()->address);
  EXPECT_EQ(changes, 1);

  ASSERT_TRUE(w.ice(w.pair.a()).removeCandidatePair(*wanted));
  w.pair.run(Duration::seconds(1));
  EXPECT_EQ(w.local(w.pair.a()), first);
  EXPECT_FALSE(w.ice(w.pair.a()).selectCandidatePair(wanted)) << "it is gone";
  ASSERT_TRUE(w.channel.send("tick"));
  w.pair.run(Duration::seconds(1));
  EXPECT_EQ(w.received, 51);
  EXPECT_TRUE(w.ice(w.pair.a()).selectCandidatePair(std::nullopt));
  w.pair.a().close();
  EXPECT_EQ(w.ice(w.pair.a()).selectCandidatePair(wanted).error().code, ErrorCode::InvalidState);
}

TEST(PairControlSim, GatheringOnceIgnoresWhatTheMachineGetsLater) {
  for (const bool continual : {true, false}) {
    PairOptions options;
    options.configurationA.continualGathering = continual;
    Pair pair(options);
    pair.world().connect(pair.hostA(), pair.hostB());
    pair.hostA().setUp(pair.hostA().port(1), false);
    (void)pair.a().createDataChannel("c");
    size_t candidates = 0;
    ASSERT_TRUE(pair.connect());
    pair.run(Duration::seconds(2));
    const auto count = [&] {
      return pair.a().sctp().transport().iceTransport().getLocalCandidates().size();
    };
    candidates = count();
    pair.hostA().setUp(pair.hostA().port(1), true);
    pair.run(Duration::seconds(2));
    EXPECT_EQ(count() > candidates, continual);
  }
}

// A home network, whose router talks to a STUN server: what the peer is told are names and what the
// server sees; the names lead to the direct way.
TEST(PairControlSim, HiddenHostsConnectDirectlyOnTheSameLink) {
  for (const bool bothHide : {true, false}) {
    sim::World world{5};
    sim::Segment& home =
        world.addSegment({.name = "home", .v4Base = IpAddress::v4(192, 168, 7, 0)});
    PairOptions options;
    options.configurationA.hideHostAddresses = true;
    options.configurationB.hideHostAddresses = bothHide;
    Pair pair(world, options);
    for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) {
      host->attach(home);
      host->setUp(host->port(0), false);
    }
    DataChannel channel = pair.a().createDataChannel("c").value();
    bool heard = false;
    pair.b().onDataChannel([&](DataChannel incoming) {
      incoming.onMessage([&](const DataMessage&) { heard = true; });
    });
    channel.onOpen([channel]() mutable { (void)channel.send("first"); });
    ASSERT_TRUE(pair.connect());
    EXPECT_TRUE(pair.runUntil([&] { return heard; }, Duration::seconds(5)));
    const std::string sdp = pair.a().localDescription()->sdp;
    EXPECT_EQ(sdp.find("192.168.7."), std::string::npos) << sdp;
    EXPECT_NE(sdp.find(".local "), std::string::npos) << sdp;
    EXPECT_EQ(pair.b().localDescription()->sdp.find("192.168.7.") == std::string::npos, bothHide);
    // What the application of B sees of A is the name alone, if it was told before A's checks came.
    for (const IceCandidate& candidate :
         pair.b().sctp().transport().iceTransport().getRemoteCandidates())
      EXPECT_EQ(candidate.candidate.find("192.168.7."), std::string::npos);
  }
}

TEST(PairControlSim, NamesSurviveAnIceRestart) {
  sim::World world{6};
  sim::Segment& home = world.addSegment({.name = "home", .v4Base = IpAddress::v4(192, 168, 7, 0)});
  PairOptions options;
  options.configurationA.hideHostAddresses = options.configurationB.hideHostAddresses = true;
  Pair pair(world, options);
  for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) {
    host->attach(home);
    host->setUp(host->port(0), false);
  }
  (void)pair.a().createDataChannel("c");
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(30));
  pair.a().restartIce();
  pair.negotiate();
  pair.run(Duration::seconds(5));
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
  EXPECT_EQ(pair.a().localDescription()->sdp.find("192.168.7."), std::string::npos);
  EXPECT_TRUE(pair.errors().empty());
}

}  // namespace
}  // namespace parley
