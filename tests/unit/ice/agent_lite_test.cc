// Lite agents (RFC 8445 sections 2.5 and 7.3.2): they answer, and are heard.

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "unit/ice/agent_world.h"

namespace parley::ice {
namespace {

/// A full agent that controls, and a lite one.
struct LitePair {
  explicit LitePair(uint64_t seed = 1) : world(seed) {
    AgentConfig config;
    config.lite = true;
    lite = &world.add("lite", config);
    full = &world.add("full", {.role = Role::Controlling});
    full->addHost("192.0.2.1:5000", "203.0.113.7:6000");
    lite->addHost("198.51.100.1:3478");
  }
  void introduce() {
    full->agent.setRemoteCredentials(lite->agent.localCredentials(), true, world.now);
    lite->agent.setRemoteCredentials(full->agent.localCredentials(), false, world.now);
    for (const auto& [from, to] : {std::pair{full, lite}, std::pair{lite, full}}) {
      for (Candidate candidate : from->candidates) {
        candidate.ufrag = from->agent.localCredentials().ufrag;
        to->agent.addRemoteCandidate(candidate, world.now);
      }
    }
    for (Peer* peer : {full, lite}) {
      peer->agent.setLocalEndOfCandidates(world.now);
      peer->agent.setRemoteEndOfCandidates(world.now);
    }
  }
  bool connect() {
    introduce();
    return world.runUntil(
        [&] {
          return full->agent.state() == IceConnectionState::Completed &&
                 lite->agent.state() == IceConnectionState::Completed;
        },
        Duration::seconds(2));
  }

