// Relayed TCP connections (RFC 6062): the TURN client against our own server, on the simulated
// network.

#include <gtest/gtest.h>

#include "sim/support/turn_world.h"

namespace parley::turn {
namespace {

/// So many bytes, all different from their neighbours.
std::string pattern(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

/// A client with a TCP allocation, and a peer that listens on port 4001.
class TcpRelayWorld : public TurnWorld {
 public:
  explicit TcpRelayWorld(uint64_t seed = 1) : TurnWorld(seed) {
    peer.effects.push_back(ListenTcp{SocketId(10), at("0.0.0.0:4001")});
  }
  ClientConfig tcpConfig(Transport transport = Transport::Tcp) const {
    ClientConfig out = clientConfig(transport);
    out.tcpRelay = true;
    return out;
  }
  ClientNode& allocate(Transport transport = Transport::Tcp) {
    startServer();
    ClientNode& c = addClient(tcpConfig(transport));
    EXPECT_TRUE(runUntil([&] { return !c.allocated.empty() || !c.failures.empty(); }));
    EXPECT_TRUE(c.client.isAllocated());
    return c;
  }
  SocketAddress listening() { return {*peerHost.address(), 4001}; }
  PeerStreamId connect(ClientNode& c, const SocketAddress& to) {
    const size_t before = c.opened.size() + c.ended.size();
    const auto id = c.client.connect(to, world.now());
    EXPECT_TRUE(id);
    runUntil([&] { return c.opened.size() + c.ended.size() > before; });
    return id.value_or(PeerStreamId{});
  }
  /// The peer opens a connection to the relayed address.
  void peerConnects(const SocketAddress& to, uint32_t id = 20) {
    peer.effects.push_back(OpenTcp{SocketId(id), to});
    world.at(world.now(), [] {});
  }
  SocketId accepted() { return peer.accepted.back().socket; }
};

class TcpRelaySim : public ::testing::TestWithParam<Transport> {};

TEST_P(TcpRelaySim, ConnectsToAPeerAndCarriesBytesBothWays) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate(GetParam());
  const PeerStreamId stream = w.connect(c, w.listening());
  ASSERT_EQ(c.opened.size(), 1u) << c.ended[0].text;
  EXPECT_FALSE(c.opened[0].incoming);
  // It comes from the relayed address, not from just any.
  ASSERT_EQ(w.peer.accepted.size(), 1u);
  EXPECT_EQ(w.peer.accepted[0].remote, c.allocated[0].relayed[0]);

  const std::string out = pattern(1'000'000);
  c.outgoing[stream] = out;
  for (size_t i = 0; i < 200; ++i) w.peer.send(w.accepted(), {}, out.substr(i * 1000, 1000));
  EXPECT_TRUE(w.runUntil(
      [&] { return w.peer.stream.size() == out.size() && c.streamed[stream].size() == 200'000; }));
  EXPECT_TRUE(w.peer.stream == out);
  EXPECT_TRUE(c.streamed[stream] == out.substr(0, 200'000));
  EXPECT_GT(c.writable, 0);
  EXPECT_EQ(w.server->counters().bytesToPeers, out.size());
  const auto info = w.server->allocations(w.world.now());
  ASSERT_EQ(info.size(), 1u);
  EXPECT_TRUE(info[0].tcp);
  EXPECT_EQ(info[0].connections, 1u);

  c.client.closeStream(stream, w.world.now());
  w.run(Duration::seconds(1));
  ASSERT_EQ(w.peer.failed.size(), 1u);
  EXPECT_EQ(w.peer.failed[0].reason, SocketFailure::Closed);
  EXPECT_EQ(w.server->allocations(w.world.now())[0].connections, 0u);
  EXPECT_TRUE(c.client.isAllocated());
}

TEST_P(TcpRelaySim, APeerConnectsIfItIsPermitted) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate(GetParam());
  w.peerConnects(c.allocated[0].relayed[0]);
  w.run(Duration::seconds(1));
  EXPECT_TRUE(c.opened.empty());
  ASSERT_EQ(w.peer.failed.size(), 1u);  // closed as soon as it stood
  EXPECT_EQ(w.server->counters().connectionsRefused, 1u);

  c.client.permit(*w.peerHost.address(), w.world.now());
  w.run(Duration::millis(100));
  w.peerConnects(c.allocated[0].relayed[0], 21);
  w.peer.onInput = [&](Timestamp) {
    // A peer that speaks first, before the client has claimed the connection.
    if (w.peer.opened.back().socket == SocketId(21) && w.peer.stream.empty() &&
        w.peer.transmits.empty()) {
      w.peer.stream = ".";
      w.peer.send(21, {}, "hello from the peer");
    }
  };
  ASSERT_TRUE(w.runUntil([&] { return !c.opened.empty(); }, Duration::seconds(5)));
  EXPECT_TRUE(c.opened[0].incoming);
  EXPECT_EQ(c.opened[0].peer.ip, *w.peerHost.address());
  w.peer.stream.clear();
  w.peer.onInput = nullptr;
  c.outgoing[c.opened[0].stream] = "and back";
  EXPECT_TRUE(w.runUntil([&] { return w.peer.stream == "and back"; }));
  EXPECT_EQ(c.streamed[c.opened[0].stream], "hello from the peer");

  w.peer.effects.push_back(CloseSocket{SocketId(21)});
  ASSERT_TRUE(w.runUntil([&] { return !c.ended.empty(); }));
  EXPECT_EQ(c.ended[0].code, 0);
}

TEST_P(TcpRelaySim, TheEndOfTheAllocationIsTheEndOfItsConnections) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate(GetParam());
  w.connect(c, w.listening());
  c.client.close(w.world.now());
  w.run(Duration::seconds(2));
  EXPECT_EQ(c.closings, 1);
  EXPECT_EQ(c.ended.size(), 1u);
  EXPECT_EQ(w.peer.failed.size(), 1u);
  EXPECT_EQ(w.server->allocationCount(), 0u);
  EXPECT_EQ(w.server->streamCount(), 0u);
  EXPECT_TRUE(c.client.nextDeadline().isNever());
}

INSTANTIATE_TEST_SUITE_P(Transports, TcpRelaySim, ::testing::Values(Transport::Tcp, Transport::Tls),
                         [](const auto& param) { return std::string(toString(param.param)); });

TEST(TcpRelaySim, TwoClientsOfOneServerReachEachOther) {
  TcpRelayWorld w;
  ClientNode& a = w.allocate();
  ClientNode& b = w.addClient(w.tcpConfig(), w.peerHost);
  ASSERT_TRUE(w.runUntil([&] { return b.client.isAllocated(); }));
  b.client.permit(a.allocated[0].relayed[0].ip, w.world.now());
  w.run(Duration::millis(200));
  const PeerStreamId stream = w.connect(a, b.allocated[0].relayed[0]);
  ASSERT_TRUE(
      w.runUntil([&] { return !a.opened.empty() && !b.opened.empty(); }, Duration::seconds(5)));
  EXPECT_EQ(b.opened[0].peer, a.allocated[0].relayed[0]);
  a.outgoing[stream] = "through the server twice";
  EXPECT_TRUE(
      w.runUntil([&] { return b.streamed[b.opened[0].stream] == "through the server twice"; }));
}

TEST(TcpRelaySim, RefusalsAreToldByTheirNumbers) {
  TcpRelayWorld w;
  w.config.maxConnections = 2;
  w.config.deniedPeers = {*AddressRange::parse("198.51.100.200/32")};
  ClientNode& c = w.allocate();
  const auto codeOf = [&](const SocketAddress& to) {
    const auto id = c.client.connect(to, w.world.now());
    if (!id) return -1;
    w.runUntil([&] { return !c.ended.empty() || c.client.isDone(); }, Duration::seconds(70));
    const int code = c.ended.empty() ? 0 : c.ended.back().code;
    c.ended.clear();
    return code;
  };
  EXPECT_EQ(codeOf(at("198.51.100.200:80")), 403);
  EXPECT_EQ(codeOf(at("127.0.0.1:80")), 403);
  EXPECT_EQ(codeOf({*w.peerHost.address(), 9}), 447);
  EXPECT_EQ(codeOf(at("[2001:db8:1::9]:80")), -1);  // no relayed address of that family
  w.connect(c, w.listening());
  ASSERT_EQ(c.opened.size(), 1u);
  EXPECT_EQ(codeOf(w.listening()), 446);
  const Timestamp start = w.world.now();
  EXPECT_EQ(codeOf(at("203.0.113.77:80")), 447);  // nobody answers, nobody refuses
  EXPECT_LE(w.world.now() - start, Duration::seconds(31));
  w.peer.effects.push_back(ListenTcp{SocketId(11), at("0.0.0.0:4002")});
  w.peer.effects.push_back(ListenTcp{SocketId(12), at("0.0.0.0:4003")});
  w.run(Duration::millis(10));
  c.client.connect({*w.peerHost.address(), 4002}, w.world.now());
  w.run(Duration::seconds(1));
  ASSERT_EQ(c.opened.size(), 2u);
  EXPECT_EQ(codeOf({*w.peerHost.address(), 4003}), 508);
  EXPECT_EQ(w.server->counters().forbiddenPeers, 2u);
  EXPECT_TRUE(c.client.isAllocated());
}

TEST(TcpRelaySim, OnlyOverAStreamAndOnlyWhereTheServerDoesIt) {
  TcpRelayWorld w;
  w.config.maxConnections = 0;
  w.startServer();
  ClientConfig udp = w.tcpConfig();
  udp.transport = Transport::Udp;
  ClientNode& local = w.addClient(udp);
  ClientNode& c = w.addClient(w.tcpConfig());
  w.run(Duration::seconds(1));
  ASSERT_EQ(local.failures.size(), 1u);
  EXPECT_EQ(local.failures[0].code, 400);
  ASSERT_EQ(c.failures.size(), 1u);
  EXPECT_EQ(c.failures[0].code, 442);
  EXPECT_EQ(w.server->allocationCount(), 0u);
}

TEST(TcpRelaySim, DatagramsAndConnectionsDoNotMix) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate();
  EXPECT_FALSE(c.send(w.peerAddress(), "datagram", w.world.now()));
  ClientNode& plain = w.addClient(Transport::Tcp);
  w.run(Duration::seconds(1));
  EXPECT_FALSE(plain.client.connect(w.listening(), w.world.now()));
}

// The peer sends faster than the client's line takes: it is slowed down, nothing piles up.
TEST(TcpRelaySim, ASlowReaderSlowsTheSenderDown) {
  TcpRelayWorld w;
  sim::Host& slow =
      w.world.addHost("slow", w.net,
                      {.up = {.delay = Duration::millis(20)},
                       .down = {.delay = Duration::millis(20),
                                .queue = {.rate = DataRate::kbps(2000), .limitBytes = 2'000'000}}});
  w.startServer();
  ClientNode& c = w.addClient(w.tcpConfig(), slow);
  ASSERT_TRUE(w.runUntil([&] { return c.client.isAllocated(); }));
  const PeerStreamId stream = w.connect(c, w.listening());
  ASSERT_EQ(c.opened.size(), 1u);
  const std::string out = pattern(3'000'000);
  size_t fed = 0;
  size_t piled = 0;
  const Timestamp start = w.world.now();
  // As an application would: more when the last has left.
  while (c.streamed[stream].size() < out.size() && w.world.now() - start < Duration::seconds(40)) {
    const bool isFull = !w.peer.pressure.empty() && w.peer.pressure.back();
    for (int i = 0; i < 40 && fed < out.size() && !isFull; ++i, fed += 1000)
      w.peer.send(w.accepted(), {}, out.substr(fed, 1000));
    w.run(Duration::millis(10));
    piled = std::max(piled, w.serverPool->inUse());
  }
  EXPECT_EQ(c.streamed[stream].size(), out.size());
  EXPECT_TRUE(c.streamed[stream] == out);
  EXPECT_LT(piled, 200u) << w.serverNode->counters().unsent;
  // 12 s is what the line takes at least.
  EXPECT_LT(w.world.now() - start, Duration::seconds(16));
  // The end of what was sent arrives after it.
  w.peer.effects.push_back(CloseSocket{w.accepted()});
  EXPECT_TRUE(w.runUntil([&] { return c.ended.size() == 1; }));
}

TEST(TcpRelaySim, AStreamThatIsNotPolledStopsItsSender) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate();
  const PeerStreamId stream = w.connect(c, w.listening());
  c.sleepy = true;
  const std::string out = pattern(900'000);
  for (size_t i = 0; i < 900; ++i) w.peer.send(w.accepted(), {}, out.substr(i * 1000, 1000));
  w.peer.effects.push_back(CloseSocket{w.accepted()});
  w.run(Duration::seconds(20));
  EXPECT_LT(c.pool().inUse(), 300u);
  EXPECT_TRUE(c.ended.empty());
  EXPECT_LT(w.server->counters().bytesToClients, 700'000u);
  c.sleepy = false;
  c.client.permit(ip("198.51.100.77"), w.world.now());  // wakes the node
  EXPECT_TRUE(w.runUntil([&] { return c.ended.size() == 1; }));
  EXPECT_EQ(c.streamed[stream].size(), out.size());
  EXPECT_TRUE(c.streamed[stream] == out);
}

// A cap is kept by reading less: nothing is lost.
TEST(TcpRelaySim, ABandwidthCapLosesNothing) {
  TcpRelayWorld w;
  w.config.maxRatePerAllocation = DataRate::kbps(4000);
  ClientNode& c = w.allocate();
  const PeerStreamId stream = w.connect(c, w.listening());
  const std::string out = pattern(4'000'000);
  c.outgoing[stream] = out;
  const Timestamp start = w.world.now();
  ASSERT_TRUE(w.runUntil([&] { return w.peer.stream.size() == out.size(); }));
  EXPECT_TRUE(w.peer.stream == out);
  const double seconds = (w.world.now() - start).seconds();
  EXPECT_GT(seconds, 6.5);
  EXPECT_LT(seconds, 9.0);
}

TEST(TcpRelaySim, CarriesOnThroughLossOnEveryLeg) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TcpRelayWorld w(seed);
    sim::Host& lossy = w.world.addHost("lossy", w.net,
                                       {.up = {.delay = Duration::millis(5), .loss = {0.05}},
                                        .down = {.delay = Duration::millis(5), .loss = {0.05}}});
    w.startServer();
    ClientNode& c = w.addClient(w.tcpConfig(seed % 2 ? Transport::Tcp : Transport::Tls), lossy);
    ASSERT_TRUE(w.runUntil([&] { return c.client.isAllocated(); })) << seed;
    const auto stream = c.client.connect(w.listening(), w.world.now());
    ASSERT_TRUE(w.runUntil([&] { return !c.opened.empty(); })) << seed;
    const std::string out = pattern(50'000);
    c.outgoing[*stream] = out;
    w.peer.onInput = [&w, sent = false](Timestamp) mutable {
      if (sent || w.peer.accepted.empty()) return;
      sent = true;
      for (int i = 0; i < 50; ++i) w.peer.send(w.accepted(), {}, std::string(1000, 'p'));
    };
    EXPECT_TRUE(w.runUntil([&] {
      return w.peer.stream == out && c.streamed[*stream].size() == 50'000;
    })) << seed;
  }
}

// The peer's host vanishes; the client's does. Neither leaves anything behind for good.
TEST(TcpRelaySim, LostStreamsAreNoticed) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate();
  w.connect(c, w.listening());
  w.peerHost.setUp(w.peerHost.port(0), false);
  c.outgoing[c.opened[0].stream] = "nobody hears this";
  ASSERT_TRUE(w.runUntil([&] { return c.ended.size() == 1; }, Duration::seconds(300)));
  EXPECT_EQ(c.ended[0].code, 0);
  EXPECT_EQ(w.server->allocations(w.world.now())[0].connections, 0u);
  w.peerHost.setUp(w.peerHost.port(0), true);
  w.peer.effects.push_back(ListenTcp{SocketId(11), at("0.0.0.0:4002")});
  w.run(Duration::millis(10));
  w.connect(c, {*w.peerHost.address(), 4002});
  ASSERT_EQ(c.opened.size(), 2u);
  // The server lets an allocation go whose client does not refresh it, and its connections with it.
  w.clientHost.setUp(w.clientHost.port(0), false);
  w.run(Duration::seconds(900));
  EXPECT_EQ(w.server->allocationCount(), 0u);
  EXPECT_EQ(w.server->streamCount(), 0u);
  EXPECT_TRUE(c.client.isDone());
  EXPECT_EQ(c.ended.size(), 2u);
}

TEST(TcpRelaySim, AServerThatRestartsIsNoticed) {
  TcpRelayWorld w;
  ClientNode& c = w.allocate();
  w.connect(c, w.listening());
  w.stopServer();
  EXPECT_TRUE(
      w.runUntil([&] { return c.client.isDone() && c.ended.size() == 1; }, Duration::seconds(700)));
}

}  // namespace
}  // namespace parley::turn
