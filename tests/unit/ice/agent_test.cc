#include "parley/ice/agent.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "parley/stun/integrity.h"
#include "parley/stun/message.h"

#include "unit/ice/agent_world.h"

namespace parley::ice {
namespace {

using State = IceConnectionState;

AgentConfig controlled() {
  AgentConfig config;
  config.role = Role::Controlled;
  return config;
}

bool up(const Peer& peer) {
  return peer.agent.state() == State::Connected || peer.agent.state() == State::Completed;
}
bool bothUp(const Peer& a, const Peer& b) {
  return up(a) && up(b);
}
bool nominatedPath(const Peer& peer) {
  const auto pair = peer.agent.selectedPair();
  return pair && pair->nominated;
}
bool bothNominated(const Peer& a, const Peer& b) {
  return nominatedPath(a) && nominatedPath(b);
}
bool mirrored(const Peer& a, const Peer& b) {
  const auto ours = a.agent.selectedPair();
  const auto theirs = b.agent.selectedPair();
  return ours && theirs && ours->local.address == theirs->remote.address &&
         ours->remote.address == theirs->local.address;
}
TEST(AgentTest, ConnectsInOneRoundTripAndNominatesInTwo) {
  AgentWorld world(1);
  world.delay = Duration::millis(50);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  const Timestamp start = world.now;
  world.introduce(a, b);
  ASSERT_TRUE(world.runUntil([&] { return bothUp(a, b); }, Duration::seconds(1)));
  EXPECT_EQ(world.now - start, Duration::millis(100));
  ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(1)));
  EXPECT_EQ(world.now - start, Duration::millis(200));
  EXPECT_TRUE(mirrored(a, b));
  EXPECT_EQ(a.agent.selectedPair()->rtt, Duration::millis(100));
  EXPECT_EQ(a.states, (std::vector<State>{State::Checking, State::Connected}));
  EXPECT_EQ(a.pairChanges, 1u);
}

TEST(AgentTest, CompletesOnceBothEndsOfCandidatesAreKnown) {
  AgentWorld world(2);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  world.introduce(a, b);
  world.run(Duration::seconds(1));
  EXPECT_EQ(a.agent.state(), State::Connected);
  for (Peer* peer : {&a, &b}) {
    peer->agent.setLocalEndOfCandidates(world.now);
    peer->agent.setRemoteEndOfCandidates(world.now);
  }
  EXPECT_EQ(a.agent.state(), State::Completed);
  EXPECT_EQ(b.agent.state(), State::Completed);
}

TEST(AgentTest, CheckCarriesWhatRfc8445Asks) {
  AgentWorld world(3);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  size_t seen = 0;
  world.pass = [&](const SocketAddress& from, const SocketAddress&, ByteSpan bytes) {
    const auto message = stun::Message::parse(bytes);
    EXPECT_TRUE(message);
    EXPECT_EQ(verifyFingerprint(*message), stun::IntegrityCheck::Right);
    if (!message->is(stun::Class::Request, stun::Method::Binding)) return true;
    ++seen;
    const bool fromA = from == SocketAddress::parse("10.0.0.1:1000");
    const Credentials& own = (fromA ? a : b).agent.localCredentials();
    const Credentials& other = (fromA ? b : a).agent.localCredentials();
    EXPECT_EQ(message->text(stun::AttributeType::Username), other.ufrag + ":" + own.ufrag);
    EXPECT_EQ(verifyMessageIntegrity(*message, stun::shortTermKey(other.password)),
              stun::IntegrityCheck::Right);
    EXPECT_EQ(message->u32(stun::AttributeType::Priority), 1862270975u);
    EXPECT_EQ(message->has(stun::AttributeType::IceControlling), fromA);
    EXPECT_EQ(message->has(stun::AttributeType::IceControlled), !fromA);
    return true;
  };
  world.introduce(a, b);
  world.run(Duration::seconds(1));
  EXPECT_GE(seen, 3u);
  EXPECT_TRUE(bothNominated(a, b));
}

