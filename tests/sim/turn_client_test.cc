// The TURN client against our own server, on the simulated network.

#include <gtest/gtest.h>

#include "parley/stun/channel_data.h"
#include "parley/stun/message.h"

#include "sim/support/turn_world.h"

namespace parley::turn {
namespace {

class TurnTransportSim : public ::testing::TestWithParam<Transport> {};

TEST_P(TurnTransportSim, AllocatesAndRelaysBothWays) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient(GetParam());
  ASSERT_TRUE(w.runUntil([&] { return !c.allocated.empty(); })) << c.failures[0].text;
  ASSERT_EQ(c.allocated[0].relayed.size(), 1u);
  EXPECT_EQ(c.allocated[0].relayed[0].ip, ip("198.51.100.1"));
  EXPECT_EQ(c.allocated[0].mapped.ip, *w.clientHost.address());
  EXPECT_EQ(w.server->allocationCount(), 1u);

  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(c.send(w.peerAddress(), "data " + std::to_string(i), w.world.now()));
    w.run(Duration::millis(100));
  }
  ASSERT_EQ(w.peer.arrived.size(), 5u);
  EXPECT_EQ(w.peer.arrived[0].from, c.allocated[0].relayed[0]);
  EXPECT_EQ(w.peer.arrived[4].text, "data 4");
  ASSERT_EQ(c.got.size(), 5u);
  EXPECT_EQ(c.got[4], "data 4");
  EXPECT_EQ(c.from[0], w.peerAddress());
}

TEST_P(TurnTransportSim, LivesForHoursAndLetsGoPolitely) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient(GetParam());
  w.run(Duration::seconds(1));
  for (int i = 0; i < 120; ++i) {
    c.send(w.peerAddress(), "tick", w.world.now());
    w.run(Duration::seconds(60));
  }
  EXPECT_EQ(c.got.size(), 120u);
  EXPECT_TRUE(c.client.isAllocated());
  EXPECT_EQ(w.server->counters().allocationsMade, 1u);
  EXPECT_EQ(w.server->counters().droppedNoPermission, 0u);
  c.client.close(w.world.now());
  w.run(Duration::seconds(2));
  EXPECT_EQ(c.closings, 1);
  EXPECT_EQ(w.server->allocationCount(), 0u);
  EXPECT_TRUE(c.client.nextDeadline().isNever());
}

INSTANTIATE_TEST_SUITE_P(Transports, TurnTransportSim,
                         ::testing::Values(Transport::Udp, Transport::Tcp, Transport::Tls),
                         [](const auto& param) { return std::string(toString(param.param)); });

TEST(TurnClientSim, ChannelDataOnceDataFlows) {
  TurnWorld w;
  w.startServer();
  size_t channelData = 0;
  size_t sendIndications = 0;
  w.world.onDatagram([&](const sim::DatagramEvent& event) {
    const ByteSpan bytes = event.packet.data.span();
    if (stun::ChannelData::looksLikeChannelData(bytes)) ++channelData;
    const auto message = stun::Message::parse(bytes);
    if (message && message->method() == stun::Method::Send) ++sendIndications;
  });
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  // A check is STUN: no channel for that.
  const std::string check("\0\1 a check", 10);
  c.send(w.peerAddress(), check, w.world.now());
  w.run(Duration::seconds(1));
  EXPECT_EQ(channelData, 0u);
  EXPECT_EQ(sendIndications, 1u);
  c.send(w.peerAddress(), "media", w.world.now());
  w.run(Duration::seconds(1));
  EXPECT_EQ(sendIndications, 2u);
  EXPECT_EQ(channelData, 1u);  // what the peer echoed came on the channel already
  for (int i = 0; i < 10; ++i) c.send(w.peerAddress(), "media", w.world.now());
  w.run(Duration::seconds(1));
  EXPECT_EQ(sendIndications, 2u);
  EXPECT_EQ(channelData, 21u);
  EXPECT_EQ(c.got.size(), 12u);
}

