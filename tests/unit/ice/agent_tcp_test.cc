// TCP candidates in the agent (RFC 6544): what is paired with what, what the checks discover, and
// what becomes of pairs whose connection breaks.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/ice/agent.h"
#include "parley/stun/integrity.h"
#include "parley/stun/message.h"

namespace parley::ice {
namespace {

SocketAddress at(const char* text) {
  return *SocketAddress::parse(text);
}

/// An agent whose packets the test carries.
struct End {
  End(uint64_t seed, AgentConfig config) : random(seed), agent(env, config) {}

  Candidate candidate(TcpType type, const SocketAddress& address) const {
    Candidate out;
    out.protocol = Protocol::Tcp;
    out.tcpType = type;
    out.address = address;
    out.foundation = "t1";
    out.priority = candidatePriority(
        CandidateType::Host, tcpLocalPreference(CandidateType::Host, type, 8191), 1, Protocol::Tcp);
    return out;
  }
  Candidate addLocal(TcpType type, const char* address, uint32_t socket, Timestamp now) {
    const Candidate out = candidate(type, at(address));
    agent.addLocalCandidate(out, SocketId(socket), now);
    return out;
  }
  std::vector<TxPacket> packets() {
    std::vector<TxPacket> out;
    TxPacket packet;
    while (agent.pollTransmit(packet)) out.push_back(std::move(packet));
    return out;
  }

  SeededRandom random;
  PacketPool pool;
  Environment env{random, pool};
  Agent agent;
};

/// `active` connects to `passive` from 10.0.0.1:50000 on; the port changes with each connection.
class AgentTcpTest : public ::testing::Test {
 protected:
  void introduce() {
    active.agent.setRemoteCredentials(passive.agent.localCredentials(), false, now);
    passive.agent.setRemoteCredentials(active.agent.localCredentials(), false, now);
  }
  void addCandidates() {
    const Candidate connecting = active.addLocal(TcpType::Active, "10.0.0.1:9", 1, now);
    const Candidate listening = passive.addLocal(TcpType::Passive, "10.0.0.2:4000", 2, now);
    active.agent.addRemoteCandidate(listening, now);
    passive.agent.addRemoteCandidate(connecting, now);
  }
  void carry() {
    const SocketAddress source = {at("10.0.0.1:9").ip, port};
    for (TxPacket& packet : active.packets()) {
      if (!connected || packet.to != at("10.0.0.2:4000")) continue;
      passive.agent.handleStun(SocketId(2), source, at("10.0.0.2:4000"), packet.data.span(), now);
    }
    for (TxPacket& packet : passive.packets()) {
      if (!connected || packet.to != source) continue;
      active.agent.handleStun(SocketId(1), at("10.0.0.2:4000"), source, packet.data.span(), now);
    }
  }
  void run(Duration time) {
    const Timestamp end = now + time;
    while (now < end) {
      carry();
      now += Duration::millis(10);
      active.agent.advance(now);
      passive.agent.advance(now);
    }
  }
  void breakConnection() {
    active.agent.handleConnectionLost(SocketId(1), at("10.0.0.2:4000"), now);
    passive.agent.handleConnectionLost(SocketId(2), {at("10.0.0.1:9").ip, port}, now);
  }