TEST(AgentTest, ChecksBeforeRemoteCredentialsAreAnsweredAndRemembered) {
  AgentWorld world(4);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  world.signal(a, b);  // b has the offer; its answer is still under way
  world.run(Duration::millis(100));
  EXPECT_TRUE(up(b)) << "a must answer with its password alone";
  EXPECT_FALSE(up(a));
  EXPECT_TRUE(a.agent.isValidSource(SocketId(1), *SocketAddress::parse("10.0.0.2:2000")));

  const Timestamp answered = world.now;
  a.agent.setRemoteCredentials(b.agent.localCredentials(), false, world.now);
  ASSERT_TRUE(world.runUntil([&] { return up(a); }, Duration::seconds(1)));
  EXPECT_EQ(world.now - answered, world.delay * 2) << "the triggered check goes out at once";
  EXPECT_EQ(a.agent.selectedPair()->remote.type, CandidateType::PeerReflexive);

  // The signalled candidate arrives last and takes over the learnt one.
  a.agent.addRemoteCandidate(b.candidates[0], world.now);
  EXPECT_EQ(a.agent.selectedPair()->remote.type, CandidateType::Host);
  EXPECT_EQ(a.agent.remoteCandidates().size(), 1u);
  EXPECT_EQ(a.agent.pairStats().size(), 1u);
}

// Firefox keeps the first early check of each address, and no nomination that comes after it.
TEST(AgentTest, NominationIsRepeatedForAPeerThatChecksOnlyAfterwards) {
  AgentWorld world(4);
  Peer& a = world.add("a", controlled());
  Peer& b = world.add("b");
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  std::vector<Timestamp> nominations;
  world.pass = [&](const SocketAddress&, const SocketAddress&, ByteSpan bytes) {
    const auto message = stun::Message::parse(bytes);
    if (message && message->has(stun::AttributeType::UseCandidate))
      nominations.push_back(world.now);
    return true;
  };
  world.signal(a, b);
  world.run(Duration::seconds(1));
  EXPECT_TRUE(nominatedPath(b));
  ASSERT_EQ(nominations.size(), 1u);
  const Timestamp answered = world.now;
  world.signal(b, a);
  world.run(Duration::seconds(10));
  ASSERT_EQ(nominations.size(), 2u) << "once, and only once";
  EXPECT_LE(nominations[1] - answered, world.delay * 2);
  EXPECT_TRUE(bothNominated(a, b));
}

TEST(AgentTest, EarlyChecksOfAnotherPeerAreForgotten) {
  AgentWorld world(5);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  Peer& c = world.add("c", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  c.addHost("10.0.0.3:3000");
  world.signal(a, b);
  world.signal(a, c);  // a forked offer: both answer
  world.run(Duration::millis(100));
  world.signal(c, a);
  world.run(Duration::millis(200));
  ASSERT_TRUE(nominatedPath(a));
  EXPECT_EQ(a.agent.selectedPair()->remote.address, c.candidates[0].address);
  EXPECT_EQ(a.agent.remoteCandidates().size(), 1u);
}

TEST(AgentTest, CandidatesBeforeCredentialsAreKept) {
  AgentWorld world(6);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  Candidate stale = b.candidates[0];
  stale.ufrag = "older";
  stale.address.port = 2001;
  a.agent.addRemoteCandidate(b.candidates[0], world.now);
  a.agent.addRemoteCandidate(stale, world.now);
  EXPECT_TRUE(a.agent.remoteCandidates().empty());
  a.agent.setRemoteCredentials(b.agent.localCredentials(), false, world.now);
  EXPECT_EQ(a.agent.remoteCandidates().size(), 1u);
  EXPECT_EQ(a.agent.counters().candidatesIgnored, 1u);
  world.signal(a, b);
  EXPECT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(1)));
}

