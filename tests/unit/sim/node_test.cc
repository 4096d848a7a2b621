#include "parley/sim/node.h"

#include <gtest/gtest.h>

#include "parley/sim/world.h"

#include "support/scripted_driven.h"

namespace parley::sim {
namespace {

using test::ScriptedDriven;

class NodeTest : public ::testing::Test {
 protected:
  World world;
  Segment& lan = world.addSegment("lan");
  Host& alice = world.addHost("alice", lan);
  Host& bob = world.addHost("bob", lan, {.up = {.delay = Duration::millis(10)}});
  ScriptedDriven a;
  ScriptedDriven b;
  Node& nodeA = world.addNode(alice, a);
  Node& nodeB = world.addNode(bob, b);
};

TEST_F(NodeTest, OpensUdpAndCarriesDatagrams) {
  a.openUdp(1);
  b.openUdp(7, {IpAddress(), 6000});
  b.echo = true;
  world.run(Duration::zero());
  ASSERT_EQ(a.opened.size(), 1u);
  EXPECT_GE(a.opened[0].local.port, 49'152);
  EXPECT_EQ(b.opened[0].local.port, 6000);
  a.send(1, {*bob.address(), 6000}, "ping");
  world.run(Duration::seconds(1));
  ASSERT_EQ(b.arrived.size(), 1u);
  EXPECT_EQ(b.arrived[0].socket, SocketId(7));
  EXPECT_EQ(b.arrived[0].from, (SocketAddress{*alice.address(), a.opened[0].local.port}));
  EXPECT_EQ(b.arrived[0].to, (SocketAddress{*bob.address(), 6000}));
  ASSERT_EQ(a.arrived.size(), 1u);
  EXPECT_EQ(a.arrived[0].time, Timestamp::millis(10));
  EXPECT_EQ(nodeA.counters().datagramsOut, 1u);
}

TEST_F(NodeTest, ReportsSocketsThatFail) {
  a.openUdp(1, {*bob.address(), 0});
  a.openUdp(2, {{}, 5000});
  a.openUdp(3, {{}, 5000});
  a.openUdp(2);
  world.run(Duration::zero());
  ASSERT_EQ(a.failed.size(), 3u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::AddressNotAvailable);
  EXPECT_EQ(a.failed[1].reason, SocketFailure::AddressInUse);
  EXPECT_EQ(a.failed[2].reason, SocketFailure::Other);
}

TEST_F(NodeTest, ClosedSocketsHearAndSendNothing) {
  b.openUdp(1, {{}, 6000});
  a.openUdp(1);
  world.run(Duration::zero());
  b.effects.push_back(CloseSocket{SocketId(1)});
  world.run(Duration::zero());
  a.send(1, {*bob.address(), 6000}, "x");
  b.send(1, {*alice.address(), a.opened[0].local.port}, "x");
  world.run(Duration::seconds(1));
  EXPECT_TRUE(a.arrived.empty());
  EXPECT_TRUE(b.arrived.empty());
  EXPECT_EQ(bob.counters().noSocket, 1u);
  EXPECT_EQ(nodeB.counters().unsent, 1u);
}

TEST_F(NodeTest, WakesExactlyAtDeadlines) {
  a.deadline = Timestamp::millis(5);
  a.onAdvance = [&](Timestamp now) {
    a.deadline = now < Timestamp::millis(20) ? now + Duration::millis(5) : Timestamp::never();
  };
  world.run(Duration::seconds(1));
  EXPECT_EQ(a.advances, (std::vector<Timestamp>{Timestamp::millis(5), Timestamp::millis(10),
                                                Timestamp::millis(15), Timestamp::millis(20)}));
}

TEST_F(NodeTest, DeadlineMovedByInputIsHonoured) {
  a.openUdp(1, {{}, 5000});
  b.openUdp(1);
  a.deadline = Timestamp::millis(50);
  a.onInput = [&](Timestamp now) {
    if (!a.arrived.empty()) a.deadline = now + Duration::millis(100);
  };
  world.run(Duration::zero());
  b.send(1, {*alice.address(), 5000}, "x");
  world.run(Duration::seconds(1));
  EXPECT_EQ(a.advances, (std::vector<Timestamp>{Timestamp::millis(110)}));
}

TEST_F(NodeTest, BrokenProgressRuleIsReported) {
  std::string report;
  world.onViolation([&](const std::string& what) {
    report = what;
    a.deadline = Timestamp::never();
  });
  a.keepsDeadline = true;
  a.deadline = Timestamp::millis(5);
  world.run(Duration::seconds(1));
  EXPECT_NE(report.find("M4"), std::string::npos) << report;
  EXPECT_NE(report.find("alice"), std::string::npos);
}

TEST_F(NodeTest, EndlessOutputAtOneInstantIsReported) {
  std::string report;
  world.onViolation([&](const std::string& what) { report = what; });
  a.onDispatch = [&] {
    if (report.empty()) a.send(99, {}, "again");
  };
  world.run(Duration::seconds(1));
  EXPECT_NE(report.find("rest"), std::string::npos) << report;
}

TEST_F(NodeTest, NanosecondSpinIsReported) {
  std::string report;
  world.onViolation([&](const std::string& what) {
    report = what;
    a.onAdvance = nullptr;
  });
  a.deadline = Timestamp::millis(1);
  a.onAdvance = [&](Timestamp now) { a.deadline = now + Duration::nanos(1); };
  world.run(Duration::seconds(1));
  EXPECT_NE(report.find("without end"), std::string::npos) << report;
}

TEST_F(NodeTest, DispatchComesLastAndItsOutputGoesOut) {
  b.openUdp(1, {{}, 6000});
  a.openUdp(1);
  bool sent = false;
  a.onDispatch = [&] {
    if (a.opened.empty() || sent) return;
    sent = true;
    a.send(1, {*bob.address(), 6000}, "from callback");
  };
  world.run(Duration::seconds(1));
  EXPECT_EQ(b.arrived.size(), 1u);
}

TEST_F(NodeTest, CallsAtATimePumpTheNodes) {
  a.openUdp(1);
  b.openUdp(1, {{}, 6000});
  world.at(Timestamp::millis(100), [&] { a.send(1, {*bob.address(), 6000}, "x"); });
  world.run(Duration::seconds(1));
  ASSERT_EQ(b.arrived.size(), 1u);
  EXPECT_EQ(b.arrived[0].time, Timestamp::millis(100));
}

TEST_F(NodeTest, ResolvesThroughTheWorldsDns) {
  world.dns().add("Stun.Example.org", IpAddress::v4(192, 0, 2, 1));
  world.dns().add("stun.example.org", IpAddress::v4(192, 0, 2, 2));
  a.effects.push_back(Resolve{ResolveId(1), "stun.example.ORG"});
  a.effects.push_back(Resolve{ResolveId(2), "missing.example.org"});
  a.effects.push_back(Resolve{ResolveId(3), "198.51.100.7"});
  world.run(Duration::millis(19));
  EXPECT_TRUE(a.resolved.empty());
  world.run(Duration::millis(1));
  ASSERT_EQ(a.resolved.size(), 3u);
  EXPECT_EQ(a.resolved[0].id, ResolveId(1));
  EXPECT_EQ(a.resolved[0].addresses.size(), 2u);
  EXPECT_TRUE(a.resolved[1].addresses.empty());
  EXPECT_EQ(a.resolved[2].addresses[0], IpAddress::v4(198, 51, 100, 7));
  world.dns().setDead(true);
  a.effects.push_back(Resolve{ResolveId(4), "stun.example.org"});
  world.run(Duration::seconds(60));
  EXPECT_EQ(a.resolved.size(), 3u);
}

TEST_F(NodeTest, WatchersHearOfInterfaceChanges) {
  a.effects.push_back(WatchInterfaces{});
  world.run(Duration::zero());
  ASSERT_EQ(a.interfaces.size(), 1u);
  EXPECT_EQ(a.interfaces[0], alice.interfaces());
  world.at(Timestamp::seconds(1), [&] { alice.setUp(alice.port(0), false); });
  world.at(Timestamp::seconds(2), [&] {
    alice.setUp(alice.port(0), true);
    alice.changeAddresses(alice.port(0), {IpAddress::v4(10, 1, 0, 99)});
  });
  world.run(Duration::seconds(3));
  ASSERT_EQ(a.interfaces.size(), 4u);
  EXPECT_FALSE(a.interfaces[1][1].isUp);
  EXPECT_EQ(a.interfaces[3][1].addresses[0], IpAddress::v4(10, 1, 0, 99));
  EXPECT_TRUE(b.interfaces.empty());
}

TEST_F(NodeTest, MulticastJoinsByEffect) {
  const IpAddress group = IpAddress::v4(224, 0, 0, 251);
  for (ScriptedDriven* driven : {&a, &b}) {
    driven->effects.push_back(OpenUdp{SocketId(5), {{}, 5353}, true});
    driven->effects.push_back(JoinMulticast{SocketId(5), group, 0});
  }
  a.effects.push_back(JoinMulticast{SocketId(77), group, 0});
  world.run(Duration::zero());
  b.send(5, {group, 5353}, "who?");
  world.run(Duration::seconds(1));
  EXPECT_EQ(a.arrived.size(), 1u);
  EXPECT_EQ(a.arrived[0].to.ip, group);
  EXPECT_EQ(a.failed.size(), 1u);
}

TEST_F(NodeTest, ASocketThatCannotJoinAGroupLivesOn) {
  a.openUdp(1);
  a.effects.push_back(JoinMulticast{SocketId(1), IpAddress::v4(224, 0, 0, 251), 999});
  world.run(Duration::zero());
  EXPECT_EQ(a.opened.size(), 1u);
  EXPECT_TRUE(a.failed.empty());
}

TEST_F(NodeTest, EcnArrives) {
  a.openUdp(1);
  b.openUdp(1, {{}, 6000});
  world.run(Duration::zero());
  a.send(1, {*bob.address(), 6000}, "x");
  a.transmits.back().ecn = Ecn::Ect1;
  world.run(Duration::zero());
  ASSERT_EQ(b.arrived.size(), 1u);
  EXPECT_EQ(b.arrived[0].ecn, Ecn::Ect1);
}

TEST_F(NodeTest, RemovedNodesAreSilent) {
  a.openUdp(1);
  b.openUdp(1, {{}, 6000});
  b.echo = true;
  b.deadline = Timestamp::seconds(1);
  world.run(Duration::zero());
  a.send(1, {*bob.address(), 6000}, "x");
  world.run(Duration::millis(1));
  EXPECT_EQ(b.arrived.size(), 1u);
  world.removeNode(nodeB);
  a.send(1, {*bob.address(), 6000}, "x");
  world.run(Duration::seconds(2));
  EXPECT_EQ(b.arrived.size(), 1u);
  EXPECT_TRUE(b.advances.empty());
}

// ---- streams ----

class StreamTest : public NodeTest {
 protected:
  /// Connects a's socket 1 to b's listener on port 443.
  void connect() {
    b.effects.push_back(ListenTcp{SocketId(9), {{}, 443}});
    world.run(Duration::zero());
    a.effects.push_back(OpenTcp{SocketId(1), {*bob.address(), 443}, {}});
    ASSERT_TRUE(world.runUntil([&] { return !a.opened.empty() && !b.accepted.empty(); },
                               Duration::seconds(60)));
  }
  void sendStream(ScriptedDriven& from, SocketId socket, size_t size) {
    std::string chunk;
    for (size_t done = 0; done < size; done += chunk.size()) {
      chunk.assign(std::min<size_t>(1000, size - done), static_cast<char>('a' + done / 1000 % 26));
      from.send(socket, {}, chunk);
      expected += chunk;
    }
  }
  std::string expected;
};

TEST_F(StreamTest, ConnectsAcceptsAndCarriesBothWays) {
  connect();
  EXPECT_EQ(b.accepted[0].listener, SocketId(9));
  EXPECT_GE(b.accepted[0].socket.value, 0x80000000u);
  EXPECT_EQ(b.accepted[0].remote, a.opened[0].local);
  EXPECT_EQ(world.now(), Timestamp::millis(10));  // the SYN goes in no time, its answer takes 10 ms
  a.send(1, {}, "to b");
  b.send(b.accepted[0].socket, {}, "to a");
  world.run(Duration::seconds(1));
  EXPECT_EQ(b.stream, "to b");
  EXPECT_EQ(a.stream, "to a");
}

TEST_F(StreamTest, ArrivesWholeOverALossyReorderingLink) {
  connect();
  const LinkConfig bad{.delay = Duration::millis(15),
                       .jitter = Duration::millis(10),
                       .keepOrder = false,
                       .loss = LossModel::bernoulli(0.05),
                       .duplicate = 0.02};
  alice.port(0).up.setConfig(bad);
  bob.port(0).up.setConfig(bad);
  sendStream(a, SocketId(1), 500'000);
  EXPECT_TRUE(
      world.runUntil([&] { return b.stream.size() >= expected.size(); }, Duration::seconds(120)));
  EXPECT_EQ(b.stream, expected);
}

TEST_F(StreamTest, FillsItsLink) {
  connect();
  alice.port(0).up.setConfig({.delay = Duration::millis(10),
                              .queue = {.rate = DataRate::kbps(4000), .limitBytes = 30'000}});
  const Timestamp start = world.now();
  sendStream(a, SocketId(1), 900'000);
  EXPECT_TRUE(
      world.runUntil([&] { return b.stream.size() >= expected.size(); }, Duration::seconds(30)));
  // 900 kB at 4 Mbit/s are 1.8 s; headers and the slow start cost some.
  EXPECT_LT(world.now() - start, Duration::millis(2800));
  EXPECT_EQ(b.stream, expected);
  ASSERT_GE(a.pressure.size(), 2u);
  EXPECT_TRUE(a.pressure[0]);
  EXPECT_FALSE(a.pressure[1]);
}

TEST_F(StreamTest, SurvivesAnOutage) {
  connect();
  sendStream(a, SocketId(1), 100'000);
  alice.port(0).up.setUp(false);
  world.run(Duration::seconds(5));
  alice.port(0).up.setUp(true);
  EXPECT_TRUE(
      world.runUntil([&] { return b.stream.size() >= expected.size(); }, Duration::seconds(60)));
  EXPECT_EQ(b.stream, expected);
}

TEST_F(StreamTest, CloseDeliversWhatWasWrittenThenEnds) {
  connect();
  sendStream(a, SocketId(1), 50'000);
  world.run(Duration::zero());
  a.effects.push_back(CloseSocket{SocketId(1)});
  world.run(Duration::seconds(5));
  EXPECT_EQ(b.stream, expected);
  ASSERT_EQ(b.failed.size(), 1u);
  EXPECT_EQ(b.failed[0].socket, b.accepted[0].socket);
  EXPECT_EQ(b.failed[0].reason, SocketFailure::Closed);
  EXPECT_TRUE(a.failed.empty());
}

TEST_F(StreamTest, RefusedWithoutListener) {
  a.effects.push_back(OpenTcp{SocketId(1), {*bob.address(), 444}, {}});
  world.run(Duration::seconds(1));
  ASSERT_EQ(a.failed.size(), 1u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Refused);
}

TEST_F(StreamTest, UnreachableWhenNobodyAnswers) {
  a.effects.push_back(OpenTcp{SocketId(1), {IpAddress::v4(10, 1, 0, 200), 443}, {}});
  world.run(Duration::seconds(30));
  EXPECT_TRUE(a.failed.empty());
  world.run(Duration::seconds(60));
  ASSERT_EQ(a.failed.size(), 1u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Unreachable);
}

TEST_F(StreamTest, ResetWhenThePeerIsGone) {
  connect();
  world.removeNode(nodeB);
  world.run(Duration::seconds(1));
  a.failed.clear();
  a.effects.push_back(OpenTcp{SocketId(2), {*bob.address(), 443}, {}});
  world.run(Duration::seconds(1));
  ASSERT_EQ(a.failed.size(), 1u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Refused);
}

TEST_F(StreamTest, MediaIsRefusedBeforeControlWhenTheStreamStands) {
  connect();
  alice.port(0).up.setUp(false);
  for (int i = 0; i < 400; ++i) {
    a.send(1, {}, std::string(1000, 'm'));
    a.transmits.back().txClass = TxClass::Media;
  }
  world.run(Duration::zero());
  EXPECT_EQ(nodeA.counters().unsent, 138u);  // 256 KiB hold 262 packets
  a.send(1, {}, "control");
  world.run(Duration::zero());
  EXPECT_EQ(nodeA.counters().unsent, 138u);
}

TEST_F(StreamTest, ControlThatDoesNotFitFailsTheStream) {
  connect();
  alice.port(0).up.setUp(false);
  for (int i = 0; i < 2200; ++i) a.send(1, {}, std::string(1000, 'c'));
  world.run(Duration::zero());
  ASSERT_EQ(a.failed.size(), 1u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Other);
}

TEST_F(StreamTest, AHeldStreamWaitsAndSlowsItsSenderDown) {
  connect();
  b.effects.push_back(HoldStream{b.accepted[0].socket, true});
  world.run(Duration::millis(1));
  for (int i = 0; i < 300; ++i) a.send(1, {}, std::string(1000, 'h'));
  world.run(Duration::seconds(30));
  EXPECT_EQ(b.stream.size(), 0u);
  ASSERT_EQ(a.pressure.size(), 1u);
  EXPECT_TRUE(a.pressure[0]);
  a.effects.push_back(CloseSocket{SocketId(1)});
  world.run(Duration::seconds(1));
  EXPECT_TRUE(b.failed.empty());
  b.effects.push_back(HoldStream{b.accepted[0].socket, false});
  world.run(Duration::seconds(2));
  EXPECT_EQ(b.stream.size(), 300'000u);
  ASSERT_EQ(b.failed.size(), 1u);
  EXPECT_EQ(b.failed[0].reason, SocketFailure::Closed);
}

TEST(StreamThroughNat, WorksAndRespectsTheFirewall) {
  World world;
  Segment& office = world.addSegment("office");
  Segment& dmz = world.addSegment("dmz");
  Segment& internet = world.addSegment("internet");
  world.addNat("nat", office, dmz, NatConfig::symmetric());
  world.addFirewall("firewall", dmz, internet, {.allowedTcpPorts = {443}, .rejectTcp = true});
  Host& inner = world.addHost("inner", office);
  Host& server = world.addHost("server", internet);
  ScriptedDriven a;
  ScriptedDriven b;
  world.addNode(inner, a);
  world.addNode(server, b);
  b.effects.push_back(ListenTcp{SocketId(1), {{}, 443}});
  b.effects.push_back(ListenTcp{SocketId(2), {{}, 3478}});
  a.effects.push_back(OpenTcp{SocketId(1), {*server.address(), 443}, {}});
  a.effects.push_back(OpenTcp{SocketId(2), {*server.address(), 3478}, {}});
  world.run(Duration::seconds(1));
  ASSERT_EQ(a.opened.size(), 1u);
  EXPECT_EQ(a.opened[0].socket, SocketId(1));
  ASSERT_EQ(a.failed.size(), 1u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Refused);
  a.send(1, {}, "tls");
  world.run(Duration::seconds(1));
  EXPECT_EQ(b.stream, "tls");
}

}  // namespace
}  // namespace parley::sim
