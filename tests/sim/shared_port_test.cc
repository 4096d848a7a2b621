// A server whose connections all share one UDP port, or one TCP port.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/api/data_channel.h"
#include "parley/api/peer_connection.h"
#include "parley/sim/firewall.h"
#include "parley/sim/world.h"

namespace parley {
namespace {

/// A loop in the simulated world.
struct SimLoop {
  SimLoop(sim::World& simWorld, sim::Host& host, std::vector<SocketAddress> ports = {},
          std::vector<SocketAddress> tcpPorts = {})
      : world(simWorld), random(world.randomFor(host.name())) {
    LoopOptions options;
    options.threading = Threading::Unlocked;
    options.mediaThreads = MediaThreads::Inline;
    options.random = &random;
    options.clock = [this] { return world.now(); };
    options.wallClock = [this] { return world.wallClock(); };
    options.udpPorts = std::move(ports);
    options.tcpPorts = std::move(tcpPorts);
    loop = Loop::create(std::move(options));
    node = &world.addNode(host, loop->driven());
  }
  ~SimLoop() { world.removeNode(*node); }
  /// From another loop's callback: as if it came over the network.
  void later(std::function<void()> fn) { world.after(Duration::millis(1), std::move(fn)); }

  sim::World& world;
  SeededRandom random;
  std::shared_ptr<Loop> loop;
  sim::Node* node = nullptr;
};

/// A client with a channel to the server, which echoes.
struct Client {
  Client(SimLoop& own, SimLoop& serverLoop, bool serverIsLite)
      : server(serverLoop),
        pc(*PeerConnection::create(own.loop, {})),
        peer(makePeer(server, serverIsLite)) {
    pc.onIceCandidate([this](const std::optional<IceCandidate>& candidate) {
      if (candidate) server.later([this, c = *candidate] { peer.addIceCandidate(c, {}); });
    });
    peer.onIceCandidate([this](const std::optional<IceCandidate>& candidate) {
      if (candidate) server.later([this, c = *candidate] { pc.addIceCandidate(c, {}); });
    });
    peer.onDataChannel([this](DataChannel incoming) {
      echo = incoming;
      echo->onMessage(
          [this](const DataMessage& message) { EXPECT_TRUE(echo->send(asText(message.data))); });
    });
    channel = pc.createDataChannel("c").value();
    channel->onMessage([this](const DataMessage& message) { got += asText(message.data); });
  }
  ~Client() {
    pc.close();
    peer.close();
  }
  static PeerConnection makePeer(SimLoop& server, bool lite) {
    Configuration configuration;
    configuration.iceLite = lite;
    return *PeerConnection::create(server.loop, configuration);
  }
  void negotiate() {
    const auto well = [](Result<void> done) { EXPECT_TRUE(done); };
    pc.setLocalDescription([this, well](Result<void>) {
      server.later([this, well, offer = *pc.localDescription()] {
        peer.setRemoteDescription(offer, well);
        peer.setLocalDescription([this, well](Result<void>) {
          server.later([this, well, answer = *peer.localDescription()] {
            pc.setRemoteDescription(answer, well);
          });
        });
      });
    });
  }
  SimLoop& server;
  PeerConnection pc, peer;
  std::optional<DataChannel> channel, echo;
  std::string got;
};

/// Clients of one server, on machines of `clientNet`; with the parameter, the server's agents are
/// lite.
class ManyClients : public ::testing::TestWithParam<bool> {
 protected:
  sim::World world{1};
  std::vector<std::unique_ptr<SimLoop>> loops;
  std::vector<std::unique_ptr<Client>> clients;