TEST(AgentTest, TrickledLocalCandidatesPairWithKnownRemotes) {
  AgentWorld world(7);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  world.introduce(a, b);
  world.run(Duration::seconds(1));
  EXPECT_EQ(a.agent.state(), State::New);
  b.addHost("10.0.0.2:2000");
  a.agent.addRemoteCandidate(b.candidates[0], world.now);
  a.addHost("10.0.0.1:1000");
  EXPECT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(1)));
}

TEST(AgentTest, RoleConflictsEndWithOneControllingAgent) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    for (Role role : {Role::Controlling, Role::Controlled}) {
      AgentWorld world(seed);
      world.jitter = Duration::millis(seed % 3 * 20);
      AgentConfig config;
      config.role = role;
      Peer& a = world.add("a", config);
      Peer& b = world.add("b", config);
      a.addHost("10.0.0.1:1000");
      b.addHost("10.0.0.2:2000");
      world.introduce(a, b);
      ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(2)))
          << seed << toString(role);
      EXPECT_NE(a.agent.role(), b.agent.role());
      EXPECT_EQ(a.roleChanges + b.roleChanges, 1u);
    }
  }
}

TEST(AgentTest, LearnsPeerReflexiveCandidatesThroughANat) {
  AgentWorld world(9);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000", "198.51.100.1:61000");
  b.addHost("203.0.113.2:2000");
  world.introduce(a, b);
  ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(2)));
  EXPECT_EQ(b.agent.selectedPair()->remote.type, CandidateType::PeerReflexive);
  EXPECT_EQ(b.agent.selectedPair()->remote.address, *SocketAddress::parse("198.51.100.1:61000"));
  const SelectedPair pair = *a.agent.selectedPair();
  EXPECT_EQ(pair.local.type, CandidateType::PeerReflexive);
  EXPECT_EQ(pair.local.address, *SocketAddress::parse("198.51.100.1:61000"));
  EXPECT_EQ(pair.path.local, *IpAddress::parse("10.0.0.1"));
}

TEST(AgentTest, TwoPortRestrictedNatsConnectByReflexiveCandidates) {
  AgentWorld world(10);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000", "198.51.100.1:61000");
  b.addHost("10.0.0.1:1000", "203.0.113.2:62000");
  for (auto [peer, outside] :
       {std::pair{&a, "198.51.100.1:61000"}, std::pair{&b, "203.0.113.2:62000"}}) {
    Candidate reflexive = peer->candidates[0];
    reflexive.type = CandidateType::ServerReflexive;
    reflexive.base = reflexive.relatedAddress = reflexive.address;
    reflexive.address = *SocketAddress::parse(outside);
    reflexive.priority = candidatePriority(CandidateType::ServerReflexive, 65535);
    reflexive.foundation = "s";
    peer->candidates.push_back(reflexive);
    peer->agent.addLocalCandidate(reflexive, SocketId(1), world.now);
  }
  world.introduce(a, b);
  ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(3)));
  EXPECT_TRUE(mirrored(a, b));
  EXPECT_EQ(a.agent.selectedPair()->local.type, CandidateType::ServerReflexive);
  EXPECT_EQ(a.agent.pairStats().size(), 2u)
      << "a reflexive candidate is not paired beside its base";
}

TEST(AgentTest, FamiliesAndScopesPairAmongThemselves) {
  AgentWorld world(11);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  for (const char* address : {"10.0.0.1:1", "[2001:db8::1]:1", "127.0.0.1:1", "[::1]:1"}) {
    a.addHost(address);
  }
  for (const char* address : {"10.0.0.2:2", "[2001:db8::2]:2", "127.0.0.1:2", "[::1]:2"}) {
    b.addHost(address);
  }
  world.introduce(a, b);
  EXPECT_EQ(a.agent.pairStats().size(), 4u);
  EXPECT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(1)));
}

