#include "parley/sim/host.h"

#include <gtest/gtest.h>

#include "unit/sim/udp_probe.h"

namespace parley::sim {
namespace {

class HostTest : public ::testing::Test {
 protected:
  World world;
  Segment& lan = world.addSegment("lan");
  Host& alice = world.addHost("alice", lan);
  Host& bob = world.addHost("bob", lan);
};

TEST_F(HostTest, ListsInterfacesLoopbackFirst) {
  const auto list = alice.interfaces();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_TRUE(list[0].isLoopback);
  EXPECT_EQ(list[1].name, "eth0");
  EXPECT_EQ(list[1].addresses.size(), 2u);
  EXPECT_TRUE(list[1].isUp);
  EXPECT_EQ(list[1].mtu, 1500u);
}

TEST_F(HostTest, BindRefusesTakenPortsAndForeignAddresses) {
  UdpProbe first(world, alice, {{}, 5000});
  UdpProbe second(world, alice, {{}, 5000});
  EXPECT_EQ(second.result.handle, 0u);
  EXPECT_EQ(second.result.failure, SocketFailure::AddressInUse);
  UdpProbe specific(world, alice, {*alice.address(), 5000});
  EXPECT_EQ(specific.result.handle, 0u);
  UdpProbe foreign(world, alice, {*bob.address(), 5001});
  EXPECT_EQ(foreign.result.failure, SocketFailure::AddressNotAvailable);
  UdpProbe otherFamily(world, alice, {IpAddress::any(AddressFamily::V6), 5000});
  EXPECT_NE(otherFamily.result.handle, 0u);
}

TEST_F(HostTest, EphemeralPortsDiffer) {
  UdpProbe first(world, alice);
  UdpProbe second(world, alice);
  EXPECT_GE(first.result.local.port, 49'152);
  EXPECT_NE(first.result.local.port, second.result.local.port);
}

TEST_F(HostTest, SpecificSocketWinsOverWildcard) {
  alice.changeAddresses(alice.port(0), {IpAddress::v4(10, 1, 0, 50), IpAddress::v4(10, 1, 0, 51)});
  UdpProbe one(world, alice, {IpAddress::v4(10, 1, 0, 50), 5000});
  UdpProbe other(world, alice, {IpAddress::v4(10, 1, 0, 51), 5000});
  UdpProbe bobs(world, bob);
  bobs.send({IpAddress::v4(10, 1, 0, 51), 5000}, "x");
  world.run(Duration::millis(1));
  EXPECT_TRUE(one.arrived.empty());
  ASSERT_EQ(other.arrived.size(), 1u);
  EXPECT_EQ(other.arrived[0].to.ip, IpAddress::v4(10, 1, 0, 51));
}

TEST_F(HostTest, LoopbackAndOwnAddressesStayInside) {
  UdpProbe a(world, alice, {{}, 5000});
  UdpProbe b(world, alice, {{}, 6000});
  a.send({IpAddress::loopback(AddressFamily::V4), 6000}, "loop");
  a.send({*alice.address(), 6000}, "own");
  world.run(Duration::millis(1));
  ASSERT_EQ(b.arrived.size(), 2u);
  EXPECT_TRUE(b.arrived[0].from.ip.isLoopback());
  EXPECT_EQ(b.arrived[1].from.ip, *alice.address());
  EXPECT_EQ(alice.port(0).up.counters().packetsIn, 0u);
}

TEST_F(HostTest, SendAboveInterfaceMtuFails) {
  UdpProbe a(world, alice);
  EXPECT_TRUE(a.send({*bob.address(), 1}, std::string(1472, 'x')));
  EXPECT_FALSE(a.send({*bob.address(), 1}, std::string(1473, 'x')));
  EXPECT_EQ(alice.counters().tooBig, 1u);
}

TEST_F(HostTest, InterfaceDownHasNoRoute) {
  UdpProbe a(world, alice);
  UdpProbe b(world, bob, {{}, 5000});
  alice.setUp(alice.port(0), false);
  EXPECT_FALSE(alice.address().has_value());
  EXPECT_FALSE(a.send({*bob.address(), 5000}, "x"));
  EXPECT_EQ(alice.counters().noRoute, 1u);
  alice.setUp(alice.port(0), true);
  EXPECT_TRUE(a.send({*bob.address(), 5000}, "x"));
}

TEST_F(HostTest, SourceAddressChoosesTheInterface) {
  Segment& mobile = world.addSegment("mobile");
  Segment& internet = world.addSegment("internet");
  world.addRouter("r1", lan, internet);
  world.addRouter("r2", mobile, internet);
  alice.attach(mobile);
  Host& server = world.addHost("server", internet);
  UdpProbe s(world, server, {{}, 5000});
  UdpProbe byLan(world, alice, {*alice.port(0).address(AddressFamily::V4), 0});
  UdpProbe byMobile(world, alice, {*alice.port(1).address(AddressFamily::V4), 0});
  byLan.send(s.address(), "lan");
  byMobile.send(s.address(), "mobile");
  world.run(Duration::millis(1));
  ASSERT_EQ(s.arrived.size(), 2u);
  EXPECT_EQ(s.arrived[1].from.ip, *alice.port(1).address(AddressFamily::V4));
  EXPECT_EQ(alice.port(1).up.counters().packetsIn, 1u);
  s.send(s.arrived[1].from, "back");
  world.run(Duration::millis(1));
  EXPECT_EQ(byMobile.arrived.size(), 1u);
}

TEST_F(HostTest, MulticastReachesMembersOfTheSegmentOnly) {
  const IpAddress group = IpAddress::v4(224, 0, 0, 251);
  Host& carol = world.addHost("carol", lan);
  Segment& elsewhere = world.addSegment("elsewhere");
  world.addRouter("router", lan, elsewhere);
  Host& dave = world.addHost("dave", elsewhere);
  UdpProbe a(world, alice, {{}, 5353});
  UdpProbe b(world, bob, {{}, 5353});
  UdpProbe c(world, carol, {{}, 5353});
  UdpProbe d(world, dave, {{}, 5353});
  EXPECT_TRUE(alice.joinMulticast(a.result.handle, group, 0));
  EXPECT_TRUE(bob.joinMulticast(b.result.handle, group, 2));
  EXPECT_TRUE(dave.joinMulticast(d.result.handle, group, 0));
  EXPECT_FALSE(bob.joinMulticast(b.result.handle, group, 9));
  a.send({group, 5353}, "who?");
  world.run(Duration::millis(1));
  EXPECT_EQ(a.arrived.size(), 1u);  // IP_MULTICAST_LOOP
  EXPECT_EQ(b.arrived.size(), 1u);
  EXPECT_TRUE(c.arrived.empty());
  EXPECT_TRUE(d.arrived.empty());
}

TEST_F(HostTest, RoutingLoopsEnd) {
  Segment& other = world.addSegment("other");
  world.addRouter("r1", lan, other);
  world.addRouter("r2", other, lan);
  UdpProbe a(world, alice);
  a.send({IpAddress::v4(198, 51, 100, 1), 1}, "lost");
  world.run(Duration::seconds(1));
  EXPECT_EQ(lan.unroutable() + other.unroutable(), 1u);
}

TEST_F(HostTest, CaptureIsPcapng) {
  alice.startCapture();
  UdpProbe a(world, alice, {{}, 1000});
  UdpProbe b(world, bob, {{}, 2000});
  a.send(b.address(), "hi");
  world.run(Duration::millis(1));
  const ByteSpan file = alice.capture();
  ASSERT_GT(file.size(), 28u);
  EXPECT_EQ(loadU32(&file[0]), 0x0A0D0D0Au);
  EXPECT_EQ(loadU32(&file[8]), 0x4D3C2B1Au);  // little-endian byte order magic
  // Walk the blocks: lengths must chain up exactly to the end.
  size_t at = 0;
  std::vector<uint32_t> types;
  while (at + 12 <= file.size()) {
    const uint32_t length = file[at + 4] | file[at + 5] << 8 | file[at + 6] << 16;
    types.push_back(file[at] | file[at + 1] << 8);
    ASSERT_EQ(length % 4, 0u);
    ASSERT_EQ(file[at + length - 4] | file[at + length - 3] << 8, static_cast<int>(length));
    if (types.back() == 6) {
      const uint8_t* ip = &file[at + 28];
      EXPECT_EQ(ip[0], 0x45);
      EXPECT_EQ(loadU16(ip + 2), 30);
      uint32_t sum = 0;
      for (int i = 0; i < 20; i += 2) sum += loadU16(ip + i);
      EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);
      EXPECT_EQ(loadU16(ip + 20), 1000);
      EXPECT_EQ(ip[28], 'h');
    }
    at += length;
  }
  EXPECT_EQ(at, file.size());
  EXPECT_EQ(types, (std::vector<uint32_t>{0x0D0A, 1, 6}));
}

TEST(Firewall, BlocksUdpAllows443) {
  World world;
  Segment& office = world.addSegment("office");
  Segment& internet = world.addSegment("internet");
  Firewall& firewall =
      world.addFirewall("firewall", office, internet, {.blockUdp = true, .allowedUdpPorts = {443}});
  Host& inner = world.addHost("inner", office);
  Host& outer = world.addHost("outer", internet);
  UdpProbe client(world, inner, {{}, 5000});
  UdpProbe other(world, outer, {{}, 3478});
  UdpProbe https(world, outer, {{}, 443});
  client.send(other.address(), "x");
  client.send(https.address(), "x");
  world.run(Duration::millis(1));
  EXPECT_TRUE(other.arrived.empty());
  ASSERT_EQ(https.arrived.size(), 1u);
  EXPECT_EQ(firewall.dropped(), 1u);
  https.send(client.address(), "answer");
  other.send(client.address(), "unsolicited");
  world.run(Duration::millis(1));
  EXPECT_EQ(client.arrived.size(), 1u);
}

TEST(Firewall, StateEndsAfterItsTimeout) {
  World world;
  Segment& office = world.addSegment("office");
  Segment& internet = world.addSegment("internet");
  Firewall& firewall =
      world.addFirewall("firewall", office, internet, {.flowTimeout = Duration::seconds(10)});
  Host& inner = world.addHost("inner", office);
  Host& outer = world.addHost("outer", internet);
  UdpProbe client(world, inner, {{}, 5000});
  UdpProbe server(world, outer, {{}, 6000});
  client.send(server.address(), "x");
  world.run(Duration::seconds(9));
  server.send(client.address(), "in time");
  world.run(Duration::seconds(11));
  server.send(client.address(), "late");
  world.run(Duration::seconds(1));
  EXPECT_EQ(client.arrived.size(), 1u);
  firewall.setConfig({.stateful = false});
  server.send(client.address(), "open");
  world.run(Duration::seconds(1));
  EXPECT_EQ(client.arrived.size(), 2u);
}

}  // namespace
}  // namespace parley::sim
