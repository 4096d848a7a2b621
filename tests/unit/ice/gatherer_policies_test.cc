// What a gatherer tells of its addresses, and what not.

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "unit/ice/gatherer_fixture.h"

namespace parley::ice {
namespace {

using Fixture = GathererFixture;

TEST(GathererPoliciesTest, AddressesMayBeRefusedByTheOwner) {
  GathererConfig config;
  config.useAddress = [](const NetworkInterface& of, const IpAddress& address) {
    return of.name != "vpn0" && address.isV4();
  };
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1"), ip("2001:db8::1")}),
                                interface("vpn0", {ip("192.0.2.2")})}},
                              f.now);
  const auto opens = f.effects<OpenUdp>();
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_EQ(opens[0].local.ip, ip("192.0.2.1"));
}

TEST(GathererPoliciesTest, AnnouncedAddressesReplaceTheMachinesOwn) {
  GathererConfig config;
  config.announced = {ip("203.0.113.5")};
  config.includeLoopback = true;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1"), ip("2001:db8::1")}),
                                interface("lo", {ip("127.0.0.1")})}},
                              f.now);
  f.openAll();
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 3u);
  for (const CandidateGathered& told : f.candidates) {
    const SocketAddress& base = *told.candidate.base;
    const bool forwarded = base.ip == ip("10.0.0.1");
    EXPECT_EQ(told.candidate.address.ip, forwarded ? ip("203.0.113.5") : base.ip);
    EXPECT_EQ(told.candidate.address.port, base.port);
    EXPECT_EQ(told.candidate.type, CandidateType::Host);
  }
}

TEST(GathererPoliciesTest, OnePortOnManyAddressesIsAnnouncedOnce) {
  GathererConfig config;
  config.announced = {ip("203.0.113.5")};
  config.sockets = {{SocketId(900), at("10.0.0.1:3478")}, {SocketId(900), at("10.0.0.2:3478")}};
  Fixture f(config);
  for (int round = 0; round < 2; ++round) {
    f.candidates.clear();
    f.gatherer.restart(f.now);
    f.drainEvents();
    ASSERT_EQ(f.candidates.size(), 1u);
    EXPECT_EQ(f.candidates[0].candidate.address, at("203.0.113.5:3478"));
  }
}

TEST(GathererPoliciesTest, NoHostPolicyTellsOnlyWhatServersShow) {
  GathererConfig config = withServer("198.51.100.1", "stun:198.51.100.1");
  config.tellHosts = false;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("10.0.0.1")})}}, f.now);
  f.openAll();
  f.advance(Duration::millis(50));
  const auto packets = f.packets();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_TRUE(f.answer(packets[0], "203.0.113.5:7000"));
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 1u);
  EXPECT_EQ(f.candidates[0].candidate.type, CandidateType::ServerReflexive);
  EXPECT_EQ(f.candidates[0].candidate.relatedAddress, at("0.0.0.0:0"));
}

TEST(GathererPoliciesTest, HiddenHostsTellNamesThatTheOwnerAnswersFor) {
  GathererConfig config = withServer("198.51.100.9", "stun:s");
  config.hideHosts = true;
  config.tcpActive = true;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.168.1.5"), ip("2001:db8::5")})}}, f.now);
  f.openAll();
  const auto requests = f.packets();
  ASSERT_FALSE(requests.empty());
  EXPECT_TRUE(f.answer(requests[0], "203.0.113.7:6000"));
  f.drainEvents();
  std::map<std::string, std::string> names;
  HostName name;
  while (f.gatherer.pollName(name)) {
    EXPECT_TRUE(name.inUse);
    EXPECT_TRUE(isMdnsCandidateName(name.name)) << name.name;
    names[name.address.toString()] = name.name;
  }
  EXPECT_EQ(names.size(), 2u);
  size_t hosts = 0, reflexive = 0;
  for (const CandidateGathered& gathered : f.candidates) {
    const Candidate& c = gathered.candidate;
    if (c.type == CandidateType::Host) {
      ++hosts;
      EXPECT_EQ(c.hostname, names[c.address.ip.toString()]);
    } else {
      ++reflexive;
      EXPECT_TRUE(c.hostname.empty());
      ASSERT_TRUE(c.relatedAddress);
      EXPECT_TRUE(c.relatedAddress->ip.isUnspecified());
    }
  }
  EXPECT_EQ(hosts, 4u);  // UDP and TCP share the name of their address
  EXPECT_EQ(reflexive, 1u);

  // An address that goes takes its name along.
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.168.1.5")})}}, f.now);
  ASSERT_TRUE(f.gatherer.pollName(name));
  EXPECT_FALSE(name.inUse);
  EXPECT_EQ(name.name, names["2001:db8::5"]);
  EXPECT_FALSE(f.gatherer.pollName(name));
}

