#include <algorithm>

#include <gtest/gtest.h>

#include "parley/stun/message.h"

#include "unit/ice/agent_world.h"

// Consent, loss of the path, restart.

namespace parley::ice {
namespace {

using State = IceConnectionState;

struct Connected {
  explicit Connected(uint64_t seed, int hosts = 1) : world(seed) {
    AgentConfig config;
    a = &world.add("a", config);
    config.role = Role::Controlled;
    b = &world.add("b", config);
    for (int i = 0; i < hosts; ++i) {
      const std::string net = "10." + std::to_string(i) + ".0.";
      a->addHost(net + "1:1000", {}, static_cast<uint16_t>(900 - i));
      b->addHost(net + "2:2000", {}, static_cast<uint16_t>(900 - i));
    }
    world.introduce(*a, *b);
    EXPECT_TRUE(world.runUntil([&] { return ready(); }, Duration::seconds(2)));
  }
  bool ready() const {
    const auto pa = a->agent.selectedPair();
    const auto pb = b->agent.selectedPair();
    return pa && pb && pa->nominated && pb->nominated && pa->path.remote == pb->local.address &&
           pb->path.remote == pa->local.address;
  }
  AgentWorld world;
  Peer* a;
  Peer* b;
};

TEST(AgentLivenessTest, ConsentIsAskedEveryFiveSecondsGiveOrTakeAFifth) {
  Connected pair(1);
  std::vector<Timestamp> asked;
  pair.world.pass = [&](const SocketAddress& from, const SocketAddress&, ByteSpan bytes) {
    const auto message = stun::Message::parse(bytes);
    if (message->is(stun::Class::Request, stun::Method::Binding) &&
        from == *SocketAddress::parse("10.0.0.1:1000")) {
      asked.push_back(pair.world.now);
    }
    return true;
  };
  pair.world.run(Duration::seconds(300));
  ASSERT_GE(asked.size(), 50u);
  for (size_t i = 1; i < asked.size(); ++i) {
    EXPECT_GE(asked[i] - asked[i - 1], Duration::seconds(4));
    EXPECT_LE(asked[i] - asked[i - 1], Duration::seconds(6));
  }
  EXPECT_EQ(pair.a->states.back(), State::Connected);
}

TEST(AgentLivenessTest, ARequestForConsentMayBeBroughtForwardButNotByMuch) {
  Connected pair(1);
  pair.world.run(Duration::seconds(20));
  ice::Agent& agent = pair.a->agent;
  const Timestamp from = agent.consentFrom();
  ASSERT_FALSE(from.isNever());
  if (pair.world.now < from) {
    const uint64_t before = pair.a->packetsSent;
    agent.askForConsent(pair.world.now);
    pair.world.run(Duration::millis(1));
    EXPECT_EQ(pair.a->packetsSent, before) << "too soon after the last one";
    pair.world.run(from - pair.world.now);
  }
  agent.askForConsent(pair.world.now);
  EXPECT_GE(agent.consentFrom(), pair.world.now + Duration::seconds(4));
  EXPECT_GE(agent.nextDeadline(), pair.world.now + Duration::millis(500));
}

TEST(AgentLivenessTest, DeadPathIsDisconnectedThenFailedAfterThirtySeconds) {
  Connected pair(2);
  pair.world.run(Duration::seconds(7));
  pair.world.pass = [](auto&&...) { return false; };
  const Timestamp cut = pair.world.now;
  ASSERT_TRUE(pair.world.runUntil([&] { return pair.a->agent.state() == State::Disconnected; },
                                  Duration::seconds(20)));
  EXPECT_LE(pair.world.now - cut, Duration::seconds(8));
  EXPECT_NE(pair.a->agent.sendPath(), nullptr) << "consent still holds";
  ASSERT_TRUE(pair.world.runUntil([&] { return pair.a->agent.state() == State::Failed; },
                                  Duration::seconds(40)));
  EXPECT_LE(pair.world.now - cut, Duration::millis(30'020));
  EXPECT_EQ(pair.a->agent.sendPath(), nullptr);
  EXPECT_FALSE(pair.a->agent.isValidSource(SocketId(1), *SocketAddress::parse("10.0.0.2:2000")));
  pair.world.run(Duration::seconds(5));
  const size_t sent = pair.a->packetsSent;
  pair.world.run(Duration::seconds(60));
  EXPECT_EQ(pair.a->packetsSent, sent) << "nothing is sent after consent is lost";
}

TEST(AgentLivenessTest, ShortOutageRecovers) {
  Connected pair(3);
  pair.world.pass = [](auto&&...) { return false; };
  pair.world.run(Duration::seconds(15));
  EXPECT_EQ(pair.a->agent.state(), State::Disconnected);
  pair.world.pass = nullptr;
  pair.world.run(Duration::seconds(2));
  EXPECT_EQ(pair.a->agent.state(), State::Connected);
  EXPECT_EQ(pair.b->agent.state(), State::Connected);
}

TEST(AgentLivenessTest, SingleLossesNeverDisconnect) {
  Connected pair(4);
  // Far enough apart for a request of each side and their answers to pass in between.
  int count = 0;
  pair.world.pass = [&](auto&&...) { return ++count % 5 != 0; };
  pair.world.run(Duration::seconds(600));
  for (const Peer* peer : {pair.a, pair.b}) {
    EXPECT_EQ(std::count(peer->states.begin(), peer->states.end(), State::Disconnected), 0);
  }
}

TEST(AgentLivenessTest, DataFromThePeerCountsAsLife) {
  Connected pair(5);
  pair.world.pass = [](auto&&...) { return false; };
  for (int i = 0; i < 20; ++i) {
    pair.world.run(Duration::seconds(1));
    pair.a->agent.noteReceived(pair.world.now);
  }
  EXPECT_EQ(pair.a->agent.state(), State::Connected);
  EXPECT_EQ(pair.b->agent.state(), State::Disconnected);
  pair.world.run(Duration::seconds(12));
  EXPECT_EQ(pair.a->agent.state(), State::Failed) << "life is not consent";
}

TEST(AgentLivenessTest, AnotherPairTakesOverWhenThePathDies) {
  Connected pair(6, 2);
  const SocketAddress best = *SocketAddress::parse("10.0.0.2:2000");
  ASSERT_EQ(pair.a->agent.selectedPair()->remote.address, best);
  pair.world.pass = [&](const SocketAddress& from, const SocketAddress& to, ByteSpan) {
    return from.ip.bytes()[1] != 0 && to.ip.bytes()[1] != 0;
  };
  ASSERT_TRUE(pair.world.runUntil(
      [&] { return pair.ready() && pair.a->agent.selectedPair()->remote.address != best; },
      Duration::seconds(15)));
  pair.world.run(Duration::seconds(60));
  EXPECT_EQ(pair.a->agent.state(), State::Connected);
  EXPECT_EQ(pair.b->agent.state(), State::Connected);
}

TEST(AgentLivenessTest, LostSocketMovesToAnotherPair) {
  Connected pair(7, 2);
  pair.world.run(Duration::seconds(1));
  pair.a->agent.removeSocket(SocketId(1), pair.world.now);
  ASSERT_TRUE(pair.world.runUntil([&] { return pair.ready(); }, Duration::seconds(15)));
  EXPECT_EQ(pair.a->agent.selectedPair()->path.socket, SocketId(2));
  EXPECT_EQ(std::count(pair.a->states.begin(), pair.a->states.end(), State::Failed), 0);
}

TEST(AgentLivenessTest, LostOnlySocketWaitsForANewOne) {
  Connected pair(8);
  pair.a->agent.removeSocket(SocketId(1), pair.world.now);
  EXPECT_EQ(pair.a->agent.state(), State::Disconnected);
  EXPECT_EQ(pair.a->agent.sendPath(), nullptr);
  pair.world.run(Duration::seconds(3));
  const Candidate fresh = pair.a->addHost("10.7.0.1:1000");
  pair.b->agent.addRemoteCandidate(fresh, pair.world.now);
  ASSERT_TRUE(pair.world.runUntil([&] { return pair.ready(); }, Duration::seconds(15)));
  EXPECT_EQ(pair.a->agent.state(), State::Connected);
}

TEST(AgentLivenessTest, LostOnlySocketFailsInTheEnd) {
  Connected pair(8);
  pair.a->agent.removeSocket(SocketId(1), pair.world.now);
  EXPECT_TRUE(pair.world.runUntil([&] { return pair.a->agent.state() == State::Failed; },
                                  Duration::seconds(31)));
}

TEST(AgentLivenessTest, RestartKeepsTheOldPathUntilTheNewOneIsNominated) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Connected pair(seed);
    pair.world.loss = seed % 2 ? 0.2 : 0;
    pair.world.run(Duration::seconds(3));
    const Credentials before = pair.a->agent.localCredentials();
    pair.a->agent.restart(Credentials::generate(pair.a->random), pair.world.now);
    EXPECT_NE(pair.a->agent.localCredentials(), before);
    ASSERT_NE(pair.a->agent.sendPath(), nullptr);
    EXPECT_TRUE(pair.a->agent.isValidSource(SocketId(1), *SocketAddress::parse("10.0.0.2:2000")));
    // The offer takes long: the old pair lives on with its old credentials.
    pair.world.run(Duration::seconds(40));
    ASSERT_NE(pair.a->agent.sendPath(), nullptr);
    ASSERT_NE(pair.b->agent.sendPath(), nullptr);

    pair.b->agent.restart(Credentials::generate(pair.b->random), pair.world.now);
    pair.world.signal(*pair.a, *pair.b);
    pair.world.run(Duration::millis(70));
    pair.world.signal(*pair.b, *pair.a);
    bool gap = false;
    ASSERT_TRUE(pair.world.runUntil(
        [&] {
          gap = gap || !pair.a->agent.sendPath() || !pair.b->agent.sendPath();
          return pair.ready() && pair.a->agent.pairStats().size() == 1 &&
                 pair.b->agent.pairStats().size() == 1;
        },
        Duration::seconds(20)))
        << seed;
    EXPECT_FALSE(gap) << "data never stops";
    EXPECT_EQ(pair.a->agent.selectedPair()->remote.ufrag, pair.b->agent.localCredentials().ufrag);
  }
}

// A peer with slow answers may choose a pair that worked with the old credentials, and send there.
TEST(AgentLivenessTest, RestartStillBelievesWhatWasProvenBefore) {
  Connected pair(15, 2);
  using Source = std::pair<SocketId, SocketAddress>;
  const auto believed = [&] {
    std::vector<Source> out;
    for (const SocketId socket : {SocketId(1), SocketId(2)}) {
      for (const char* text : {"10.0.0.1:1000", "10.1.0.1:1000", "10.2.0.1:1000"}) {
        const SocketAddress from = *SocketAddress::parse(text);
        if (pair.b->agent.isValidSource(socket, from)) out.emplace_back(socket, from);
      }
    }
    return out;
  };
  const auto before = believed();
  ASSERT_GE(before.size(), 2u);
  pair.b->agent.restart(Credentials::generate(pair.b->random), pair.world.now);
  EXPECT_EQ(believed(), before);
  pair.a->agent.restart(Credentials::generate(pair.a->random), pair.world.now);
  pair.world.introduce(*pair.a, *pair.b);
  ASSERT_TRUE(pair.world.runUntil([&] { return pair.ready(); }, Duration::seconds(5)));
  for (const Source& source : before) {
    EXPECT_TRUE(pair.b->agent.isValidSource(source.first, source.second));
  }
  for (const SocketId socket : {SocketId(1), SocketId(2)})
    pair.b->agent.removeSocket(socket, pair.world.now);
  EXPECT_TRUE(believed().empty());
}

TEST(AgentLivenessTest, RestartRevivesAFailedAgent) {
  Connected pair(10);
  pair.world.pass = [](auto&&...) { return false; };
  pair.world.run(Duration::seconds(40));
  ASSERT_EQ(pair.a->agent.state(), State::Failed);
  ASSERT_EQ(pair.b->agent.state(), State::Failed);
  pair.world.pass = nullptr;
  pair.a->agent.restart(Credentials::generate(pair.a->random), pair.world.now);
  pair.b->agent.restart(Credentials::generate(pair.b->random), pair.world.now);
  EXPECT_EQ(pair.a->agent.state(), State::Checking);
  pair.world.introduce(*pair.a, *pair.b);
  EXPECT_TRUE(pair.world.runUntil([&] { return pair.ready(); }, Duration::seconds(2)));
}

TEST(AgentLivenessTest, CandidateFoundWhileFailedServesTheRestart) {
  Connected pair(13);
  pair.a->agent.removeSocket(SocketId(1), pair.world.now);
  pair.a->candidates.clear();
  pair.world.run(Duration::seconds(40));
  ASSERT_EQ(pair.a->agent.state(), State::Failed);
  pair.a->addHost("192.0.2.9:9000");
  pair.world.run(Duration::seconds(5));
  EXPECT_EQ(pair.a->agent.state(), State::Failed) << "only a restart revives";
  ASSERT_EQ(pair.a->agent.localCandidates().size(), 1u);
  pair.a->agent.restart(Credentials::generate(pair.a->random), pair.world.now);
  pair.b->agent.restart(Credentials::generate(pair.b->random), pair.world.now);
  pair.world.introduce(*pair.a, *pair.b);
  EXPECT_TRUE(pair.world.runUntil([&] { return pair.ready(); }, Duration::seconds(2)));
}

TEST(AgentLivenessTest, RestartForgetsWhatServersSaw) {
  Connected pair(14);
  Candidate reflexive = pair.a->candidates[0];
  reflexive.type = CandidateType::ServerReflexive;
  reflexive.base = reflexive.address;
  reflexive.address = *SocketAddress::parse("203.0.113.1:1000");
  pair.a->agent.addLocalCandidate(reflexive, SocketId(1), pair.world.now);
  ASSERT_EQ(pair.a->agent.localCandidates().size(), 2u);
  pair.a->agent.restart(Credentials::generate(pair.a->random), pair.world.now);
  ASSERT_EQ(pair.a->agent.localCandidates().size(), 1u);
  EXPECT_EQ(pair.a->agent.localCandidates()[0].type, CandidateType::Host);
  ASSERT_TRUE(pair.a->agent.rollbackRestart(pair.world.now));
  EXPECT_EQ(pair.a->agent.localCandidates().size(), 2u);
}

TEST(AgentLivenessTest, RolledBackRestartGoesOnAsBefore) {
  Connected pair(11);
  const Credentials before = pair.a->agent.localCredentials();
  EXPECT_FALSE(pair.a->agent.rollbackRestart(pair.world.now));
  pair.a->agent.restart(Credentials::generate(pair.a->random), pair.world.now);
  pair.world.run(Duration::seconds(8));
  ASSERT_TRUE(pair.a->agent.rollbackRestart(pair.world.now));
  EXPECT_EQ(pair.a->agent.localCredentials(), before);
  pair.world.run(Duration::seconds(60));
  EXPECT_TRUE(pair.ready());
  EXPECT_EQ(pair.a->agent.state(), State::Connected);
}

TEST(AgentLivenessTest, CloseIsSilent) {
  Connected pair(12);
  pair.a->agent.close(pair.world.now);
  EXPECT_EQ(pair.a->agent.state(), State::Closed);
  const size_t sent = pair.a->packetsSent;
  pair.world.run(Duration::seconds(20));
  EXPECT_EQ(pair.a->packetsSent, sent);
  EXPECT_TRUE(pair.a->agent.nextDeadline().isNever());
}

}  // namespace
}  // namespace parley::ice