  void addClients(SimLoop& server, sim::Segment& clientNet, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      // Some on a machine of their own, others together on one.
      if (i % 4 == 0) {
        sim::Host& host = world.addHost("client" + std::to_string(clients.size()), clientNet);
        loops.push_back(std::make_unique<SimLoop>(world, host));
      }
      clients.push_back(std::make_unique<Client>(*loops.back(), server, GetParam()));
      clients.back()->negotiate();
    }
  }
  void chat(const std::string& word) {
    for (auto& client : clients) {
      client->got.clear();
      ASSERT_EQ(client->channel->readyState(), DataChannelState::Open);
      EXPECT_TRUE(client->channel->send(word));
    }
    world.run(Duration::seconds(1));
    for (auto& client : clients) EXPECT_EQ(client->got, word);
  }
};

class SharedPortSim : public ManyClients {
 protected:
  sim::Segment& net = world.addSegment("net");
  SimLoop server{world, world.addHost("server", net), {*SocketAddress::parse("0.0.0.0:3478")}};

  void addClients(size_t count) { ManyClients::addClients(server, net, count); }
  ~SharedPortSim() override { clients.clear(); }
};

TEST_P(SharedPortSim, ManyClientsTalkToOnePort) {
  addClients(40);
  world.run(Duration::seconds(3));
  chat("hello");
  EXPECT_EQ(server.loop->udpPorts(),
            std::vector<SocketAddress>{*SocketAddress::parse("0.0.0.0:3478")});
  for (auto& client : clients) {
    const std::string sdp = client->peer.localDescription()->sdp;
    size_t candidates = 0;
    for (size_t at = sdp.find("a=candidate:"); at != std::string::npos;
         at = sdp.find("a=candidate:", at + 1))
      ++candidates;
    EXPECT_EQ(candidates, 1u) << sdp;
    EXPECT_NE(sdp.find(" 3478 typ host"), std::string::npos) << sdp;
  }
  // Some leave, some restart, others come.
  clients.erase(clients.begin(), clients.begin() + 10);
  for (size_t i = 0; i < 10; ++i) {
    clients[i]->pc.restartIce();
    clients[i]->negotiate();
  }
  addClients(5);
  world.run(Duration::seconds(3));
  chat("still here");
  world.run(Duration::seconds(60));
  chat("later");
}

INSTANTIATE_TEST_SUITE_P(Agent, SharedPortSim, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "Lite" : "Full");
});

// Clients whose network lets no UDP pass, and a server with one TCP port for all.
class SharedTcpPortSim : public ManyClients {
 protected:
  sim::Segment& office = world.addSegment("office");
  sim::Segment& net = world.addSegment("net");
  sim::Firewall& firewall = world.addFirewall("firewall", office, net, {.blockUdp = true});
  SimLoop server{world,
                 world.addHost("server", net),
                 {*SocketAddress::parse("0.0.0.0:3478")},
                 {*SocketAddress::parse("0.0.0.0:443")}};

  void addClients(size_t count) { ManyClients::addClients(server, office, count); }
  ~SharedTcpPortSim() override { clients.clear(); }
};

TEST_P(SharedTcpPortSim, ManyClientsTalkToOnePort) {
  addClients(40);
  world.run(Duration::seconds(3));
  chat("hello");
  EXPECT_EQ(server.loop->tcpPorts(),
            std::vector<SocketAddress>{*SocketAddress::parse("0.0.0.0:443")});
  for (auto& client : clients) {
    const std::string sdp = client->peer.localDescription()->sdp;
    EXPECT_NE(sdp.find(" 443 typ host tcptype passive"), std::string::npos) << sdp;
    EXPECT_EQ(sdp.find("tcptype active"), std::string::npos) << sdp;
  }
  clients.erase(clients.begin(), clients.begin() + 10);
  for (size_t i = 0; i < 10; ++i) {
    clients[i]->pc.restartIce();
    clients[i]->negotiate();
  }
  addClients(5);
  world.run(Duration::seconds(3));
  chat("still here");
  world.run(Duration::seconds(60));
  chat("later");
}

INSTANTIATE_TEST_SUITE_P(Agent, SharedTcpPortSim, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "Lite" : "Full");
});

