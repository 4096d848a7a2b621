// What a configuration lets the candidates of a call be.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sim/servers/stun_server.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// Those of UDP.
std::vector<std::string> candidatesOf(const PeerConnection& pc) {
  std::vector<std::string> out;
  const std::string sdp = pc.localDescription()->sdp;
  for (size_t at = sdp.find("a=candidate:"); at != std::string::npos;
       at = sdp.find("a=candidate:", at + 1)) {
    const std::string line = sdp.substr(at, sdp.find('\r', at) - at);
    if (line.find(" udp ") != std::string::npos) out.push_back(line);
  }
  return out;
}

/// The word after the address.
int portOf(const std::string& candidate) {
  size_t at = 0;
  for (int word = 0; word < 5; ++word) at = candidate.find(' ', at) + 1;
  return std::stoi(candidate.substr(at));
}

TEST(GatheringSim, PortsAndAddressesAreThoseConfigured) {
  PairOptions options;
  options.configurationA.minPort = 42000;
  options.configurationA.maxPort = 42010;
  options.configurationB.useAddress = [](const NetworkInterface&, const IpAddress& address) {
    return address.isV4();
  };
  Pair pair(options);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  ASSERT_FALSE(candidatesOf(pair.a()).empty());
  for (const std::string& candidate : candidatesOf(pair.a())) {
    EXPECT_GE(portOf(candidate), 42000) << candidate;
    EXPECT_LE(portOf(candidate), 42010) << candidate;
  }
  ASSERT_FALSE(candidatesOf(pair.b()).empty());
  for (const std::string& candidate : candidatesOf(pair.b()))
    EXPECT_NE(candidate.find('.'), std::string::npos) << candidate;
}

TEST(GatheringSim, TheSelectedPairIsMadeOfLinesThatParse) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  Pair pair(options);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  pair.b().onIceCandidate({});  // so that A learns of B from its checks
  pair.negotiate();
  size_t learnt = 0;
  for (int step = 0; step < 100; ++step) {
    pair.run(Duration::millis(10));
    for (const PeerConnection* pc : {&pair.a(), &pair.b()}) {
      if (!pc->sctp()) continue;
      const auto selected = pc->sctp().transport().iceTransport().getSelectedCandidatePair();
      if (!selected) continue;
      ASSERT_TRUE(selected->local.parse()) << selected->local.candidate;
      ASSERT_TRUE(selected->remote.parse()) << selected->remote.candidate;
      EXPECT_TRUE(selected->local.usernameFragment);
      learnt += selected->remote.parse()->type == IceCandidateType::PeerReflexive;
    }
  }
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
  EXPECT_GT(learnt, 0u);
}

TEST(GatheringSim, MoreConnectionsThanPortsLeaveSomeWithoutOne) {
  PairOptions options;
  options.configurationA.minPort = 42000;
  options.configurationA.maxPort = 42001;
  options.configurationA.useAddress = [](const NetworkInterface&, const IpAddress& address) {
    return address.isV4();
  };
  Pair pair(options);
  std::vector<PeerConnection> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(*PeerConnection::create(pair.loopA(), options.configurationA));
    ASSERT_TRUE(others.back().createDataChannel("c"));
    others.back().setLocalDescription({});
  }
  pair.run(Duration::seconds(15));
  size_t candidates = 0;
  for (const PeerConnection& pc : others) {
    EXPECT_EQ(pc.iceGatheringState(), IceGatheringState::Complete);
    candidates += candidatesOf(pc).size();
  }
  EXPECT_EQ(candidates, 2u);
  for (PeerConnection& pc : others) pc.close();
  pair.run(Duration::seconds(1));
}

TEST(GatheringSim, RangesThatAreNoneAreRefused) {
  Pair pair;
  for (const auto& [min, max] : {std::pair<uint16_t, uint16_t>{5000, 4000}, {0, 4000}, {4000, 0}}) {
    Configuration configuration;
    configuration.minPort = min;
    configuration.maxPort = max;
    const auto made = PeerConnection::create(pair.loopA(), configuration);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::Range);
  }
}

TEST(GatheringSim, NoHostPolicyTellsNoAddressOfTheMachine) {
  sim::World world(1);
  sim::Segment& home = world.addSegment("home");
  sim::Segment& internet = world.addSegment("internet");
  world.addNat("nat", home, internet);
  sim::StunServer server(world.addHost("stun", internet));
  PairOptions options;
  options.configurationA.iceTransportPolicy = IceTransportPolicy::NoHost;
  options.configurationA.iceServers = {{{"stun:" + server.address().toString()}, {}, {}}};
  Pair pair(world, options);
  pair.hostA().attach(home);
  pair.hostB().attach(internet);
  for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) host->setUp(host->port(0), false);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  EXPECT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  const auto candidates = candidatesOf(pair.a());
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_NE(candidates[0].find("typ srflx raddr 0.0.0.0 rport 0"), std::string::npos)
      << candidates[0];
}

TEST(GatheringSim, AnnouncedAddressesAreWhatThePeerIsTold) {
  PairOptions options;
  options.configurationA.announcedAddresses = {*IpAddress::parse("203.0.113.5")};
  Pair pair(options);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  EXPECT_TRUE(pair.connect());
  size_t announced = 0;
  for (const std::string& candidate : candidatesOf(pair.a())) {
    EXPECT_EQ(candidate.find(" 10."), std::string::npos) << candidate;
    announced += candidate.find(" 203.0.113.5 ") != std::string::npos;
  }
  EXPECT_EQ(announced, 1u);
}

}  // namespace
}  // namespace parley
