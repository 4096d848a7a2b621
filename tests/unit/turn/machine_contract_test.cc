// The rules of every machine (support/machine_contract.h), for TURN's two ends and the link below.

#include "support/machine_contract.h"

#include "parley/turn/client.h"
#include "parley/turn/server.h"

#include "turn/server_link.h"

namespace parley::turn {
namespace {

using namespace parley::test;

const SocketAddress kClient{IpAddress::v4(10, 0, 0, 1), 4001};
const SocketAddress kServer{IpAddress::v4(10, 0, 0, 2), 3478};
const SocketAddress kPeer{IpAddress::v4(192, 0, 2, 7), 7777};

class ClientContract final : public Contracted {
 public:
  explicit ClientContract(uint64_t seed)
      : world_(seed), client_(world_.environment, ids_, config()) {}
  static ClientConfig config() {
    ClientConfig config;
    config.connectTo = kServer;
    config.host = "10.0.0.2";
    config.username = "alice";
    config.password = "wonderland";
    config.families = RelayFamilies::V4;
    return config;
  }
  void start(Timestamp now) override { client_.start(now); }
  void work(int round, Timestamp now) override {
    TxPacket packet;
    packet.to = kPeer;
    packet.data = world_.pool.copyOf(Bytes(100, static_cast<uint8_t>(round)));
    (void)client_.send(std::move(packet), now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!client_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* opened = std::get_if<SocketOpened>(&input))
        client_.handleSocketOpened(*opened, now);
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    Datagram datagram{host_.socket, kServer, kClient, world_.pool.copyOf(bytes), Ecn::NotEct};
    client_.handleDatagram(std::move(datagram), now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!client_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    ClientEvent event;
    PeerData data;
    if (client_.pollEvent(event)) {
      out = "event " + std::to_string(event.index());
      return true;
    }
    if (!client_.pollData(data)) return false;
    out = std::string(asText(data.data.span()));
    return true;
  }
  void advance(Timestamp now) override { client_.advance(now); }
  Timestamp nextDeadline() const override { return client_.nextDeadline(); }
  bool close(Timestamp now) override {
    client_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ContractHost host_{kClient.ip};
  Client client_;
};

/// Whatever the server relays comes back at once, as if the peer echoed it.
class ServerContract final : public Contracted {
 public:
  explicit ServerContract(uint64_t seed) : world_(seed), server_(world_.environment, config()) {}
  static ServerConfig config() {
    ServerConfig config;
    config.listeners = {{Transport::Udp, {kServer.ip, kServer.port}}};
    config.relays = {{kServer.ip}};
    config.realm = "example.org";
    config.users = {{"alice", "wonderland"}};
    config.denySpecialPeers = false;
    return config;
  }
  void start(Timestamp now) override { server_.start(now); }
  bool serve(Timestamp now) override {
    now_ = now;
    Effect effect;
    if (!server_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect),
                        [&](Input&& input) { server_.handle(std::move(input), now); });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    server_.handle(Datagram{host_.socket, kClient, kServer, server_.pool().copyOf(bytes)}, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    while (server_.pollTransmit({&packet, 1}) == 1) {
      if (packet.to != kClient) {
        server_.handle(Datagram{packet.socket, packet.to, kServer, std::move(packet.data)}, now_);
        continue;
      }
      out = toBytes(packet.data.span());
      return true;
    }
    return false;
  }
  bool pollEvent(std::string& out) override {
    ServerEvent event;
    if (!server_.pollEvent(event)) return false;
    out = "event " + std::to_string(event.index());
    return true;
  }
  void advance(Timestamp now) override { server_.advance(now); }
  Timestamp nextDeadline() const override { return server_.nextDeadline(); }
  bool close(Timestamp now) override {
    server_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  ContractHost host_{kServer.ip};
  Server server_;
  Timestamp now_;
};

class LinkContract final : public Contracted {
 public:
  LinkContract(uint64_t seed, bool isFirst)
      : world_(seed),
        link_(world_.environment, ids_, config()),
        host_(isFirst ? kClient.ip : kServer.ip) {}
  static void introduce(LinkContract&, LinkContract&) {}
  static LinkConfig config() {
    LinkConfig config;
    config.connectTo = kServer;
    return config;
  }
  void start(Timestamp now) override { link_.open(now); }
  void work(int round, Timestamp now) override {
    TxPacket frame;
    frame.data = world_.pool.copyOf(Bytes(100, static_cast<uint8_t>(round)));
    (void)link_.send(std::move(frame), now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!link_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* opened = std::get_if<SocketOpened>(&input)) link_.handleOpened(*opened, now);
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    link_.handleDatagram(Datagram{host_.socket, kServer, kClient, world_.pool.copyOf(bytes)}, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!link_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    PacketBuf frame;
    if (!link_.pollFrame(frame)) return false;
    out = std::string(asText(frame.span()));
    return true;
  }
  void advance(Timestamp now) override { link_.advance(now); }
  Timestamp nextDeadline() const override { return link_.nextDeadline(); }
  bool close(Timestamp now) override {
    link_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ServerLink link_;
  ContractHost host_;
};

ContractedPair clientAndServer(uint64_t seed) {
  return {std::make_unique<ClientContract>(seed), std::make_unique<ServerContract>(seed)};
}
ContractedPair serverAndClient(uint64_t seed) {
  return {std::make_unique<ServerContract>(seed), std::make_unique<ClientContract>(seed)};
}

// A link hands on whatever a datagram holds; whole or not is for those above to tell.
PARLEY_MACHINES(Turn, MachineCase{"Client", clientAndServer},
                MachineCase{"Server", serverAndClient},
                MachineCase{"ServerLink", pairOf<LinkContract>(), true, false});

}  // namespace
}  // namespace parley::turn