  Timestamp now = Timestamp::seconds(100);
  End active{1, {.role = Role::Controlling}};
  End passive{2, {.role = Role::Controlled}};
  uint16_t port = 50000;
  bool connected = true;
};

TEST_F(AgentTcpTest, OnlyWhatCanConnectIsPaired) {
  introduce();
  const char* locals[] = {"10.0.0.1:9", "10.0.0.1:4001", "10.0.0.1:4002"};
  const char* remotes[] = {"10.0.0.2:9", "10.0.0.2:4001", "10.0.0.2:4002"};
  const TcpType types[] = {TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen};
  for (uint32_t i = 0; i < 3; ++i) {
    active.addLocal(types[i], locals[i], i + 1, now);
    active.agent.addRemoteCandidate(active.candidate(types[i], at(remotes[i])), now);
  }
  Candidate udp;
  udp.address = at("10.0.0.2:4001");
  udp.priority = 1;
  udp.foundation = "u";
  active.agent.addRemoteCandidate(udp, now);
  EXPECT_EQ(active.agent.remoteCandidates().size(), 4u) << "one address, two protocols";
  std::vector<std::string> pairs;
  for (const PairStats& pair : active.agent.pairStats())
    pairs.push_back(std::string(toString(*pair.local.tcpType)) + "-" +
                    toString(*pair.remote.tcpType));
  std::sort(pairs.begin(), pairs.end());
  EXPECT_EQ(pairs, (std::vector<std::string>{"active-passive", "so-so"}));
}

TEST_F(AgentTcpTest, ConnectsAndTheListenerLearnsWhereTheOtherIs) {
  introduce();
  addCandidates();
  EXPECT_TRUE(passive.agent.pairStats().empty());
  EXPECT_TRUE(passive.packets().empty()) << "a passive candidate waits";
  active.agent.setLocalEndOfCandidates(now);
  passive.agent.setLocalEndOfCandidates(now);
  active.agent.setRemoteEndOfCandidates(now);
  passive.agent.setRemoteEndOfCandidates(now);
  run(Duration::seconds(1));
  ASSERT_TRUE(active.agent.selectedPair());
  ASSERT_TRUE(passive.agent.selectedPair());
  EXPECT_EQ(active.agent.state(), IceConnectionState::Completed);
  EXPECT_EQ(passive.agent.state(), IceConnectionState::Completed);
  // The port of an active candidate says nothing, so this is the candidate itself.
  EXPECT_EQ(active.agent.selectedPair()->local.type, CandidateType::Host);
  EXPECT_EQ(active.agent.selectedPair()->local.address, at("10.0.0.1:9"));
  const Candidate learnt = passive.agent.selectedPair()->remote;
  EXPECT_EQ(learnt.type, CandidateType::PeerReflexive);
  EXPECT_EQ(learnt.protocol, Protocol::Tcp);
  EXPECT_EQ(learnt.tcpType, TcpType::Active);
  EXPECT_EQ(learnt.address, at("10.0.0.1:50000"));
  EXPECT_EQ(learnt.priority >> 24, typePreference(CandidateType::PeerReflexive, Protocol::Tcp));
}

TEST_F(AgentTcpTest, ALiteListenerIsConnectedTo) {
  End lite(3, {.role = Role::Controlled, .lite = true});
  active.agent.setRemoteCredentials(lite.agent.localCredentials(), true, now);
  lite.agent.setRemoteCredentials(active.agent.localCredentials(), false, now);
  active.addLocal(TcpType::Active, "10.0.0.1:9", 1, now);
  active.agent.addRemoteCandidate(lite.addLocal(TcpType::Passive, "10.0.0.2:4000", 2, now), now);
  const SocketAddress source = at("10.0.0.1:50000");
  for (int i = 0; i < 50; ++i) {
    for (TxPacket& packet : active.packets())
      lite.agent.handleStun(SocketId(2), source, at("10.0.0.2:4000"), packet.data.span(), now);
    for (TxPacket& packet : lite.packets())
      active.agent.handleStun(SocketId(1), at("10.0.0.2:4000"), source, packet.data.span(), now);
    now += Duration::millis(20);
    active.agent.advance(now);
    lite.agent.advance(now);
  }
  EXPECT_TRUE(active.agent.selectedPair());
  EXPECT_TRUE(lite.agent.selectedPair());
}

TEST_F(AgentTcpTest, BehindANatTheMappedAddressIsACandidateOfItsOwn) {
  introduce();
  addCandidates();
  const SocketAddress outside = at("203.0.113.1:6000");
  for (int i = 0; i < 20; ++i) {
    for (TxPacket& packet : active.packets())
      passive.agent.handleStun(SocketId(2), outside, at("10.0.0.2:4000"), packet.data.span(), now);
    for (TxPacket& packet : passive.packets())
      active.agent.handleStun(SocketId(1), at("10.0.0.2:4000"), at("10.0.0.1:50000"),
                              packet.data.span(), now);
    now += Duration::millis(20);
    active.agent.advance(now);
    passive.agent.advance(now);
  }
  ASSERT_TRUE(active.agent.selectedPair());
  const Candidate local = active.agent.selectedPair()->local;
  EXPECT_EQ(local.type, CandidateType::PeerReflexive);
  EXPECT_EQ(local.address, outside);
  EXPECT_EQ(local.protocol, Protocol::Tcp);
  EXPECT_EQ(local.tcpType, TcpType::Active);
}

TEST_F(AgentTcpTest, ABrokenConnectionIsMadeAgainFromAnotherPort) {
  introduce();
  addCandidates();
  run(Duration::seconds(1));
  const size_t known = passive.agent.remoteCandidates().size();
  for (int i = 0; i < 40; ++i) {
    breakConnection();
    EXPECT_FALSE(active.agent.sendPath());
    EXPECT_FALSE(passive.agent.sendPath());
    EXPECT_EQ(active.agent.state(), IceConnectionState::Disconnected);
    EXPECT_FALSE(passive.agent.isValidSource(SocketId(2), {at("10.0.0.1:9").ip, port}));
    ++port;
    run(Duration::seconds(1));
    ASSERT_TRUE(active.agent.sendPath()) << i;
    ASSERT_TRUE(passive.agent.sendPath()) << i;
    EXPECT_TRUE(active.agent.selectedPair()->nominated);
    EXPECT_TRUE(passive.agent.selectedPair()->nominated);
    EXPECT_EQ(passive.agent.remoteCandidates().size(), known) << "the dead ones are forgotten";
  }
}

TEST_F(AgentTcpTest, AConnectionThatCannotBeMadeFailsItsPair) {
  introduce();
  addCandidates();
  connected = false;
  run(Duration::millis(50));
  active.agent.handleConnectionLost(SocketId(1), at("10.0.0.2:4000"), now);
  ASSERT_EQ(active.agent.pairStats().size(), 1u);
  EXPECT_EQ(active.agent.pairStats()[0].state, PairState::Failed);
  run(Duration::seconds(60));
  EXPECT_EQ(active.agent.state(), IceConnectionState::Failed);
  breakConnection();  // of no interest any more
}

TEST_F(AgentTcpTest, ARestartKeepsThePathOnItsConnectionAndChecksOnANewOne) {
  introduce();
  addCandidates();
  run(Duration::seconds(1));
  active.agent.restart(Credentials::generate(active.random), now);
  passive.agent.restart(Credentials::generate(passive.random), now);
  ASSERT_TRUE(active.agent.sendPath());
  EXPECT_TRUE(active.agent.usesFormerPath());
  EXPECT_TRUE(active.agent.localCandidates().empty()) << "told again, with another socket";
  // Consent on the old connection goes on.
  run(Duration::seconds(40));
  EXPECT_TRUE(active.agent.sendPath());
  EXPECT_TRUE(passive.agent.sendPath());

  introduce();
  active.agent.addRemoteCandidate(passive.candidate(TcpType::Passive, at("10.0.0.2:4000")), now);
  active.addLocal(TcpType::Active, "10.0.0.1:9", 7, now);
  bool checked = false;
  for (TxPacket& packet : active.packets()) checked = checked || packet.socket == SocketId(7);
  EXPECT_TRUE(checked);
}

TEST_F(AgentTcpTest, ARestartTakenBackBringsTheCandidatesBack) {
  introduce();
  addCandidates();
  run(Duration::seconds(1));
  active.agent.restart(Credentials::generate(active.random), now);
  EXPECT_TRUE(active.agent.rollbackRestart(now));
  EXPECT_EQ(active.agent.localCandidates().size(), 1u);
  run(Duration::seconds(40));
  EXPECT_TRUE(active.agent.sendPath());
  EXPECT_TRUE(passive.agent.sendPath());
}

TEST(AgentTcpCandidates, PortsOfOtherServicesAreNotConnectedTo) {
  struct Row {
    uint16_t port;
    bool denyPrivate;
    bool accepted;
  };
  for (const Row& row : {Row{22, false, false}, Row{25, false, false}, Row{80, false, true},
                         Row{443, false, true}, Row{1023, false, false}, Row{1024, false, true},
                         Row{443, true, false}, Row{8443, true, true}}) {
    End end(1, {.role = Role::Controlling, .denyPrivateRemotes = row.denyPrivate});
    const Timestamp now = Timestamp::seconds(1);
    end.agent.setRemoteCredentials({"peer", "peerpasswordpeerpassword"}, false, now);
    end.agent.addRemoteCandidate(
        end.candidate(TcpType::Passive, {IpAddress::v4(198, 51, 100, 1), row.port}), now);
    EXPECT_EQ(end.agent.remoteCandidates().size(), row.accepted ? 1u : 0u) << row.port;
  }
}

TEST(AgentTcpCandidates, TypeAndProtocolGoTogether) {
  End end(1, {.role = Role::Controlling});
  const Timestamp now = Timestamp::seconds(1);
  end.agent.setRemoteCredentials({"peer", "peerpasswordpeerpassword"}, false, now);
  Candidate odd = end.candidate(TcpType::Passive, at("10.0.0.2:4000"));
  odd.protocol = Protocol::Udp;
  end.agent.addRemoteCandidate(odd, now);
  odd.protocol = Protocol::Tcp;
  odd.tcpType.reset();
  end.agent.addRemoteCandidate(odd, now);
  EXPECT_TRUE(end.agent.remoteCandidates().empty());
  EXPECT_EQ(end.agent.counters().candidatesIgnored, 2u);
}

}  // namespace
}  // namespace parley::ice