// A machine with a public address tells it as what the server sees, as the name is of use on the
// link alone.
TEST(GathererPoliciesTest, AHiddenPublicHostIsToldAsAServerSeesIt) {
  GathererConfig config = withServer("198.51.100.9", "stun:s");
  config.hideHosts = true;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("203.0.113.7")})}}, f.now);
  f.openAll();
  const auto requests = f.packets();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(f.answer(requests[0], "203.0.113.7:5001"));
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 2u);
  EXPECT_EQ(f.candidates[1].candidate.type, CandidateType::ServerReflexive);
  EXPECT_EQ(f.candidates[1].candidate.address, at("203.0.113.7:5001"));
}

GathererConfig withRelay(const char* host) {
  GathererConfig config;
  config.hostAndReflexive = false;
  TurnServer server;
  server.host = host;
  server.username = "alice";
  server.password = "wonderland";
  server.url = std::string("turn:") + host;
  config.turnServers = {server};
  return config;
}

TEST(GathererPoliciesTest, ARelayGivenUpIsNotAskedAgain) {
  for (const bool isWaiting : {false, true}) {
    GathererFixture f(withRelay("198.51.100.1"));
    f.gatherer.start(f.now);
    f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
    auto opens = f.effects<OpenUdp>();
    ASSERT_EQ(opens.size(), 1u);
    GathererConfig none;
    none.hostAndReflexive = false;
    if (isWaiting) {
      // Its first try fails after it was given up, and what comes of it is no news.
      f.gatherer.reconfigure(none);
      f.gatherer.restart(f.now);
    }
    f.gatherer.handleSocketFailed({opens[0].socket, SocketFailure::Unreachable}, f.now);
    f.drainEvents();
    EXPECT_EQ(f.errors.size(), isWaiting ? 0u : 1u);
    if (!isWaiting) {
      f.gatherer.reconfigure(none);
      f.gatherer.restart(f.now);
    }
    f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.99")})}}, f.now);
    f.advance(Duration::seconds(40));
    EXPECT_TRUE(f.effects<OpenUdp>().empty());
    EXPECT_TRUE(f.packets().empty());
  }
}

TEST(GathererPoliciesTest, ARelayWhoseLookUpIsUnansweredEndsToo) {
  GathererFixture f(withRelay("turn.example"));
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
  ASSERT_EQ(f.effects<Resolve>().size(), 1u);
  f.gatherer.closeRelays(f.now);
  EXPECT_TRUE(f.gatherer.nextDeadline().isNever());
  f.advance(Duration::seconds(60));
}

TEST(GathererPoliciesTest, GatheringOnceLeavesLaterAddressesAlone) {
  GathererConfig config;
  config.continual = false;
  Fixture f(config);
  f.gatherer.start(f.now);
  f.gatherer.handleInterfaces({{interface("eth0", {ip("192.168.1.5")})}}, f.now);
  f.openAll();
  f.drainEvents();
  ASSERT_EQ(f.candidates.size(), 1u);
  ASSERT_EQ(f.dones, 1);
  f.gatherer.handleInterfaces(
      {{interface("eth0", {ip("192.168.1.5")}), interface("wlan0", {ip("192.168.2.5")})}}, f.now);
  EXPECT_TRUE(f.effects<OpenUdp>().empty());
  f.gatherer.handleInterfaces({{interface("wlan0", {ip("192.168.2.5")})}}, f.now);
  f.drainEvents();
  EXPECT_EQ(f.candidates.size(), 1u);
  EXPECT_EQ(f.sockets.size(), 1u) << "what is gone is given up all the same";
  EXPECT_TRUE(f.gatherer.done());
}

TEST(GathererPoliciesTest, PoliciesThatHideAddressesListenNowhere) {
  for (const bool relayOnly : {false, true}) {
    GathererConfig config;
    config.tcpActive = config.tcpPassive = true;
    config.tellHosts = false;
    config.hostAndReflexive = !relayOnly;
    Fixture f(config);
    f.gatherer.start(f.now);
    f.gatherer.handleInterfaces({{interface("eth0", {ip("192.0.2.1")})}}, f.now);
    EXPECT_TRUE(f.effects<ListenTcp>().empty());
    f.drainEvents();
    EXPECT_TRUE(f.candidates.empty());
  }
}

}  // namespace
}  // namespace parley::ice
