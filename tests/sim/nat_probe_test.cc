// How a NAT behaves, found out with our own server (RFC 5780): every kind of the simulator's.

#include "parley/stun/nat_probe.h"

#include <memory>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "parley/sim/servers/stun_server.h"
#include "parley/sim/world.h"
#include "parley/turn/server.h"

namespace parley::stun {
namespace {

using sim::NatBehavior;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

class ProbeNode final : public Driven {
 public:
  ProbeNode(sim::World& world, const SocketAddress& server)
      : random_(world.randomFor("probe")),
        environment_{random_, pool_, nullLog(), world.wallClock()},
        probe(environment_, ids_, server) {}
  void handle(Input&& input, Timestamp now) override {
    if (const auto* datagram = std::get_if<Datagram>(&input)) {
      probe.handleDatagram(*datagram, now);
    } else if (const auto* opened = std::get_if<SocketOpened>(&input)) {
      probe.handleSocketOpened(*opened, now);
    } else if (const auto* failed = std::get_if<SocketFailed>(&input)) {
      probe.handleSocketFailed(*failed, now);
    }
  }
  void advance(Timestamp now) override { probe.advance(now); }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && probe.pollTransmit(out[count])) ++count;
    return count;
  }
  bool pollEffect(Effect& out) override { return probe.pollEffect(out); }
  Timestamp nextDeadline() const override { return probe.nextDeadline(); }
  PacketPool& pool() override { return pool_; }

 private:
  SeededRandom random_;
  PacketPool pool_;
  Environment environment_;
  IdAllocator ids_;

 public:
  NatProbe probe;
};

/// A server with two addresses in the open, and a client somewhere.
struct ProbeWorld {
  explicit ProbeWorld(uint64_t seed = 1, double loss = 0)
      : world(seed), link{.delay = Duration::millis(10), .loss = sim::LossModel::bernoulli(loss)} {
    turn::ServerConfig config;
    config.discovery =
        turn::ServerDiscovery{{ip("198.51.100.10"), 3478}, {ip("198.51.100.11"), 3479}};
    config.listeners = turn::discoveryListeners(*config.discovery);
    EXPECT_TRUE(turn::Server::check(config));
    server = std::make_unique<turn::Server>(environment, config);
    server->start(world.now());
    world.addNode(world.addHost("server", internet,
                                {.addresses = {ip("198.51.100.10"), ip("198.51.100.11")}}),
                  *server);
  }
  NatReport probe(sim::Segment& segment, const char* at = "198.51.100.10:3478") {
    ProbeNode node(world, *SocketAddress::parse(at));
    sim::Host& host = world.addHost("client", segment, {.up = link, .down = link});
    sim::Node& placed = world.addNode(host, node);
    node.probe.start(world.now());
    EXPECT_TRUE(world.runUntil([&] { return node.probe.done(); }, Duration::seconds(30)));
    const NatReport report = node.probe.report();
    world.removeNode(placed);
    return report;
  }

  sim::World world;
  sim::LinkConfig link;
  SeededRandom random = world.randomFor("server");
  PacketPool pool;
  Environment environment{random, pool, nullLog(), world.wallClock()};
  sim::Segment& internet = world.addSegment({.name = "internet", .v4Base = ip("198.51.100.0")});
  sim::Segment& home = world.addSegment({.name = "home", .v4Base = ip("192.168.0.0")});
  std::unique_ptr<turn::Server> server;
};

NatDependence expected(NatBehavior behavior) {
  return static_cast<NatDependence>(static_cast<int>(behavior) + 1);
}

class NatProbeSim : public ::testing::TestWithParam<std::tuple<int, int, bool>> {};

TEST_P(NatProbeSim, TellsMappingFilteringAndHairpinning) {
  const auto [mapping, filtering, hairpin] = GetParam();
  for (const double loss : {0.0, 0.05}) {
    ProbeWorld w(1, loss);
    sim::NatConfig config;
    config.mapping = static_cast<NatBehavior>(mapping);
    config.filtering = static_cast<NatBehavior>(filtering);
    config.hairpin = hairpin;
    w.world.addNat("nat", w.home, w.internet, config);
    const NatReport report = w.probe(w.home);
    EXPECT_TRUE(report.answered && report.supported && report.translated);
    EXPECT_EQ(report.mapping, expected(config.mapping)) << report.toString();
    EXPECT_EQ(report.filtering, expected(config.filtering)) << report.toString();
    EXPECT_TRUE(report.portPreserved);
    if (config.mapping == NatBehavior::EndpointIndependent) {
      EXPECT_EQ(report.hairpin, hairpin);
    } else {
      EXPECT_FALSE(report.hairpin.has_value());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, NatProbeSim,
                         ::testing::Combine(::testing::Range(0, 3), ::testing::Range(0, 3),
                                            ::testing::Bool()));

TEST(NatProbeSim, TheOpenNetworkTranslatesAndFiltersNothing) {
  ProbeWorld w;
  const NatReport report = w.probe(w.internet);
  EXPECT_FALSE(report.translated);
  EXPECT_EQ(report.mapping, NatDependence::EndpointIndependent);
  EXPECT_EQ(report.filtering, NatDependence::EndpointIndependent);
  EXPECT_EQ(report.toString().rfind("no NAT", 0), 0u) << report.toString();
}

TEST(NatProbeSim, AFirewallFiltersWithoutTranslating) {
  ProbeWorld w;
  w.world.addFirewall("firewall", w.home, w.internet, {});
  const NatReport report = w.probe(w.home);
  EXPECT_FALSE(report.translated);
  EXPECT_EQ(report.filtering, NatDependence::AddressAndPortDependent);
}

TEST(NatProbeSim, BlockedUdpIsNoAnswer) {
  ProbeWorld w;
  w.world.addFirewall("firewall", w.home, w.internet, {.blockUdp = true});
  const NatReport report = w.probe(w.home);
  EXPECT_FALSE(report.answered);
  EXPECT_EQ(report.toString(), "no answer by UDP");
}

TEST(NatProbeSim, AServerWithOneAddressTellsTheTranslationOnly) {
  ProbeWorld w;
  w.world.addNat("nat", w.home, w.internet);
  sim::StunServer plain(w.world.addHost("plain", w.internet, {.addresses = {ip("198.51.100.20")}}));
  const NatReport report = w.probe(w.home, "198.51.100.20:3478");
  EXPECT_TRUE(report.answered && report.translated);
  EXPECT_FALSE(report.supported);
  EXPECT_EQ(report.mapping, NatDependence::Unknown);
}

TEST(NatProbeSim, ADiscoveryServerWantsAllItsListeners) {
  turn::ServerConfig config;
  config.discovery =
      turn::ServerDiscovery{{ip("198.51.100.10"), 3478}, {ip("198.51.100.11"), 3479}};
  config.listeners = turn::discoveryListeners(*config.discovery);
  EXPECT_TRUE(turn::Server::check(config));
  config.listeners.pop_back();
  EXPECT_FALSE(turn::Server::check(config));
  config.listeners = {{turn::Transport::Udp, config.discovery->primary}};
  config.discovery->alternate.port = 3478;
  EXPECT_FALSE(turn::Server::check(config));
}

}  // namespace
}  // namespace parley::stun