TEST(TurnClientSim, OneRoundTripForThePermissionThenData) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  const Timestamp start = w.world.now();
  c.send(w.peerAddress(), "first", start);
  EXPECT_TRUE(w.runUntil([&] { return !w.peer.arrived.empty(); }));
  EXPECT_LE(w.world.now() - start, Duration::millis(16));
  // Asked ahead of time, data needs no round trip.
  c.client.permit(ip("198.51.100.9"), w.world.now());
  w.run(Duration::seconds(1));
  EXPECT_EQ(c.client.counters().dataDropped, 0u);
}

TEST(TurnClientSim, BothFamiliesFromOneServer) {
  TurnWorld w;
  w.startServer();
  ClientConfig config = w.clientConfig(Transport::Udp);
  config.families = RelayFamilies::Both;
  ClientNode& c = w.addClient(config);
  w.run(Duration::seconds(1));
  ASSERT_EQ(c.allocated.size(), 1u);
  ASSERT_EQ(c.allocated[0].relayed.size(), 2u);
  EXPECT_TRUE(c.allocated[0].relayed[1].ip.isV6());
  c.send(w.peerAddressV6(), "over IPv6", w.world.now());
  c.send(w.peerAddress(), "over IPv4", w.world.now());
  w.run(Duration::seconds(1));
  EXPECT_EQ(c.got.size(), 2u);
}

TEST(TurnClientSim, BothFamiliesFromAServerWithOne) {
  TurnWorld w;
  w.config.relays.pop_back();
  w.startServer();
  ClientConfig config = w.clientConfig(Transport::Udp);
  config.families = RelayFamilies::Both;
  ClientNode& both = w.addClient(config);
  config.families = RelayFamilies::V6;
  ClientNode& v6 = w.addClient(config);
  w.run(Duration::seconds(1));
  ASSERT_EQ(both.allocated.size(), 1u);
  EXPECT_EQ(both.allocated[0].relayed.size(), 1u);
  ASSERT_EQ(v6.failures.size(), 1u);
  EXPECT_EQ(v6.failures[0].code, 440);
}

TEST(TurnClientSim, WrongPasswordIsToldOnceAndForAll) {
  TurnWorld w;
  w.startServer();
  ClientConfig config = w.clientConfig(Transport::Udp);
  config.password = "looking-glass";
  ClientNode& c = w.addClient(config);
  w.run(Duration::seconds(5));
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_EQ(c.failures[0].code, 401);
  EXPECT_FALSE(c.failures[0].wasAllocated);
  EXPECT_LE(c.client.counters().requestsSent, 3u);
  EXPECT_EQ(w.server->counters().unauthentic, 1u);
  EXPECT_TRUE(c.client.isDone());
}

TEST(TurnClientSim, TimeLimitedCredentials) {
  TurnWorld w;
  w.config.users.clear();
  w.config.secrets = {"new secret", "north"};
  w.startServer();
  const int64_t now = w.world.wallClock().unixNanosAt(w.world.now()) / 1'000'000'000;
  ClientConfig config = w.clientConfig(Transport::Udp);
  const Credentials good = timeLimitedCredentials("north", "alice", now + 60);
  config.username = good.username;
  config.password = good.password;
  ClientNode& c = w.addClient(config);
  const Credentials old = timeLimitedCredentials("north", "alice", now - 1);
  config.username = old.username;
  config.password = old.password;
  ClientNode& late = w.addClient(config);
  w.run(Duration::seconds(2));
  EXPECT_TRUE(c.client.isAllocated());
  ASSERT_EQ(late.failures.size(), 1u);
  EXPECT_EQ(late.failures[0].code, 401);
  // What stands goes on standing after the credentials ran out.
  w.run(Duration::seconds(3600));
  EXPECT_TRUE(c.client.isAllocated());
}

TEST(TurnClientSim, Sha256WhereTheServerOffersIt) {
  for (const bool offered : {false, true}) {
    TurnWorld w;
    w.config.sha256 = offered;
    w.startServer();
    bool sawSha256 = false;
    bool sawSha1 = false;
    w.world.onDatagram([&](const sim::DatagramEvent& event) {
      const auto message = stun::Message::parse(event.packet.data.span());
      sawSha256 |= message && message->hasMessageIntegritySha256();
      sawSha1 |= message && message->hasMessageIntegrity();
    });
    ClientNode& c = w.addClient();
    w.run(Duration::seconds(2));
    EXPECT_TRUE(c.client.isAllocated());
    EXPECT_EQ(sawSha256, offered);
    EXPECT_EQ(sawSha1, !offered);
  }
}

