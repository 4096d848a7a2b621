// Ports that the home router forwards on request.

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "parley/sim/servers/port_gateway.h"
#include "parley/sim/servers/upnp_gateway.h"
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

/// The router knows neither PCP nor NAT-PMP, and UPnP instead.
struct UpnpHomes : Homes {
  explicit UpnpHomes(sim::UpnpGatewayConfig config)
      : Homes({.pcp = false, .natPmp = false}), upnp(world, homeA, natA, std::move(config)) {}
  /// Without a candidate of the router.
  void findsNothing(Duration within) {
    pair->negotiate();
    EXPECT_TRUE(pair->runUntil(
        [&] { return pair->a().iceGatheringState() == IceGatheringState::Complete; }, within));
    EXPECT_EQ(sdp().find("typ srflx"), std::string::npos) << sdp();
    EXPECT_EQ(upnp.mappings(), 0u);
  }
  size_t asked(const std::string& action) const {
    return static_cast<size_t>(std::count(upnp.actions().begin(), upnp.actions().end(), action));
  }
  sim::UpnpGateway upnp;
};

TEST(UpnpSim, RoutersThatKnowOnlyUpnpForwardThePortUntilTheConnectionCloses) {
  for (const int version : {1, 2}) {
    for (const bool chunked : {false, true}) {
      UpnpHomes w({.version = version, .chunked = chunked});
      ASSERT_TRUE(w.connects()) << version << w.pair->a().diagnose().text();
      w.pair->run(Duration::seconds(1));
      EXPECT_EQ(w.upnp.mappings(), 1u);
      EXPECT_EQ(w.asked("AddAnyPortMapping"), version == 2 ? 1u : 0u);
      EXPECT_NE(w.sdp().find("typ srflx"), std::string::npos) << w.sdp();
      EXPECT_TRUE(w.channel.send("hello"));
      w.pair->a().close();
      w.pair->run(Duration::seconds(3));
      EXPECT_EQ(w.upnp.mappings(), 0u) << "ended with the connection";
    }
  }
}

TEST(UpnpSim, NothingIsMappedTwice) {
  Homes w({});
  sim::UpnpGateway upnp(w.world, w.homeA, w.natA);
  ASSERT_TRUE(w.connects());
  EXPECT_EQ(w.gateway.mappings(), 1u);
  EXPECT_EQ(upnp.mappings(), 0u) << "PCP was there first";
}

TEST(UpnpSim, RoutersWithoutLeasesMapUntilTold) {
  UpnpHomes w({.onlyPermanent = true});
  ASSERT_TRUE(w.connects());
  EXPECT_EQ(w.upnp.mappings(), 1u);
  w.pair->a().close();
  w.pair->run(Duration::seconds(3));
  EXPECT_EQ(w.upnp.mappings(), 0u);
}

TEST(UpnpSim, APortThatAnotherHasIsNotInsistedOn) {
  for (const int version : {1, 2}) {
    sim::UpnpGatewayConfig config{.version = version};
    for (int port = 30'000; port < 65'536; ++port) config.taken.insert(static_cast<uint16_t>(port));
    UpnpHomes w(config);
    // Version 2 offers the next one, version 1 wants to be asked for another.
    if (!w.connects()) EXPECT_GE(w.asked("AddPortMapping"), 4u) << "four ports are tried";
    if (version == 2) EXPECT_EQ(w.upnp.mappings(), 1u);
  }
}

TEST(UpnpSim, LiesAndSilenceMakeNoCandidateAndEndGathering) {
  const std::string service =
      "<r><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
      "<controlURL>";
  const std::string tail = "</controlURL></service></r>";
  const sim::UpnpGatewayConfig kLies[] = {
      {.error = 606},
      {.mute = true},
      {.location = "http://198.51.100.9/igd.xml"},
      {.location = "http://router.lan/igd.xml"},
      {.description = service + "http://198.51.100.9/control" + tail},
      {.description = service + "/elsewhere" + tail},
      {.description = "<!DOCTYPE a [<!ENTITY b \"b\">]>" + service + "/control" + tail},
      {.description = std::string(60'000, '<')},
      {.description = std::string(200'000, 'x')},
      {.externalAddress = "127.0.0.1"},
      {.externalAddress = "router"},
  };
  for (const sim::UpnpGatewayConfig& lie : kLies) {
    UpnpHomes w(lie);
    w.findsNothing(Duration::seconds(10));
    EXPECT_GT(w.upnp.searches(), 0u);
  }
}

TEST(UpnpSim, MappingsAreRenewedAndComeBackAfterTheRouterRestarted) {
  UpnpHomes w({});
  ASSERT_TRUE(w.connects());
  w.pair->run(Duration::seconds(7200));
  EXPECT_EQ(w.upnp.mappings(), 1u);
  EXPECT_GE(w.asked("AddPortMapping"), 4u);
  EXPECT_LE(w.asked("AddPortMapping"), 6u);
  w.upnp.restart();
  w.pair->run(Duration::seconds(1900));
  EXPECT_EQ(w.upnp.mappings(), 1u);
}

}  // namespace
}  // namespace parley
