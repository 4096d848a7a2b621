#include "parley/sim/nat.h"

#include <memory>

#include <gtest/gtest.h>

#include "unit/sim/udp_probe.h"

namespace parley::sim {
namespace {

/// alice and carol at home behind a NAT; two servers with two ports each on the internet.
class NatTest : public ::testing::Test {
 protected:
  void build(const NatConfig& config) {
    nat = &world.addNat("nat", home, internet, config);
    alice = &world.addHost("alice", home);
    carol = &world.addHost("carol", home);
    Host& hostA = world.addHost("serverA", internet);
    Host& hostB = world.addHost("serverB", internet);
    a1 = std::make_unique<UdpProbe>(world, hostA, SocketAddress{{}, 1000});
    a2 = std::make_unique<UdpProbe>(world, hostA, SocketAddress{{}, 2000});
    b1 = std::make_unique<UdpProbe>(world, hostB, SocketAddress{{}, 1000});
    client = std::make_unique<UdpProbe>(world, *alice, SocketAddress{{}, 5000});
  }
  /// What `server` sees as the source when the client sends to it.
  SocketAddress mapped(UdpProbe& from, UdpProbe& server) {
    const size_t before = server.arrived.size();
    from.send(server.address(), "hello");
    world.run(Duration::millis(1));
    return server.arrived.size() > before ? server.arrived.back().from : SocketAddress{};
  }
  bool reaches(UdpProbe& server, const SocketAddress& to) {
    const size_t before = client->arrived.size();
    server.send(to, "knock");
    world.run(Duration::millis(1));
    return client->arrived.size() > before;
  }
  IpAddress publicAddress() { return *nat->outside().address(AddressFamily::V4); }