TEST(TurnClientSim, StaleNoncesAreReplacedInTheMiddleOfACall) {
  TurnWorld w;
  w.config.nonceLifetime = Duration::seconds(60);
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  for (int i = 0; i < 60; ++i) {
    c.send(w.peerAddress(), "tick", w.world.now());
    w.run(Duration::seconds(60));
  }
  EXPECT_TRUE(c.client.isAllocated());
  EXPECT_EQ(c.got.size(), 60u);
  EXPECT_GT(w.server->counters().challenges, 5u);
}

TEST(TurnClientSim, ServerRestartLosesTheAllocation) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  w.stopServer();
  w.startServer();
  w.run(Duration::seconds(600));
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_EQ(c.failures[0].code, 437);
  EXPECT_TRUE(c.failures[0].wasAllocated);
}

TEST(TurnClientSim, DeadServerIsNoticedAtTheNextRefresh) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient();
  ClientNode& tcp = w.addClient(Transport::Tcp);
  w.run(Duration::seconds(1));
  w.stopServer();
  w.run(Duration::seconds(600));
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_EQ(c.failures[0].code, 701);
  EXPECT_TRUE(c.failures[0].wasAllocated);
  EXPECT_EQ(tcp.failures.size(), 1u);
}

TEST(TurnClientSim, RefusalsCarryTheServersCode) {
  TurnWorld w;
  w.config.maxAllocationsPerUser = 1;
  w.config.maxAllocations = 2;
  w.config.users.push_back({"bob", "b"});
  w.config.users.push_back({"carol", "c"});
  w.startServer();
  w.addClient();
  w.run(Duration::seconds(1));
  ClientNode& second = w.addClient();
  ClientConfig bob = w.clientConfig(Transport::Udp);
  bob.username = "bob";
  bob.password = "b";
  ClientNode& other = w.addClient(bob);
  w.run(Duration::seconds(1));
  ClientConfig carol = bob;
  carol.username = "carol";
  carol.password = "c";
  ClientNode& third = w.addClient(carol);
  w.run(Duration::seconds(1));
  ASSERT_EQ(second.failures.size(), 1u);
  EXPECT_EQ(second.failures[0].code, 486);
  EXPECT_TRUE(other.client.isAllocated());
  ASSERT_EQ(third.failures.size(), 1u);
  EXPECT_EQ(third.failures[0].code, 508);
}

TEST(TurnClientSim, UnreachableServersAre701) {
  TurnWorld w;  // no server
  ClientNode& udp = w.addClient(Transport::Udp);
  ClientNode& tcp = w.addClient(Transport::Tcp);
  ClientNode& tls = w.addClient(Transport::Tls);
  const Timestamp start = w.world.now();
  EXPECT_TRUE(w.runUntil([&] { return udp.client.isDone(); }));
  EXPECT_LE(w.world.now() - start, Duration::seconds(12));
  EXPECT_EQ(udp.failures.at(0).code, 701);
  EXPECT_EQ(tcp.failures.at(0).code, 701);
  EXPECT_EQ(tls.failures.at(0).code, 701);
  EXPECT_EQ(tcp.failures.at(0).text, "connection refused");
}

TEST(TurnClientSim, CertificateForAnotherNameIsRefused) {
  TurnWorld w;
  w.startServer();
  ClientConfig config = w.clientConfig(Transport::Tls);
  config.host = "other.example";
  ClientNode& c = w.addClient(config);
  config.host = "198.51.100.1";  // in the certificate as an address
  ClientNode& literal = w.addClient(config);
  w.run(Duration::seconds(2));
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_EQ(c.failures[0].code, 701);
  EXPECT_TRUE(c.failures[0].text.starts_with("TLS: certificate:")) << c.failures[0].text;
  EXPECT_TRUE(literal.client.isAllocated());
}

