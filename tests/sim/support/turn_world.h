#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sim/world.h"
#include "parley/turn/client.h"
#include "parley/turn/server.h"

#include "support/scripted_driven.h"
#include "support/tls_identity.h"

namespace parley::turn {

/// A Client that a simulated host can run.
class ClientNode final : public Driven {
 public:
  ClientNode(sim::World& world, std::string_view name, ClientConfig config)
      : random_(world.randomFor(name)),
        env_{random_, pool_, nullLog(), world.wallClock()},
        client(env_, ids_, std::move(config)) {}

  void handle(Input&& input, Timestamp now) override {
    now_ = now;
    if (auto* datagram = std::get_if<Datagram>(&input)) {
      client.handleDatagram(std::move(*datagram), now);
    } else if (auto* bytes = std::get_if<StreamBytes>(&input)) {
      client.handleStream(std::move(*bytes), now);
    } else if (auto* pressure = std::get_if<StreamPressure>(&input)) {
      client.handlePressure(*pressure, now);
    } else if (auto* bound = std::get_if<SocketOpened>(&input)) {
      client.handleSocketOpened(*bound, now);
    } else if (auto* failed = std::get_if<SocketFailed>(&input)) {
      client.handleSocketFailed(*failed, now);
    }
  }
  void advance(Timestamp now) override {
    now_ = now;
    client.advance(now);
    if (nervous) client.advance(now);
  }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && client.pollTransmit(out[count])) ++count;
    return count;
  }
  bool pollEffect(Effect& out) override { return client.pollEffect(out); }
  Timestamp nextDeadline() const override { return client.nextDeadline(); }
  PacketPool& pool() override { return pool_; }
  void dispatch() override {
    if (!sleepy) {
      for (const PeerStreamOpened& one : opened) {
        PacketBuf bytes;
        while (client.pollStream(one.stream, bytes)) streamed[one.stream] += asText(bytes.span());
      }
    }
    ClientEvent event;
    while (client.pollEvent(event)) {
      if (auto* made = std::get_if<Allocated>(&event)) allocated.push_back(*made);
      if (auto* failedNow = std::get_if<ClientFailed>(&event)) failures.push_back(*failedNow);
      if (std::holds_alternative<ClientClosed>(event)) ++closings;
      if (auto* one = std::get_if<PeerStreamOpened>(&event)) opened.push_back(*one);
      if (auto* one = std::get_if<PeerStreamClosed>(&event)) ended.push_back(*one);
      if (std::holds_alternative<PeerStreamWritable>(event)) ++writable;
    }
    PeerData data;
    while (client.pollData(data)) {
      from.push_back(data.peer);
      got.push_back(std::string(asText(data.data.span())));
    }
    for (auto& [stream, text] : outgoing) {
      size_t sent = 0;
      while (sent < text.size()) {
        const std::string_view piece = std::string_view(text).substr(sent, 1200);
        if (!client.sendStream(stream, pool_.copyOf(asBytes(piece)), now_)) break;
        sent += piece.size();
      }
      text.erase(0, sent);
    }
  }

  bool send(const SocketAddress& peer, std::string_view text, Timestamp now,
            TxClass txClass = TxClass::Control) {
    TxPacket packet;
    packet.to = peer;
    packet.txClass = txClass;
    packet.data = pool_.copyOf(asBytes(text));
    return client.send(std::move(packet), now);
  }

 private:
  SeededRandom random_;
  PacketPool pool_;
  Environment env_;
  IdAllocator ids_;
  Timestamp now_;

 public:
  Client client;
  bool nervous = false;
  std::vector<Allocated> allocated;
  std::vector<ClientFailed> failures;
  int closings = 0;
  std::vector<SocketAddress> from;
  std::vector<std::string> got;
  // Relayed TCP connections: what came of them and on them, and what is still to be sent.
  bool sleepy = false;  ///< does not poll streams
  std::vector<PeerStreamOpened> opened;
  std::vector<PeerStreamClosed> ended;
  int writable = 0;
  std::map<PeerStreamId, std::string> streamed;
  std::map<PeerStreamId, std::string> outgoing;
};

inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
inline SocketAddress at(const char* text) {
  return *SocketAddress::parse(text);
}

/// A server, a client's host and a peer's host on one public network.
class TurnWorld {
 public:
  explicit TurnWorld(uint64_t seed = 1) : world(seed) {
    peer.echo = true;
    peer.openUdp(1, at("0.0.0.0:4000"));
    peer.openUdp(2, at("[::]:4000"));
    world.addNode(peerHost, peer);
    config.listeners = {{Transport::Udp, at("0.0.0.0:3478")},
                        {Transport::Udp, at("[::]:3478")},
                        {Transport::Tcp, at("0.0.0.0:3478")},
                        {Transport::Tls, at("0.0.0.0:5349")}};
    config.relays = {{ip("198.51.100.1")}, {ip("2001:db8:1::1")}};
    config.realm = "example.org";
    config.users = {{"alice", "wonderland"}};
    config.tls = *dtls::TlsContext::server(
        {.certificateChain = test::kServerCertificate, .privateKey = test::kServerKey});
    // The server sits on a documentation range; nothing else needs an exception.
  }

  void startServer() {
    serverPool = std::make_unique<PacketPool>();
    serverRandom =
        std::make_unique<SeededRandom>(world.randomFor("server" + std::to_string(runs++)));
    serverEnv.reset(new Environment{*serverRandom, *serverPool, nullLog(), world.wallClock()});
    EXPECT_TRUE(Server::check(config).has_value());
    server = std::make_unique<Server>(*serverEnv, config);
    server->start(world.now());
    serverNode = &world.addNode(serverHost, *server);
  }
  void stopServer() {
    world.removeNode(*serverNode);
    server.reset();
  }

  ClientConfig clientConfig(Transport transport) const {
    ClientConfig out;
    out.transport = transport;
    out.connectTo = at(isSecure(transport) ? "198.51.100.1:5349" : "198.51.100.1:3478");
    out.host = "turn.example";
    out.port = out.connectTo.port;
    out.username = "alice";
    out.password = "wonderland";
    out.families = RelayFamilies::V4;
    if (isSecure(transport))
      out.tls = *dtls::TlsContext::client({.roots = test::kServerCertificate});
    return out;
  }
  ClientNode& addClient(ClientConfig clientSettings, sim::Host& host) {
    clients.push_back(std::make_unique<ClientNode>(world, "client" + std::to_string(clients.size()),
                                                   std::move(clientSettings)));
    ClientNode& node = *clients.back();
    world.addNode(host, node);
    node.client.start(world.now());
    return node;
  }
  ClientNode& addClient(ClientConfig clientSettings) {
    return addClient(std::move(clientSettings), clientHost);
  }
  ClientNode& addClient(Transport transport = Transport::Udp) {
    return addClient(clientConfig(transport));
  }
  void run(Duration duration) { world.run(duration); }
  bool runUntil(const std::function<bool()>& done, Duration limit = Duration::seconds(60)) {
    return world.runUntil(done, limit);
  }
  SocketAddress peerAddress() { return {*peerHost.address(), 4000}; }
  SocketAddress peerAddressV6() { return {*peerHost.address(AddressFamily::V6), 4000}; }

  sim::World world;
  sim::Segment& net = world.addSegment(sim::SegmentConfig{
      .name = "net", .v4Base = ip("198.51.100.0"), .v6Base = ip("2001:db8:1::")});
  sim::Host& serverHost = world.addHost("server", net);
  sim::Host& clientHost =
      world.addHost("client", net,
                    {.up = {.delay = Duration::millis(5)}, .down = {.delay = Duration::millis(5)}});
  sim::Host& peerHost = world.addHost("peer", net);
  test::ScriptedDriven peer;
  ServerConfig config;
  int runs = 0;
  std::unique_ptr<PacketPool> serverPool;
  std::unique_ptr<SeededRandom> serverRandom;
  std::unique_ptr<Environment> serverEnv;
  std::unique_ptr<Server> server;
  sim::Node* serverNode = nullptr;
  std::vector<std::unique_ptr<ClientNode>> clients;
};

}  // namespace parley::turn