  AgentWorld world;
  Peer* lite = nullptr;
  Peer* full = nullptr;
};

TEST(LiteAgentTest, AnswersUntilThePairIsNominated) {
  LitePair p;
  ASSERT_TRUE(p.connect());
  EXPECT_EQ(p.lite->agent.role(), Role::Controlled);
  const auto pair = p.lite->agent.selectedPair();
  ASSERT_TRUE(pair);
  EXPECT_TRUE(pair->nominated);
  EXPECT_EQ(pair->path.remote, *SocketAddress::parse("203.0.113.7:6000"));
  EXPECT_EQ(pair->remote.type, CandidateType::PeerReflexive);
  for (const PairStats& stats : p.lite->agent.pairStats()) EXPECT_EQ(stats.requestsSent, 0u);
}

TEST(LiteAgentTest, DataMayFlowWithTheFirstAuthenticCheck) {
  LitePair p;
  p.introduce();
  ASSERT_TRUE(
      p.world.runUntil([&] { return p.lite->agent.sendPath() != nullptr; }, Duration::seconds(1)));
  EXPECT_EQ(p.lite->packetsSent, 1u);  // the answer
  EXPECT_TRUE(p.lite->agent.isValidSource(p.lite->agent.sendPath()->socket,
                                          p.lite->agent.sendPath()->remote));
}

TEST(LiteAgentTest, SendsNothingThatIsNoAnswer) {
  LitePair p;
  p.introduce();
  p.world.pass = [](const SocketAddress& from, const SocketAddress&, ByteSpan) {
    return from.port == 3478;  // nothing reaches it
  };
  p.world.run(Duration::seconds(60));
  EXPECT_EQ(p.lite->packetsSent, 0u);
  EXPECT_EQ(p.lite->agent.state(), IceConnectionState::Failed);
}

TEST(LiteAgentTest, LivesOnThePeersConsentChecks) {
  LitePair p;
  ASSERT_TRUE(p.connect());
  p.world.run(Duration::seconds(300));
  EXPECT_EQ(p.lite->agent.state(), IceConnectionState::Completed);
  EXPECT_EQ(p.lite->states.back(), IceConnectionState::Completed);
  EXPECT_EQ(
      std::count(p.lite->states.begin(), p.lite->states.end(), IceConnectionState::Disconnected),
      0);
}

TEST(LiteAgentTest, SilenceDisconnectsAndEndsConsentAfterThirtySeconds) {
  LitePair p;
  ASSERT_TRUE(p.connect());
  p.world.pass = [](const SocketAddress&, const SocketAddress&, ByteSpan) { return false; };
  ASSERT_TRUE(
      p.world.runUntil([&] { return p.lite->agent.state() == IceConnectionState::Disconnected; },
                       Duration::seconds(13)));
  p.world.run(Duration::seconds(10));
  EXPECT_EQ(p.lite->agent.state(), IceConnectionState::Disconnected);
  p.world.run(Duration::seconds(10));
  EXPECT_EQ(p.lite->agent.state(), IceConnectionState::Failed);
  EXPECT_EQ(p.lite->agent.sendPath(), nullptr);
}

TEST(LiteAgentTest, SilenceDoesNotMoveThePathToWhereItIsLongerSilent) {
  LitePair p;
  p.full->addHost("192.0.2.2:5000", "203.0.113.7:6001", 100);
  ASSERT_TRUE(p.connect());
  p.world.run(Duration::seconds(5));
  const auto checked = p.lite->agent.pairStats();
  ASSERT_EQ(checked.size(), 2u);
  for (const PairStats& pair : checked) EXPECT_EQ(pair.state, PairState::Succeeded);
  const SocketAddress before = p.lite->agent.selectedPair()->path.remote;
  p.world.pass = [](const SocketAddress&, const SocketAddress&, ByteSpan) { return false; };
  ASSERT_TRUE(
      p.world.runUntil([&] { return p.lite->agent.state() == IceConnectionState::Disconnected; },
                       Duration::seconds(13)));
  p.world.run(Duration::seconds(1));
  ASSERT_TRUE(p.lite->agent.selectedPair());
  EXPECT_EQ(p.lite->agent.selectedPair()->path.remote, before);
  EXPECT_EQ(p.lite->agent.state(), IceConnectionState::Disconnected);
}

TEST(LiteAgentTest, ACheckThatCannotBeAnsweredLeavesNothingToDo) {
  LitePair p;
  Bytes check;
  SocketAddress from;
  p.world.pass = [&](const SocketAddress& source, const SocketAddress& to, ByteSpan bytes) {
    if (to.port != 3478) return false;
    check = toBytes(bytes);
    from = source;
    return false;
  };
  p.introduce();
  p.world.run(Duration::millis(100));
  ASSERT_FALSE(check.empty());
  // Another one with the same password and next to no memory.
  PacketPool pool(1);
  SeededRandom random{1};
  Environment env{random, pool};
  AgentConfig config;
  config.lite = true;
  Agent agent(env, config, p.lite->agent.localCredentials());
  const Candidate own = p.lite->candidates.at(0);
  const Timestamp now = p.world.now;
  agent.setRemoteCredentials(p.full->agent.localCredentials(), false, now);
  agent.addLocalCandidate(own, SocketId(1), now);
  PacketBuf taken = pool.allocate();
  EXPECT_EQ(agent.handleStun(SocketId(1), from, own.address, check, now), HandleResult::Dropped);
  ASSERT_EQ(agent.pairStats().size(), 1u);
  EXPECT_EQ(agent.pairStats()[0].state, PairState::Failed);
  ASSERT_GT(agent.nextDeadline(), now);
  agent.advance(now);
  taken.reset();
  EXPECT_EQ(agent.handleStun(SocketId(1), from, own.address, check, now),
            HandleResult::Authenticated);
  EXPECT_EQ(agent.pairStats()[0].state, PairState::Succeeded);
  EXPECT_NE(agent.sendPath(), nullptr);
}

TEST(LiteAgentTest, RefusesToControl) {
  AgentConfig config;
  config.lite = true;
  config.role = Role::Controlling;
  AgentWorld world(1);
  Peer& lite = world.add("lite", config);
  EXPECT_EQ(lite.agent.role(), Role::Controlled);
  lite.agent.setRole(Role::Controlling, world.now);
  EXPECT_EQ(lite.agent.role(), Role::Controlled);
  // A full peer that does not know of the liteness and believes itself controlled is corrected.
  Peer& full = world.add("full", {.role = Role::Controlled});
  full.addHost("192.0.2.1:5000");
  lite.addHost("198.51.100.1:3478");
  world.introduce(full, lite);
  ASSERT_TRUE(world.runUntil(
      [&] {
        const auto pair = lite.agent.selectedPair();
        return pair && pair->nominated;
      },
      Duration::seconds(3)));
  EXPECT_EQ(full.agent.role(), Role::Controlling);
  EXPECT_EQ(full.roleChanges, 1u);
}

TEST(LiteAgentTest, RestartKeepsTheFormerPathUntilTheNewOneIsChecked) {
  LitePair p;
  ASSERT_TRUE(p.connect());
  p.full->agent.restart(Credentials::generate(p.full->random), p.world.now);
  p.lite->agent.restart(Credentials::generate(p.lite->random), p.world.now);
  EXPECT_NE(p.lite->agent.sendPath(), nullptr);
  EXPECT_TRUE(p.lite->agent.usesFormerPath());
  ASSERT_TRUE(p.connect());
  EXPECT_FALSE(p.lite->agent.usesFormerPath());
}

TEST(LiteAgentTest, ConnectsThroughLossAndReordering) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    LitePair p(seed);
    p.world.loss = 0.2;
    p.world.jitter = Duration::millis(20);
    p.introduce();
    EXPECT_TRUE(p.world.runUntil(
        [&] {
          const auto pair = p.lite->agent.selectedPair();
          return pair && pair->nominated;
        },
        Duration::seconds(35)))
        << seed;
  }
}

}  // namespace
}  // namespace parley::ice