TEST(TurnClientSim, FollowsARedirectionWithItsCredentials) {
  TurnWorld w;
  w.startServer();
  // A second server that sends everybody to the first one.
  sim::Host& otherHost = w.world.addHost("other", w.net);
  ServerConfig redirecting = w.config;
  redirecting.alternateServer = at("198.51.100.1:3478");
  SeededRandom random(3);
  PacketPool pool;
  Environment env{random, pool, nullLog(), w.world.wallClock()};
  Server other(env, redirecting);
  other.start(w.world.now());
  sim::Node& node = w.world.addNode(otherHost, other);
  ClientConfig config = w.clientConfig(Transport::Udp);
  config.connectTo = {*otherHost.address(), 3478};
  ClientNode& c = w.addClient(config);
  w.run(Duration::seconds(2));
  ASSERT_EQ(c.allocated.size(), 1u);
  EXPECT_EQ(c.allocated[0].server, at("198.51.100.1:3478"));
  w.world.removeNode(node);
}

TEST(TurnClientSim, RedirectionsInACircleEnd) {
  TurnWorld w;
  w.config.alternateServer = at("198.51.100.1:3478");
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(2));
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_EQ(c.failures[0].code, 300);
}

TEST(TurnClientSim, ForbiddenPeerDoesNotSpoilTheOthers) {
  TurnWorld w;
  w.config.deniedPeers = {*AddressRange::parse("203.0.113.0/24")};
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  c.client.permit(ip("198.51.100.77"), w.world.now());
  c.client.permit(ip("203.0.113.5"), w.world.now());
  c.send(at("203.0.113.5:9"), "no", w.world.now());
  c.send(w.peerAddress(), "yes", w.world.now());
  w.run(Duration::seconds(2));
  EXPECT_EQ(c.got, std::vector<std::string>{"yes"});
  EXPECT_GE(c.client.counters().dataDropped, 1u);
  EXPECT_TRUE(c.client.isAllocated());
  EXPECT_FALSE(c.send(at("203.0.113.5:9"), "no", w.world.now()));
}

TEST(TurnClientSim, WorksThroughLossAndReordering) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    TurnWorld w(seed);
    const sim::LinkConfig bad{.delay = Duration::millis(20),
                              .jitter = Duration::millis(20),
                              .keepOrder = false,
                              .loss = sim::LossModel::bernoulli(0.2)};
    w.clientHost.port(0).up.setConfig(bad);
    w.clientHost.port(0).down.setConfig(bad);
    w.startServer();
    ClientNode& c = w.addClient();
    ASSERT_TRUE(w.runUntil([&] { return c.client.isAllocated() || c.client.isDone(); }));
    if (c.client.isDone()) continue;  // all of five requests lost: it says so
    for (int i = 0; i < 100; ++i) {
      c.send(w.peerAddress(), "x", w.world.now());
      w.run(Duration::millis(200));
    }
    EXPECT_GT(c.got.size(), 20u) << seed;
  }
}

TEST(TurnClientSim, MovesToANewAddressWithItsTicket) {
  TurnWorld w;
  w.config.mobility = true;
  w.startServer();
  ClientConfig config = w.clientConfig(Transport::Udp);
  config.mobility = true;
  ClientNode& c = w.addClient(config);
  w.run(Duration::seconds(1));
  c.send(w.peerAddress(), "before", w.world.now());
  w.run(Duration::seconds(1));
  w.clientHost.changeAddresses(w.clientHost.port(0), {ip("198.51.100.200")});
  c.client.handleNetworkChange(w.world.now());
  w.run(Duration::seconds(3));
  c.send(w.peerAddress(), "after", w.world.now());
  w.run(Duration::seconds(1));
  EXPECT_EQ(c.got, (std::vector<std::string>{"before", "after"}));
  EXPECT_EQ(w.server->allocationCount(), 1u);
  EXPECT_EQ(w.server->counters().allocationsMade, 1u);
  EXPECT_EQ(w.server->allocations(w.world.now())[0].client.ip, ip("198.51.100.200"));
}

