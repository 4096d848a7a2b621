#include "parley/ice/gatherer.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "unit/ice/gatherer_fixture.h"

namespace parley::ice {
namespace {

using Fixture = GathererFixture;

TEST(GathererTest, HostCandidatesNeedNoServer) {
  Fixture f({});
  f.gatherer.start(f.now);
  EXPECT_EQ(f.effects<WatchInterfaces>().size(), 1u);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1"), ip("2001:db8::1")})}}, f.now);
  f.drainEvents();
  EXPECT_EQ(f.dones, 0);
  f.openAll();
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 2u);
  EXPECT_EQ(f.dones, 1);
  EXPECT_TRUE(f.gatherer.done());
  const Candidate& first = f.candidates[0].candidate;
  const Candidate& second = f.candidates[1].candidate;
  EXPECT_EQ(first.address, at("[2001:db8::1]:5001"));
  EXPECT_EQ(first.type, CandidateType::Host);
  EXPECT_EQ(first.priority, candidatePriority(CandidateType::Host, 65535));
  EXPECT_NE(first.priority, second.priority);
  EXPECT_NE(first.foundation, second.foundation);
  EXPECT_TRUE(f.gatherer.nextDeadline().isNever());
}

TEST(GathererTest, OtherServersAreAskedFromTheNextGenerationOn) {
  Fixture f(withServer("198.51.100.1", "stun:198.51.100.1"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  f.advance(Duration::millis(60));
  for (const TxPacket& packet : f.packets()) EXPECT_EQ(packet.to, at("198.51.100.1:3478"));
  f.gatherer.reconfigure(withServer("198.51.100.2", "stun:198.51.100.2"));
  f.advance(Duration::seconds(1));
  for (const TxPacket& packet : f.packets()) EXPECT_EQ(packet.to, at("198.51.100.1:3478"));
  f.gatherer.restart(f.now);
  f.advance(Duration::millis(60));
  const auto packets = f.packets();
  ASSERT_FALSE(packets.empty());
  for (const TxPacket& packet : packets) EXPECT_EQ(packet.to, at("198.51.100.2:3478"));
  EXPECT_TRUE(f.answer(packets.front(), "203.0.113.7:6000"));
  f.drainEvents();
  EXPECT_EQ(f.candidates.back().candidate.url, "stun:198.51.100.2");
}

TEST(GathererTest, ServersCanBeGivenBeforeTheStart) {
  Fixture f({});
  f.gatherer.reconfigure(withServer("198.51.100.2", "stun:198.51.100.2"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  f.advance(Duration::millis(60));
  const auto packets = f.packets();
  ASSERT_FALSE(packets.empty());
  EXPECT_EQ(packets.front().to, at("198.51.100.2:3478"));
}

TEST(GathererTest, NoInterfaceIsDoneWithNothing) {
  Fixture f(withServer("stun.example", "stun:stun.example"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({}, f.now);
  f.drainEvents();
  EXPECT_EQ(f.dones, 1);
  EXPECT_TRUE(f.candidates.empty());
}

TEST(GathererTest, RelayOnlyPolicyOpensAndAsksNothing) {
  GathererConfig config;
  config.stunServers = {{"192.0.2.9", 3478, "stun:192.0.2.9"}};
  config.hostAndReflexive = false;
  Fixture f(config);
  f.gatherer.start(f.now);
  Effect effect;
  EXPECT_FALSE(f.gatherer.pollEffect(effect));
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  EXPECT_FALSE(f.gatherer.pollEffect(effect));
  f.drainEvents();
  EXPECT_EQ(f.dones, 1);
}

TEST(GathererTest, ServerReflexiveCandidateFromANamedServer) {
  Fixture f(withServer("stun.example", "stun:stun.example"));
  f.gatherer.start(f.now);
  Effect effect;
  ASSERT_TRUE(f.gatherer.pollEffect(effect));
  const Resolve resolve = std::get<Resolve>(effect);
  EXPECT_EQ(resolve.host, "stun.example");
  f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1")})}}, f.now);
  f.openAll();
  f.drainEvents();
  EXPECT_EQ(f.candidates.size(), 1u) << "host candidates wait for no name";
  EXPECT_TRUE(f.gatherer.handleResolved(
      {resolve.id, {ip("2001:db8::9"), ip("198.51.100.9"), ip("198.51.100.10")}}, f.now));
  const auto packets = f.packets();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].to, at("198.51.100.9:3478"));
  EXPECT_FALSE(f.gatherer.done());
  EXPECT_TRUE(f.answer(packets[0], "203.0.113.7:40000"));
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 2u);
  const Candidate& reflexive = f.candidates[1].candidate;
  EXPECT_EQ(reflexive.type, CandidateType::ServerReflexive);
  EXPECT_EQ(reflexive.address, at("203.0.113.7:40000"));
  EXPECT_EQ(reflexive.base, at("10.0.0.1:5001"));
  EXPECT_EQ(reflexive.relatedAddress, at("10.0.0.1:5001"));
  EXPECT_EQ(reflexive.priority, candidatePriority(CandidateType::ServerReflexive, 65535));
  EXPECT_NE(reflexive.foundation, f.candidates[0].candidate.foundation);
  EXPECT_EQ(reflexive.url, "stun:stun.example");
  EXPECT_EQ(f.dones, 1);
}

TEST(GathererTest, NoNatNoReflexiveCandidate) {
  Fixture f(withServer("198.51.100.9", "stun:198.51.100.9"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  EXPECT_TRUE(f.answer(f.packets().at(0), "192.0.2.1:5001", false));
  f.drainEvents();
  EXPECT_EQ(f.candidates.size(), 1u);
  EXPECT_EQ(f.dones, 1);
  EXPECT_TRUE(f.gatherer.nextDeadline().isNever());
}

TEST(GathererTest, SilentServerIsRepeatedReportedAndHoldsUpOnlyTheEnd) {
  Fixture f(withServer("198.51.100.9", "stun:198.51.100.9"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  const Timestamp start = f.now;
  std::vector<int64_t> sent;
  while (!f.gatherer.done()) {
    for (size_t n = f.packets().size(); n > 0; --n) sent.push_back((f.now - start).millis());
    f.advance(f.gatherer.nextDeadline() - f.now);
  }
  f.drainEvents();
  EXPECT_EQ(sent, (std::vector<int64_t>{0, 500, 1500, 2500, 3500, 4500, 5500}));
  EXPECT_EQ(f.now - start, Duration::millis(7500));
  ASSERT_EQ(f.errors.size(), 1u);
  EXPECT_EQ(f.errors[0].code, 701);
  EXPECT_EQ(f.errors[0].url, "stun:198.51.100.9");
  EXPECT_EQ(f.errors[0].local, at("192.0.2.1:5001"));
}

TEST(GathererTest, ErrorAnswersAreReportedAndRedirectionsFollowed) {
  Fixture f(withServer("198.51.100.9", "stun:198.51.100.9"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  for (int i = 0; !f.gatherer.done(); ++i) {
    const auto packets = f.packets();
    if (packets.empty()) {
      f.advance(f.gatherer.nextDeadline() - f.now);
      continue;
    }
    uint8_t out[256];
    auto builder = stun::MessageBuilder::responseTo(*stun::Message::parse(packets[0].data.span()),
                                                    stun::Class::Error, out);
    const std::string other = "198.51.100." + std::to_string(20 + i) + ":3478";
    builder.error(stun::StunError::TryAlternate, "there")
        .address(stun::AttributeType::AlternateServer, at(other.c_str()));
    EXPECT_TRUE(
        f.gatherer.handleDatagram(packets[0].socket, packets[0].to, builder.written(), f.now));
  }
  f.drainEvents();
  ASSERT_EQ(f.errors.size(), 1u) << "three redirections and no more";
  EXPECT_EQ(f.errors[0].code, 300);
  EXPECT_EQ(f.dones, 1);
}

TEST(GathererTest, UnresolvableServerIsReported) {
  Fixture f(withServer("stun.example", "stun:stun.example"));
  f.gatherer.start(f.now);
  const auto resolve = f.effects<Resolve>().at(0);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.gatherer.handleResolved({resolve.id, {}}, f.now);
  f.drainEvents();
  ASSERT_EQ(f.errors.size(), 1u);
  EXPECT_EQ(f.errors[0].code, 701);
}

TEST(GathererTest, ForeignAndForgedDatagramsAreNotConsumed) {
  Fixture f(withServer("198.51.100.9", "stun:198.51.100.9"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  auto packets = f.packets();
  packets[0].to = at("198.51.100.66:3478");
  EXPECT_FALSE(f.answer(packets[0], "203.0.113.7:40000")) << "wrong source";
  packets[0].to = at("198.51.100.9:3478");
  packets[0].data.mutableSpan()[10] ^= 1;
  EXPECT_FALSE(f.answer(packets[0], "203.0.113.7:40000")) << "wrong transaction";
  EXPECT_FALSE(f.gatherer.handleDatagram(packets[0].socket, packets[0].to, asBytes("x"), f.now));
  f.drainEvents();
  EXPECT_EQ(f.candidates.size(), 1u);
}

TEST(GathererTest, SharedSocketsAreUsedAsTheyAre) {
  GathererConfig config;
  config.sockets = {{SocketId(77), at("192.0.2.1:9000")}};
  config.stunServers = {{"198.51.100.9", 3478, ""}};
  Fixture f(config);
  f.gatherer.start(f.now);
  Effect effect;
  EXPECT_FALSE(f.gatherer.pollEffect(effect));
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 1u);
  EXPECT_EQ(f.candidates[0].socket, SocketId(77));
  EXPECT_EQ(f.candidates[0].candidate.address, at("192.0.2.1:9000"));
  EXPECT_EQ(f.packets().at(0).socket, SocketId(77));
  f.gatherer.close(f.now);
  EXPECT_FALSE(f.gatherer.pollEffect(effect)) << "not its to close";
}

TEST(GathererTest, PortsComeFromTheRangeAndTakenOnesArePassedOver) {
  GathererConfig config;
  config.minPort = 6000;
  config.maxPort = 6009;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  std::set<uint16_t> asked;
  for (int i = 0; i < 9; ++i) {
    const auto opens = f.effects<OpenUdp>();
    ASSERT_EQ(opens.size(), 1u) << i;
    EXPECT_GE(opens[0].local.port, 6000);
    EXPECT_LE(opens[0].local.port, 6009);
    EXPECT_TRUE(asked.insert(opens[0].local.port).second) << "asked for twice";
    f.gatherer.handleSocketFailed({opens[0].socket, SocketFailure::AddressInUse}, f.now);
  }
  const auto last = f.effects<OpenUdp>();
  ASSERT_EQ(last.size(), 1u);
  f.gatherer.handleSocketOpened({last[0].socket, last[0].local}, f.now);
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 1u);
  EXPECT_EQ(f.candidates[0].candidate.address, last[0].local);
  EXPECT_EQ(f.dones, 1);
}

TEST(GathererTest, RangeOfTakenPortsEndsWithoutCandidate) {
  GathererConfig config;
  config.minPort = 6000;
  config.maxPort = 6002;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  size_t tries = 0;
  for (auto opens = f.effects<OpenUdp>(); !opens.empty(); opens = f.effects<OpenUdp>(), ++tries)
    f.gatherer.handleSocketFailed({opens[0].socket, SocketFailure::AddressInUse}, f.now);
  f.drainEvents();
  EXPECT_EQ(tries, 3u);
  EXPECT_TRUE(f.candidates.empty());
  EXPECT_EQ(f.dones, 1);
}

TEST(GathererTest, FailedSocketsAreLeftOut) {
  Fixture f({});
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1"), ip("192.0.2.2")})}}, f.now);
  const auto opens = f.effects<OpenUdp>();
  ASSERT_EQ(opens.size(), 2u);
  EXPECT_TRUE(f.gatherer.handleSocketFailed({opens[0].socket, SocketFailure::Denied}, f.now));
  EXPECT_TRUE(f.gatherer.handleSocketOpened({opens[1].socket, at("192.0.2.2:1")}, f.now));
  EXPECT_FALSE(f.gatherer.handleSocketOpened({SocketId(999), at("192.0.2.2:1")}, f.now));
  f.drainEvents();
  EXPECT_EQ(f.candidates.size(), 1u);
  EXPECT_EQ(f.dones, 1);
}

TEST(GathererTest, NetworkChangeGathersAnew) {
  Fixture f({});
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  f.drainEvents();
  const SocketId old = f.candidates[0].socket;
  f.gatherer.handleInterfaces({{interface("wlan0", {ip("198.51.100.1")})}}, f.now);
  EXPECT_FALSE(f.gatherer.done());
  f.openAll();
  f.drainEvents();
  EXPECT_EQ(f.sockets, std::vector<SocketId>{old});
  EXPECT_EQ(f.candidates.size(), 2u);
  EXPECT_EQ(f.dones, 2);
  f.gatherer.handleInterfaces({{interface("wlan0", {ip("198.51.100.1")})}}, f.now);
  f.drainEvents();
  EXPECT_EQ(f.dones, 2) << "nothing changed";
}

TEST(GathererTest, BindingsAreKeptAliveUntilStopped) {
  Fixture f(withServer("198.51.100.9", ""));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1")})}}, f.now);
  f.openAll();
  f.answer(f.packets().at(0), "203.0.113.7:40000");
  f.advance(Duration::seconds(15));
  auto packets = f.packets();
  ASSERT_EQ(packets.size(), 1u);
  f.answer(packets[0], "203.0.113.7:40001");
  f.drainEvents();
  EXPECT_EQ(f.candidates.size(), 3u) << "a rebound NAT shows a new candidate";
  f.gatherer.stopKeepalives();
  EXPECT_TRUE(f.gatherer.nextDeadline().isNever());
}

TEST(GathererTest, RestartTellsHostsAgainAndAsksServersAnew) {
  Fixture f(withServer("198.51.100.9", "stun:198.51.100.9"));
  f.gatherer.restart(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1")})}}, f.now);
  f.openAll();
  f.answer(f.packets().at(0), "203.0.113.7:40000");
  f.drainEvents();
  f.gatherer.stopKeepalives();
  ASSERT_EQ(f.candidates.size(), 2u);
  f.candidates.clear();
  f.gatherer.restart(f.now);
  EXPECT_FALSE(f.gatherer.done());
  EXPECT_TRUE(f.effects<OpenUdp>().empty()) << "the sockets stay";
  f.advance(Duration::millis(50));
  f.answer(f.packets().at(0), "203.0.113.8:50000");
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 2u);
  EXPECT_EQ(f.candidates[0].candidate.type, CandidateType::Host);
  EXPECT_EQ(f.candidates[1].candidate.address, at("203.0.113.8:50000"));
  EXPECT_EQ(f.dones, 2);
  f.advance(Duration::seconds(15));
  EXPECT_EQ(f.packets().size(), 1u) << "its binding is kept alive again";
}

TEST(GathererTest, UnansweredEffectsDoNotHoldUpTheEndForEver) {
  for (const bool interfaces : {false, true}) {
    Fixture f(withServer("stun.example", "stun:stun.example"));
    f.gatherer.start(f.now);
    if (interfaces) f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1")})}}, f.now);
    for (int i = 0; i < 10 && !f.gatherer.done(); ++i) {
      ASSERT_FALSE(f.gatherer.nextDeadline().isNever());
      f.advance(f.gatherer.nextDeadline() - f.now);
    }
    EXPECT_TRUE(f.gatherer.done());
    EXPECT_LE(f.now, Timestamp::seconds(1) + Duration::seconds(15));
    f.drainEvents();
    ASSERT_EQ(f.errors.size(), 1u);
    EXPECT_EQ(f.errors[0].code, 701);
    EXPECT_TRUE(f.candidates.empty());
  }
}

TEST(GathererTest, CloseClosesItsSockets) {
  Fixture f(withServer("198.51.100.9", ""));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1")})}}, f.now);
  f.openAll();
  f.gatherer.close(f.now);
  EXPECT_EQ(f.effects<CloseSocket>().size(), 1u);
  EXPECT_TRUE(f.packets().empty());
  EXPECT_TRUE(f.gatherer.nextDeadline().isNever());
  f.gatherer.advance(f.now);
}

TEST(GathererTest, TcpCandidatesAreThoseAskedFor) {
  GathererConfig config;
  config.tcpActive = config.tcpPassive = config.tcpSimultaneousOpen = true;
  config.minPort = 6000;
  config.maxPort = 6003;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  std::vector<ListenTcp> listens;
  Effect effect;
  while (f.gatherer.pollEffect(effect)) {
    if (const auto* udp = std::get_if<OpenUdp>(&effect))
      f.gatherer.handleSocketOpened({udp->socket, udp->local}, f.now);
    if (const auto* listen = std::get_if<ListenTcp>(&effect)) listens.push_back(*listen);
  }
  ASSERT_EQ(listens.size(), 2u);
  EXPECT_TRUE(listens[0].mayShare && !listens[0].mayConnect);
  EXPECT_TRUE(!listens[1].mayShare && listens[1].mayConnect);
  EXPECT_FALSE(f.gatherer.done()) << "it waits for the listeners";
  // A port that is taken is passed over.
  f.gatherer.handleSocketFailed({listens[0].socket, SocketFailure::AddressInUse}, f.now);
  const auto again = f.effects<ListenTcp>();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_NE(again[0].local.port, listens[0].local.port);
  EXPECT_GE(again[0].local.port, 6000);
  EXPECT_LE(again[0].local.port, 6003);
  f.gatherer.handleSocketOpened({again[0].socket, again[0].local}, f.now);
  f.gatherer.handleSocketOpened({listens[1].socket, listens[1].local}, f.now);
  f.drainEvents();
  EXPECT_EQ(f.dones, 1);
  ASSERT_EQ(f.candidates.size(), 4u);
  uint32_t udp = 0;
  uint32_t lowest = ~0u;
  for (const CandidateGathered& gathered : f.candidates) {
    const Candidate& candidate = gathered.candidate;
    if (candidate.protocol == Protocol::Udp) {
      udp = candidate.priority;
      continue;
    }
    EXPECT_EQ(candidate.foundation, "t1");
    EXPECT_EQ(candidate.address.port == kActivePort, candidate.tcpType == TcpType::Active);
    EXPECT_TRUE(f.gatherer.isIndirect(gathered.socket));
    lowest = std::min(lowest, candidate.priority);
    // RFC 6544 section 4.2: active before passive before simultaneous-open, for host candidates.
    EXPECT_EQ(candidate.priority >> 21 & 7, 6u - 2 * static_cast<uint32_t>(*candidate.tcpType));
  }
  EXPECT_GT(udp, lowest);
  // After a restart active candidates have another socket.
  f.candidates.clear();
  f.gatherer.restart(f.now);
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 4u);
  // The address goes, and its sockets with it.
  f.gatherer.handleInterfaces({}, f.now);
  f.drainEvents();
  EXPECT_EQ(f.sockets.size(), 4u);
  EXPECT_EQ(f.effects<CloseSocket>().size(), 3u);
}

TEST(GathererTest, AListenerThatNobodyOpensIsGivenUp) {
  GathererConfig config;
  config.tcpPassive = true;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  f.openAll();
  f.advance(Duration::seconds(11));
  f.drainEvents();
  EXPECT_EQ(f.dones, 1);
  EXPECT_EQ(f.candidates.size(), 1u);
}

}  // namespace
}  // namespace parley::ice