TEST(AgentTest, BetterPairThatWorksLaterTakesOver) {
  AgentWorld world(12);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000", {}, 100);
  b.addHost("10.0.0.2:2000", {}, 100);
  world.introduce(a, b);
  ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(1)));
  const Candidate better = a.addHost("10.1.0.1:1000", {}, 200);
  b.agent.addRemoteCandidate(better, world.now);
  ASSERT_TRUE(
      world.runUntil([&] { return a.agent.selectedPair()->local == better && mirrored(a, b); },
                     Duration::seconds(2)));
  EXPECT_TRUE(bothNominated(a, b));
}

TEST(AgentTest, WaitsAMomentForABetterPairBeforeNominating) {
  AgentWorld world(13);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000", {}, 200);
  a.addHost("10.1.0.1:1000", {}, 100);
  b.addHost("10.0.0.2:2000");
  // The better path is slow to open: its first packets are lost.
  const Timestamp openAt = world.now + Duration::millis(30);
  world.pass = [&](const SocketAddress& from, const SocketAddress& to, ByteSpan) {
    const SocketAddress slow = *SocketAddress::parse("10.0.0.1:1000");
    return world.now >= openAt || (from != slow && to != slow);
  };
  world.introduce(a, b);
  const Timestamp start = world.now;
  ASSERT_TRUE(world.runUntil([&] { return up(a); }, Duration::seconds(1)));
  EXPECT_EQ(world.now - start, Duration::millis(20)) << "data does not wait for nomination";
  EXPECT_FALSE(nominatedPath(a));
  ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(3)));
  EXPECT_EQ(world.now - start, Duration::millis(20 + 200 + 20));
  world.run(Duration::seconds(2));
  EXPECT_EQ(a.agent.selectedPair()->local.address, *SocketAddress::parse("10.0.0.1:1000"));
}

TEST(AgentTest, LitePeerMakesUsControlling) {
  AgentWorld world(14);
  Peer& a = world.add("a", controlled());
  a.addHost("10.0.0.1:1000");
  a.agent.setRemoteCredentials({"liteufrag", "litepasswordlitepassword"}, true, world.now);
  EXPECT_EQ(a.agent.role(), Role::Controlling);
  world.run(Duration::millis(1));
  EXPECT_EQ(a.roleChanges, 1u);
}

/// Twenty blocks of fifty seeds.
class AgentSeedsTest : public testing::TestWithParam<uint64_t> {};

TEST_P(AgentSeedsTest, ConnectsQuicklyUnderLossDelayAndReordering) {
  std::vector<Duration> connected;
  for (uint64_t seed = GetParam() * 50; seed < GetParam() * 50 + 50; ++seed) {
    AgentWorld world(seed);
    SeededRandom dice(seed + 77777);
    world.delay = Duration::millis(static_cast<int64_t>(1 + dice.below(80)));
    world.jitter = Duration::millis(static_cast<int64_t>(dice.below(60)));
    world.loss = 0.1 * dice.unit();
    Peer& a = world.add("a");
    Peer& b = world.add("b", controlled());
    const bool nat = dice.below(2) == 0;
    a.addHost("10.0.0.1:1000", nat ? "198.51.100.1:61000" : "");
    if (dice.below(2) == 0) a.addHost("[2001:db8::1]:1000");
    b.addHost("10.0.0.2:2000");
    b.addHost("[2001:db8::2]:2000");
    world.signal(a, b);
    world.run(Duration::millis(static_cast<int64_t>(dice.below(300))));
    world.signal(b, a);
    const Timestamp start = world.now;
    ASSERT_TRUE(world.runUntil([&] { return bothUp(a, b); }, Duration::seconds(5))) << seed;
    connected.push_back(world.now - start);
    ASSERT_TRUE(world.runUntil([&] { return bothNominated(a, b) && mirrored(a, b); },
                               Duration::seconds(20)))
        << "seed " << seed;
  }
  std::sort(connected.begin(), connected.end());
  EXPECT_LT(connected[25], Duration::millis(200));
  EXPECT_LT(connected[45], Duration::millis(800));
}