TEST(TurnClientSim, WithoutMobilityTheServerSaysSoAndTheClientGoesWithout) {
  TurnWorld w;
  w.startServer();
  ClientConfig config = w.clientConfig(Transport::Udp);
  config.mobility = true;
  ClientNode& c = w.addClient(config);
  w.run(Duration::seconds(1));
  EXPECT_TRUE(c.client.isAllocated());
  w.clientHost.changeAddresses(w.clientHost.port(0), {ip("198.51.100.200")});
  c.client.handleNetworkChange(w.world.now());
  w.run(Duration::seconds(60));
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_TRUE(c.failures[0].wasAllocated);
}

TEST(TurnClientSim, SlowStreamDropsMediaAndKeepsControl) {
  for (const Transport transport : {Transport::Tcp, Transport::Tls}) {
    TurnWorld w;
    w.startServer();
    ClientNode& c = w.addClient(transport);
    w.run(Duration::seconds(1));
    c.send(w.peerAddress(), "media", w.world.now(), TxClass::Media);
    w.run(Duration::seconds(1));
    w.clientHost.port(0).up.setConfig(
        {.delay = Duration::millis(5), .queue = {.rate = DataRate::kbps(200)}});
    const std::string large(1000, 'm');
    for (int i = 0; i < 1500; ++i) {  // 12 Mbit/s for one second
      c.send(w.peerAddress(), large, w.world.now(), TxClass::Media);
      w.run(Duration::micros(667));
    }
    w.run(Duration::seconds(30));
    EXPECT_TRUE(c.client.isAllocated()) << toString(transport);
    EXPECT_LT(w.peer.arrived.size(), 1000u);
    EXPECT_GT(w.peer.arrived.size(), 20u);
  }
}

TEST(TurnClientSim, DataFromStrangersDoesNotPass) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  w.peer.send(1, c.allocated[0].relayed[0], "uninvited");
  w.run(Duration::seconds(1));
  EXPECT_TRUE(c.got.empty());
  EXPECT_EQ(w.server->counters().droppedNoPermission, 1u);
}

TEST(TurnClientSim, NatBindingIsKeptAliveWhileNothingIsSent) {
  TurnWorld w;
  w.startServer();
  ClientNode& c = w.addClient();
  w.run(Duration::seconds(1));
  const uint64_t before = w.clientHost.counters().sent;
  w.run(Duration::seconds(300));
  const uint64_t sent = w.clientHost.counters().sent - before;
  EXPECT_GE(sent, 18u);
  EXPECT_LE(sent, 24u);
  EXPECT_TRUE(c.client.isAllocated());
}

TEST(TurnClientSim, SameSeedSameDatagramsHoweverNervousTheDriver) {
  const auto traceOf = [](bool nervous) {
    TurnWorld w(7);
    w.clientHost.port(0).up.setConfig(
        {.delay = Duration::millis(9), .loss = sim::LossModel::bernoulli(0.1)});
    w.startServer();
    ClientNode& c = w.addClient();
    c.nervous = nervous;
    for (int i = 0; i < 30; ++i) {
      c.send(w.peerAddress(), "x", w.world.now());
      w.run(Duration::seconds(30));
    }
    return w.world.trace().hash();
  };
  EXPECT_EQ(traceOf(false), traceOf(false));
  EXPECT_EQ(traceOf(false), traceOf(true));
}

TEST(TurnClientSim, DestroyedAndClosedAtAnyPoint) {
  for (const Transport transport : {Transport::Udp, Transport::Tcp, Transport::Tls}) {
    for (int step = 0; step < 12; ++step) {
      TurnWorld w;
      w.startServer();
      ClientNode& c = w.addClient(transport);
      w.run(Duration::millis(7 * step));
      c.send(w.peerAddress(), "x", w.world.now());
      c.client.close(w.world.now());
      w.run(Duration::seconds(5));
      EXPECT_EQ(c.closings, 1) << step;
      EXPECT_TRUE(c.client.isDone());
    }
  }
}

}  // namespace
}  // namespace parley::turn
