// What the application decides about pairs.

#include <gtest/gtest.h>

#include "unit/ice/agent_world.h"

namespace parley::ice {
namespace {

using State = IceConnectionState;

/// Two agents with two ways between them; the first is better.
struct ControlFixture {
  explicit ControlFixture(bool renomination = false) {
    AgentConfig config;
    config.renomination = renomination;
    a = &world.add("a", config);
    config.role = Role::Controlled;
    b = &world.add("b", config);
    for (Peer* peer : {a, b}) {
      const std::string last = peer == a ? "1" : "2";
      peer->addHost("10.0.1." + last + ":1000", {}, 65535);
      peer->addHost("10.0.2." + last + ":1000", {}, 60000);
    }
    // The two networks know nothing of each other.
    world.pass = [this](const SocketAddress& from, const SocketAddress& to, ByteSpan) {
      const bool second = from.ip.bytes()[2] == 2;
      return from.ip.bytes()[2] == to.ip.bytes()[2] && !(second ? secondDown : firstDown);
    };
    world.introduce(*a, *b);
    world.run(Duration::seconds(3));
  }
  static uint32_t pairOn(const Peer& peer, uint8_t network) {
    for (const PairStats& pair : peer.agent.pairStats()) {
      if (pair.local.address.ip.bytes()[2] == network &&
          pair.remote.address.ip.bytes()[2] == network)
        return pair.id;
    }
    return 0;
  }
  static int network(const Peer& peer) {
    const SendPath* path = peer.agent.sendPath();
    return path ? path->remote.ip.bytes()[2] : 0;
  }

  AgentWorld world{1};
  Peer* a;
  Peer* b;
  bool firstDown = false;
  bool secondDown = false;
};

TEST(AgentControlTest, AChosenPairCarriesDataOnBothSidesAlthoughAnotherIsBetter) {
  for (const bool renomination : {false, true}) {
    ControlFixture f(renomination);
    ASSERT_EQ(f.network(*f.a), 1);
    ASSERT_TRUE(f.a->agent.selectPair(f.pairOn(*f.a, 2), f.world.now));
    ASSERT_TRUE(f.world.runUntil([&] { return f.network(*f.a) == 2 && f.network(*f.b) == 2; },
                                 Duration::seconds(2)));
    f.world.run(Duration::seconds(60));
    EXPECT_EQ(f.network(*f.a), 2);
    EXPECT_EQ(f.network(*f.b), 2);
    EXPECT_TRUE(f.a->agent.selectedPair()->nominated);

    ASSERT_TRUE(f.a->agent.selectPair(0, f.world.now));
    EXPECT_TRUE(f.world.runUntil([&] { return f.network(*f.a) == 1 && f.network(*f.b) == 1; },
                                 Duration::seconds(5)));
  }
}

TEST(AgentControlTest, AChosenPairIsLeftWhileItIsSilentAndTakenAgain) {
  ControlFixture f;
  ASSERT_TRUE(f.a->agent.selectPair(f.pairOn(*f.a, 2), f.world.now));
  ASSERT_TRUE(f.world.runUntil([&] { return f.network(*f.a) == 2; }, Duration::seconds(2)));
  f.secondDown = true;
  EXPECT_TRUE(f.world.runUntil([&] { return f.network(*f.a) == 1 && f.network(*f.b) == 1; },
                               Duration::seconds(20)));
  f.secondDown = false;
  EXPECT_TRUE(f.world.runUntil([&] { return f.network(*f.a) == 2; }, Duration::seconds(30)));
}

TEST(AgentControlTest, TheControlledSideSendsWhereItWants) {
  ControlFixture f;
  ASSERT_TRUE(f.b->agent.selectPair(f.pairOn(*f.b, 2), f.world.now));
  ASSERT_TRUE(f.world.runUntil([&] { return f.network(*f.b) == 2; }, Duration::seconds(2)));
  f.world.run(Duration::seconds(60));
  EXPECT_EQ(f.network(*f.b), 2);
  EXPECT_EQ(f.network(*f.a), 1) << "who controls decides for itself";
}

TEST(AgentControlTest, ARemovedPairStaysAwayUntilARestart) {
  ControlFixture f;
  const uint32_t first = f.pairOn(*f.a, 1);
  ASSERT_TRUE(f.a->agent.removePair(first, f.world.now));
  EXPECT_FALSE(f.a->agent.removePair(first, f.world.now));
  EXPECT_FALSE(f.a->agent.selectPair(first, f.world.now));
  EXPECT_TRUE(f.world.runUntil([&] { return f.network(*f.a) == 2 && f.network(*f.b) == 2; },
                               Duration::seconds(2)));
  f.world.run(Duration::seconds(60));
  EXPECT_EQ(f.network(*f.a), 2);
  EXPECT_EQ(f.network(*f.b), 2);
  EXPECT_EQ(f.pairOn(*f.a, 1), 0u);

  f.a->agent.restart(Credentials::generate(f.a->random), f.world.now);
  f.b->agent.restart(Credentials::generate(f.b->random), f.world.now);
  f.world.introduce(*f.a, *f.b);
  f.world.run(Duration::seconds(3));
  EXPECT_EQ(f.network(*f.a), 1);
  EXPECT_EQ(f.network(*f.b), 1);
}

TEST(AgentControlTest, RemovingTheLastPairIsALossOfThePath) {
  ControlFixture f;
  ASSERT_TRUE(f.a->agent.removePair(f.pairOn(*f.a, 1), f.world.now));
  ASSERT_TRUE(f.a->agent.removePair(f.pairOn(*f.a, 2), f.world.now));
  EXPECT_EQ(f.a->agent.sendPath(), nullptr);
  EXPECT_EQ(f.a->agent.state(), State::Disconnected);
  f.world.run(Duration::seconds(60));
  EXPECT_EQ(f.a->agent.state(), State::Failed);
  EXPECT_FALSE(f.a->agent.selectPair(1, f.world.now));
}

TEST(AgentControlTest, UnknownPairsAreRefused) {
  ControlFixture f;
  EXPECT_FALSE(f.a->agent.selectPair(9999, f.world.now));
  EXPECT_FALSE(f.a->agent.removePair(9999, f.world.now));
  EXPECT_FALSE(f.a->agent.removePair(0, f.world.now));
  f.a->agent.close(f.world.now);
  EXPECT_FALSE(f.a->agent.selectPair(1, f.world.now));
}

}  // namespace
}  // namespace parley::ice
