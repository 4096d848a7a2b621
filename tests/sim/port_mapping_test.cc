// Ports that the home router forwards on request.

#include <string>

#include <gtest/gtest.h>

#include "parley/sim/servers/port_gateway.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// Two homes with the worst of NATs; A's router takes wishes.
class Homes {
 public:
  explicit Homes(sim::PortGatewayConfig config, bool mapPorts = true)
      : gateway(world, natA, config) {
    world.addNat("nat b", homeB, internet, sim::NatConfig::symmetric());
    PairOptions options;
    options.configurationA.mapPorts = mapPorts;
    pair = std::make_unique<Pair>(world, options);
    pair->hostA().attach(homeA);
    pair->hostB().attach(homeB);
    for (sim::Host* host : {&pair->hostA(), &pair->hostB()}) host->setUp(host->port(0), false);
    channel = *pair->a().createDataChannel("c");
  }
  bool connects() { return pair->connect(Duration::seconds(60)); }
  std::string sdp() { return pair->a().localDescription()->sdp; }

  sim::World world{1};
  // IPv4 alone: IPv6 would pass the routers as it is.
  sim::Segment& internet =
      world.addSegment({.name = "internet", .v4Base = IpAddress::v4(198, 51, 100, 0)});
  sim::Segment& homeA = world.addSegment({.name = "a", .v4Base = IpAddress::v4(192, 168, 1, 0)});
  sim::Segment& homeB = world.addSegment({.name = "b", .v4Base = IpAddress::v4(192, 168, 2, 0)});
  sim::Nat& natA = world.addNat("nat a", homeA, internet, sim::NatConfig::symmetric());
  sim::PortGateway gateway;
  std::unique_ptr<Pair> pair;
  DataChannel channel;
};

TEST(PortMappingSim, TwoSymmetricNatsMeetWithoutAnyServer) {
  for (const bool pcp : {true, false}) {
    Homes w({.pcp = pcp});
    ASSERT_TRUE(w.connects()) << pcp << w.pair->a().diagnose().text();
    w.pair->run(Duration::seconds(1));
    EXPECT_EQ(w.gateway.mappings(), 1u);
    EXPECT_NE(w.sdp().find("typ srflx"), std::string::npos) << w.sdp();
    EXPECT_TRUE(w.channel.send("hello"));
    w.pair->a().close();
    w.pair->run(Duration::seconds(1));
    EXPECT_EQ(w.gateway.mappings(), 0u) << "ended with the connection";
  }
}

TEST(PortMappingSim, NothingIsAskedUnlessWanted) {
  Homes w({}, false);
  EXPECT_FALSE(w.connects());
  EXPECT_EQ(w.gateway.requests(), 0u);
}

TEST(PortMappingSim, RoutersThatDoNotKnowItHoldNothingUp) {
  Homes w({.pcp = false, .natPmp = false});
  w.pair->negotiate();
  ASSERT_TRUE(w.pair->runUntil(
      [&] { return w.pair->a().iceGatheringState() == IceGatheringState::Complete; },
      Duration::seconds(4)));
  EXPECT_EQ(w.sdp().find("typ srflx"), std::string::npos);
}

TEST(PortMappingSim, RefusalsAndLiesMakeNoCandidate) {
  const std::optional<SocketAddress> kLies[] = {
      SocketAddress{IpAddress::v4(127, 0, 0, 1), 80},
      SocketAddress{IpAddress::v4(224, 0, 0, 1), 80}, SocketAddress{IpAddress::v4(0, 0, 0, 0), 80},
      SocketAddress{IpAddress::v4(10, 1, 0, 9), 0}, std::nullopt};
  for (const bool pcp : {true, false}) {
    for (const auto& lie : kLies) {
      sim::PortGatewayConfig config{.pcp = pcp};
      config.lie = lie;
      if (!lie) config.error = 2;
      Homes w(config);
      w.pair->negotiate();
      w.pair->run(Duration::seconds(4));
      EXPECT_EQ(w.pair->a().iceGatheringState(), IceGatheringState::Complete);
      EXPECT_EQ(w.sdp().find("typ srflx"), std::string::npos) << w.sdp();
    }
  }
}

TEST(PortMappingSim, MappingsAreRenewedForAsLongAsTheCallLasts) {
  for (const bool pcp : {true, false}) {
    Homes w({.pcp = pcp, .lifetime = 120});
    ASSERT_TRUE(w.connects());
    const uint64_t before = w.gateway.requests();
    w.pair->run(Duration::seconds(3600));
    EXPECT_GE(w.gateway.requests() - before, 45u);
    EXPECT_LE(w.gateway.requests() - before, 70u);
    EXPECT_EQ(w.gateway.mappings(), 1u);
    EXPECT_TRUE(w.channel.send("still there"));
  }
}

TEST(PortMappingSim, ARouterThatRestartedIsAskedAnew) {
  for (const bool pcp : {true, false}) {
    Homes w({.pcp = pcp, .lifetime = 120});
    ASSERT_TRUE(w.connects());
    w.pair->run(Duration::seconds(30));
    w.gateway.restart();
    EXPECT_EQ(w.gateway.mappings(), 0u);
    w.pair->run(Duration::seconds(90));
    EXPECT_EQ(w.gateway.mappings(), 1u);
  }
}

}  // namespace
}  // namespace parley