INSTANTIATE_TEST_SUITE_P(ThousandSeeds, AgentSeedsTest, testing::Range<uint64_t>(0, 20));

TEST(AgentTest, NewChecksKeepTheRateAfterTheFirstBurst) {
  AgentWorld world(15);
  Peer& a = world.add("a");
  a.addHost("10.0.0.1:1000");
  a.agent.setRemoteCredentials({"ufrag", "passwordpasswordpassword"}, false, world.now);
  Candidate nobody;
  nobody.address = *SocketAddress::parse("192.0.2.1:9");
  for (uint32_t i = 0; i < 64; ++i) {
    nobody.foundation = std::to_string(i);
    nobody.priority = 1000 + i;
    nobody.address.port = static_cast<uint16_t>(1000 + i);
    a.agent.addRemoteCandidate(nobody, world.now);
  }
  const Timestamp start = world.now;
  world.run(Duration::millis(490));
  // RTO grows with the number of pairs (64 * 50 ms), so these are all first transmissions.
  ASSERT_EQ(a.sentAt.size(), 5u + 9u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(a.sentAt[i], start);
  for (size_t i = 5; i < a.sentAt.size(); ++i) {
    EXPECT_EQ(a.sentAt[i] - a.sentAt[i - 1], Duration::millis(50));
  }
  world.run(Duration::seconds(200));
  EXPECT_LE(a.sentAt.size(), 64u * 7u) << "each pair stops after Rc transmissions";
}

TEST(AgentTest, FailsNoEarlierThanThePatienceTimer) {
  AgentWorld world(16);
  Peer& a = world.add("a");
  a.addHost("10.0.0.1:1000");
  a.agent.setLocalEndOfCandidates(world.now);
  a.agent.setRemoteCredentials({"ufrag", "passwordpasswordpassword"}, false, world.now);
  a.agent.setRemoteEndOfCandidates(world.now);
  const Timestamp start = world.now;
  world.run(Duration::millis(39'499));
  EXPECT_NE(a.agent.state(), State::Failed);
  ASSERT_TRUE(
      world.runUntil([&] { return a.agent.state() == State::Failed; }, Duration::seconds(5)));
  EXPECT_EQ(world.now - start, Duration::millis(39'500));
  EXPECT_TRUE(a.agent.nextDeadline().isNever());
}

TEST(AgentTest, PeersWithoutAPathFail) {
  AgentWorld world(17);
  world.pass = [](auto&&...) { return false; };
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  world.introduce(a, b);
  EXPECT_TRUE(world.runUntil(
      [&] { return a.agent.state() == State::Failed && b.agent.state() == State::Failed; },
      Duration::seconds(60)));
  EXPECT_EQ(a.packetsSent, 7u);
}

TEST(AgentTest, MdnsCandidatesAreResolvedAndOtherNamesAreNot) {
  AgentWorld world(18);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  const std::string name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
  Candidate hidden = b.candidates[0];
  hidden.hostname = name;
  hidden.address.ip = {};
  world.signal(a, b);
  a.agent.setRemoteCredentials(b.agent.localCredentials(), false, world.now);
  Candidate evil = hidden;
  evil.hostname = "evil.example.com";
  a.agent.addRemoteCandidate(evil, world.now);
  for (int i = 0; i < 6; ++i) {
    a.agent.addRemoteCandidate(hidden, world.now);
    ++hidden.address.port;
  }
  world.pass = [](auto&&...) { return false; };
  world.run(Duration::millis(1));
  EXPECT_EQ(a.resolves, std::vector<std::string>(4, name)) << "at most four names at a time";
  EXPECT_EQ(a.agent.counters().candidatesIgnored, 1u);

  world.pass = nullptr;
  a.agent.handleResolved({a.resolveIds[1], {}}, world.now);
  a.agent.handleResolved({a.resolveIds[2], {*IpAddress::parse("10.0.0.2"), IpAddress()}},
                         world.now);
  EXPECT_TRUE(a.agent.remoteCandidates().empty());
  a.agent.handleResolved({a.resolveIds[0], {*IpAddress::parse("10.0.0.2")}}, world.now);
  a.agent.handleResolved({a.resolveIds[0], {*IpAddress::parse("10.0.0.9")}}, world.now);
  ASSERT_EQ(a.agent.remoteCandidates().size(), 1u);
  EXPECT_EQ(a.agent.remoteCandidates()[0].hostname, name);
  EXPECT_TRUE(world.runUntil([&] { return bothNominated(a, b); }, Duration::seconds(2)));
}

// Every answer of a renegotiation lists the candidates once more.
TEST(AgentTest, KnownNamesAreNotResolvedAgain) {
  AgentWorld world(19);
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled());
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  world.signal(a, b);
  a.agent.setRemoteCredentials(b.agent.localCredentials(), false, world.now);
  Candidate hidden = b.candidates[0];
  hidden.hostname = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
  hidden.address.ip = {};
  Candidate unknown = hidden;
  unknown.hostname = "2f4712db-ea17-4bcf-a596-105139dfd8bf.local";
  const auto signalAll = [&] {
    a.agent.addRemoteCandidate(hidden, world.now);
    a.agent.addRemoteCandidate(unknown, world.now);
    a.agent.setRemoteEndOfCandidates(world.now);
  };
  a.agent.setLocalEndOfCandidates(world.now);
  signalAll();
  world.run(Duration::millis(1));
  ASSERT_EQ(a.resolveIds.size(), 2u);
  a.agent.handleResolved({a.resolveIds[0], {*IpAddress::parse("10.0.0.2")}}, world.now);
  a.agent.handleResolved({a.resolveIds[1], {}}, world.now);
  ASSERT_TRUE(world.runUntil([&] { return a.agent.state() == IceConnectionState::Completed; },
                             Duration::seconds(2)));
  a.states.clear();
  signalAll();
  world.run(Duration::seconds(10));
  EXPECT_EQ(a.resolveIds.size(), 2u);
  EXPECT_TRUE(a.states.empty());
  // A new generation is asked anew.
  a.agent.restart(Credentials::generate(a.random), world.now);
  b.agent.restart(Credentials::generate(b.random), world.now);
  a.agent.setRemoteCredentials(b.agent.localCredentials(), false, world.now);
  hidden.ufrag = b.agent.localCredentials().ufrag;
  a.agent.addRemoteCandidate(hidden, world.now);
  world.run(Duration::millis(1));
  EXPECT_EQ(a.resolveIds.size(), 3u);
}

TEST(AgentTest, EveryPrefixOfAnOrderOfCallsMayBeTheLast) {
  for (size_t stop = 0; stop < 8; ++stop) {
    AgentWorld world(19);
    Peer& a = world.add("a");
    Peer& b = world.add("b", controlled());
    b.addHost("10.0.0.2:2000");
    size_t step = 0;
    const auto go = [&] { return step++ < stop; };
    if (go()) a.agent.advance(world.now);
    if (go()) a.agent.addRemoteCandidate(b.candidates[0], world.now);
    if (go()) a.addHost("10.0.0.1:1000");
    if (go()) a.agent.setRemoteCredentials(b.agent.localCredentials(), false, world.now);
    if (go()) a.agent.advance(world.now - Duration::seconds(50));
    if (go()) a.agent.restart(Credentials::generate(a.random), world.now);
    if (go()) a.agent.close(world.now);
    EXPECT_GT(a.agent.nextDeadline(), world.now);
  }
}

}  // namespace
}  // namespace parley::ice