std::string withoutCandidates(const std::string& sdp) {
  std::string out;
  for (size_t at = 0; at < sdp.size();) {
    const size_t end = sdp.find('\n', at) + 1;
    if (sdp.compare(at, 12, "a=candidate:") != 0) out += sdp.substr(at, end - at);
    at = end;
  }
  return out;
}

// The server hands out a description without keeping a connection; the peer's check makes it.
class SharedPortLazySim : public ::testing::TestWithParam<bool> {};

TEST_P(SharedPortLazySim, ConnectionIsMadeWhenItsFirstCheckComes) {
  const std::vector<SocketAddress> port = {*SocketAddress::parse("0.0.0.0:3478")};
  const bool overTcp = GetParam();
  sim::World world(1);
  sim::Segment& net = world.addSegment("net");
  sim::Segment& office = world.addSegment("office");
  world.addFirewall("firewall", office, net, {.blockUdp = overTcp});
  SimLoop server(world, world.addHost("server", net), port,
                 overTcp ? port : std::vector<SocketAddress>{});
  SimLoop own(world, world.addHost("client", office));
  Configuration configuration;
  configuration.certificates = {*Certificate::generate()};
  configuration.iceUfrag = "given";
  configuration.icePassword = "outInAdvanceWith22Chars";
  DataChannelInit init;
  init.negotiated = true;
  init.id = uint16_t{0};
  const auto well = [](Result<void> done) { EXPECT_TRUE(done); };

  PeerConnection client = *PeerConnection::create(own.loop, {});
  DataChannel channel = *client.createDataChannel("c", init);
  client.setLocalDescription(well);
  world.run(Duration::seconds(1));
  const SessionDescription offer = *client.localDescription();
  SessionDescription answer;
  {
    PeerConnection writer = *PeerConnection::create(server.loop, configuration);
    // Without the client's candidates, so that it does not begin the connection itself.
    writer.setRemoteDescription({SdpType::Offer, withoutCandidates(offer.sdp)}, well);
    writer.setLocalDescription(well);
    world.run(Duration::seconds(1));
    answer = *writer.localDescription();
    writer.close();
  }
  EXPECT_NE(answer.sdp.find("a=ice-ufrag:given"), std::string::npos);

  std::optional<PeerConnection> made;
  std::optional<DataChannel> echo;
  server.loop->onUnknownUfrag([&](const UnknownUfrag& unknown) {
    EXPECT_EQ(unknown.localUfrag, "given");
    if (made) return;
    made = *PeerConnection::create(server.loop, configuration);
    echo = *made->createDataChannel("c", init);
    echo->onMessage([&](const DataMessage& message) { EXPECT_TRUE(echo->send(message.data)); });
    made->setRemoteDescription(offer, well);
    made->setLocalDescription(well);
  });
  std::string got;
  channel.onMessage([&](const DataMessage& message) { got = asText(message.data); });
  channel.onOpen([&] { EXPECT_TRUE(channel.send("hello")); });
  client.setRemoteDescription(answer, well);
  world.run(Duration::seconds(5));
  EXPECT_EQ(got, "hello");
  EXPECT_TRUE(made);
  client.close();
  if (made) made->close();
}

INSTANTIATE_TEST_SUITE_P(Protocol, SharedPortLazySim, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "Tcp" : "Udp");
});

TEST(SharedPortSimulation, CredentialsHaveTheirForm) {
  sim::World world(1);
  SimLoop server(world, world.addHost("server", world.addSegment("net")));
  Configuration configuration;
  configuration.iceUfrag = "abc";
  configuration.icePassword = "outInAdvanceWith22Chars";
  for (const char* ufrag : {"", "abc", "abc:", "abcd e"}) {
    configuration.iceUfrag = ufrag;
    const auto made = PeerConnection::create(server.loop, configuration);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::Syntax);
  }
}

}  // namespace
}  // namespace parley