  World world{3};
  Segment& home = world.addSegment("home");
  Segment& internet = world.addSegment("internet");
  Nat* nat = nullptr;
  Host* alice = nullptr;
  Host* carol = nullptr;
  std::unique_ptr<UdpProbe> a1, a2, b1, client;
};

struct Matrix {
  NatBehavior mapping;
  NatBehavior filtering;
};

class NatMatrixTest : public NatTest, public ::testing::WithParamInterface<Matrix> {};

TEST_P(NatMatrixTest, MapsAndFiltersAsRfc4787Says) {
  const auto [mapping, filtering] = GetParam();
  build({.mapping = mapping, .filtering = filtering});
  const SocketAddress atA1 = mapped(*client, *a1);
  EXPECT_EQ(atA1.ip, publicAddress());
  EXPECT_TRUE(reaches(*a1, atA1));
  EXPECT_EQ(reaches(*a2, atA1), filtering != NatBehavior::AddressAndPortDependent);
  EXPECT_EQ(reaches(*b1, atA1), filtering == NatBehavior::EndpointIndependent);

  EXPECT_EQ(mapped(*client, *a1), atA1);
  EXPECT_EQ(mapped(*client, *a2) == atA1, mapping != NatBehavior::AddressAndPortDependent);
  EXPECT_EQ(mapped(*client, *b1) == atA1, mapping == NatBehavior::EndpointIndependent);
}

INSTANTIATE_TEST_SUITE_P(
    AllPairs, NatMatrixTest,
    ::testing::Values(
        Matrix{NatBehavior::EndpointIndependent, NatBehavior::EndpointIndependent},
        Matrix{NatBehavior::EndpointIndependent, NatBehavior::AddressDependent},
        Matrix{NatBehavior::EndpointIndependent, NatBehavior::AddressAndPortDependent},
        Matrix{NatBehavior::AddressDependent, NatBehavior::EndpointIndependent},
        Matrix{NatBehavior::AddressDependent, NatBehavior::AddressDependent},
        Matrix{NatBehavior::AddressDependent, NatBehavior::AddressAndPortDependent},
        Matrix{NatBehavior::AddressAndPortDependent, NatBehavior::EndpointIndependent},
        Matrix{NatBehavior::AddressAndPortDependent, NatBehavior::AddressDependent},
        Matrix{NatBehavior::AddressAndPortDependent, NatBehavior::AddressAndPortDependent}));

TEST_F(NatTest, PreservesPortsAndParity) {
  build(NatConfig::portRestricted());
  EXPECT_EQ(mapped(*client, *a1).port, 5000);
  UdpProbe other(world, *carol, {{}, 5000});
  const uint16_t second = mapped(other, *a1).port;
  EXPECT_NE(second, 5000);
  EXPECT_EQ(second % 2, 0);
}

TEST_F(NatTest, SequentialPortsCountUp) {
  build({.mapping = NatBehavior::AddressAndPortDependent, .ports = NatPorts::Sequential});
  const uint16_t first = mapped(*client, *a1).port;
  EXPECT_EQ(mapped(*client, *a2).port, first + 1);
  EXPECT_EQ(mapped(*client, *b1).port, first + 2);
}

TEST_F(NatTest, RandomPortsDiffer) {
  build(NatConfig::symmetric());
  EXPECT_NE(mapped(*client, *a1).port, 5000);
}

TEST_F(NatTest, HairpinsWithTheExternalSource) {
  build(NatConfig::fullCone());
  UdpProbe other(world, *carol, {{}, 6000});
  const SocketAddress external = mapped(*client, *a1);
  other.send(external, "neighbour");
  world.run(Duration::millis(1));
  ASSERT_EQ(client->arrived.size(), 1u);
  EXPECT_EQ(client->arrived[0].from, (SocketAddress{publicAddress(), 6000}));
}

TEST_F(NatTest, WithoutHairpinNeighboursAreUnreachableByExternalAddress) {
  NatConfig config = NatConfig::fullCone();
  config.hairpin = false;
  build(config);
  UdpProbe other(world, *carol, {{}, 6000});
  other.send(mapped(*client, *a1), "neighbour");
  world.run(Duration::millis(1));
  EXPECT_TRUE(client->arrived.empty());
}

TEST_F(NatTest, MappingsTimeOutUnlessRefreshedFromInside) {
  NatConfig config = NatConfig::symmetric();
  config.udpTimeout = Duration::seconds(30);
  build(config);
  const SocketAddress first = mapped(*client, *a1);
  world.run(Duration::seconds(25));
  EXPECT_EQ(mapped(*client, *a1), first);
  world.run(Duration::seconds(25));
  EXPECT_TRUE(reaches(*a1, first));
  world.run(Duration::seconds(6));
  EXPECT_FALSE(reaches(*a1, first));
  EXPECT_EQ(nat->mappings(), 0u);
  EXPECT_NE(mapped(*client, *a1), first);
}

TEST_F(NatTest, InboundRefreshesIfConfigured) {
  NatConfig config = NatConfig::portRestricted();
  config.udpTimeout = Duration::seconds(30);
  config.inboundRefresh = true;
  build(config);
  const SocketAddress external = mapped(*client, *a1);
  for (int i = 0; i < 5; ++i) {
    world.run(Duration::seconds(25));
    EXPECT_TRUE(reaches(*a1, external));
  }
}

TEST_F(NatTest, PublicAddressChangeKillsMappings) {
  build(NatConfig::fullCone());
  const SocketAddress before = mapped(*client, *a1);
  const IpAddress fresh = IpAddress::v4(203, 0, 113, 77);
  nat->changePublicAddresses({fresh});
  EXPECT_FALSE(reaches(*a1, before));
  EXPECT_EQ(mapped(*client, *a1).ip, fresh);
  EXPECT_EQ(nat->externalOf({*alice->address(), 5000}, Protocol::Udp)->ip, fresh);
}

TEST_F(NatTest, PoolIsPairedPerInternalAddress) {
  build(NatConfig::symmetric());
  nat->changePublicAddresses({IpAddress::v4(203, 0, 113, 1), IpAddress::v4(203, 0, 113, 2)});
  UdpProbe other(world, *carol, {{}, 6000});
  const IpAddress forAlice = mapped(*client, *a1).ip;
  EXPECT_EQ(mapped(*client, *b1).ip, forAlice);
  EXPECT_NE(mapped(other, *a1).ip, forAlice);
}

TEST_F(NatTest, UnsolicitedAndPrivateDestinationsGoNowhere) {
  build(NatConfig::fullCone());
  EXPECT_FALSE(reaches(*a1, {publicAddress(), 5000}));
  EXPECT_FALSE(reaches(*a1, {*alice->address(), 5000}));
}

TEST_F(NatTest, RoutesIpv6Untranslated) {
  build(NatConfig::symmetric());
  const IpAddress any6 = IpAddress::any(AddressFamily::V6);
  UdpProbe inner(world, *alice, {any6, 7000});
  Host& host = world.addHost("server6", internet);
  UdpProbe outer(world, host, {any6, 7000});
  inner.send({*host.address(AddressFamily::V6), 7000}, "six");
  world.run(Duration::millis(1));
  ASSERT_EQ(outer.arrived.size(), 1u);
  EXPECT_EQ(outer.arrived[0].from.ip, *alice->address(AddressFamily::V6));
  outer.send(outer.arrived[0].from, "back");
  world.run(Duration::millis(1));
  EXPECT_EQ(inner.arrived.size(), 1u);
}

TEST_F(NatTest, CarrierGradeNatsNest) {
  build(NatConfig::portRestricted());
  Segment& flat = world.addSegment("flat");
  world.addNat("inner", flat, home, NatConfig::portRestricted());
  Host& deep = world.addHost("deep", flat);
  UdpProbe probe(world, deep, {{}, 9000});
  EXPECT_EQ(mapped(probe, *a1).ip, publicAddress());
  a1->send(a1->arrived.back().from, "back");
  world.run(Duration::millis(1));
  EXPECT_EQ(probe.arrived.size(), 1u);
}

}  // namespace
}  // namespace parley::sim
