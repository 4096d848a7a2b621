#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "parley/turn/client.h"

#include "turn/proxy_handshake.h"
#include "unit/turn/raw_client.h"

using namespace parley;
using namespace parley::turn;

namespace {

const SocketAddress kLocal = address("203.0.113.1:5000");
const SocketAddress kServer = address("198.51.100.1:3478");

/// A client over UDP whose server is real, and who is also sent what nobody should send.
struct Wired {
  explicit Wired(ClientConfig config) : client(raw.env, ids, std::move(config)) {
    client.start(raw.now);
    pump();
  }
  void pump() {
    Effect effect;
    while (client.pollEffect(effect)) {
      if (const auto* open = std::get_if<OpenUdp>(&effect)) {
        socket = open->socket;
        client.handleSocketOpened({socket, kLocal}, raw.now);
      }
    }
    TxPacket packet;
    while (client.pollTransmit(packet)) {
      if (listening) raw.datagram(raw.listener, kLocal, packet.data.span());
    }
    for (TxPacket& answer : raw.sent) {
      if (answer.to == kLocal && answer.socket == raw.listener) give(answer.data.span());
    }
    raw.sent.clear();
    PeerData data;
    while (client.pollData(data)) {
    }
    ClientEvent event;
    while (client.pollEvent(event)) {
    }
  }
  void give(ByteSpan bytes) {
    Datagram in;
    in.socket = socket;
    in.from = kServer;
    in.to = kLocal;
    in.data = raw.pool.copyOf(bytes);
    if (in.data) client.handleDatagram(std::move(in), raw.now);
  }
  void settle() {
    for (int i = 0; i < 8; ++i) pump();
  }
  void advance(Duration by) {
    const Timestamp end = raw.now + by;
    for (int i = 0; i < 1000 && client.nextDeadline() <= end; ++i) {
      raw.now = client.nextDeadline();
      client.advance(raw.now);
      if (client.nextDeadline() <= raw.now) std::abort();
      settle();
    }
    raw.now = std::max(raw.now, end);
    raw.server.advance(raw.now);
  }

  RawServer raw;
  IdAllocator ids;
  SocketId socket{};
  bool listening = true;
  Client client;
};

void proxies(ByteSpan bytes) {
  for (const Proxy::Kind kind : {Proxy::Kind::HttpConnect, Proxy::Kind::Socks5}) {
    ProxyHandshake handshake({kind, "proxy", 1, "user", "password"}, "turn.example", 3478);
    (void)handshake.start();
    ByteSpan rest = bytes;
    Bytes reply;
    while (!rest.empty()) {
      ByteSpan piece = rest.first(std::min<size_t>(rest.size(), 5));
      const size_t before = piece.size();
      if (handshake.handle(piece, reply) != ProxyHandshake::Status::NeedMore) break;
      rest = rest.subspan(before - piece.size());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  proxies({data, size});
  ByteReader in({data, size});
  const uint8_t flags = in.u8();
  ClientConfig config;
  config.connectTo = kServer;
  config.username = "alice";
  config.password = "wonderland";
  config.families = static_cast<RelayFamilies>(flags % 3);
  config.mobility = (flags & 4) != 0;
  Wired wired(std::move(config));
  if ((flags & 8) != 0) wired.settle();
  for (int steps = 0; in.remaining() >= 2 && steps < 100; ++steps) {
    const uint8_t action = in.u8();
    const ByteSpan bytes = in.bytes(std::min<size_t>(in.u8(), in.remaining()));
    switch (action % 6) {
      case 0:
        wired.give(bytes);
        break;
      case 1: {
        TxPacket packet;
        packet.to = {IpAddress::v4(203, 0, 113, static_cast<uint8_t>(action)), 9};
        packet.data = wired.raw.pool.copyOf(bytes);
        wired.client.send(std::move(packet), wired.raw.now);
        break;
      }
      case 2:
        wired.advance(Duration::seconds(action));
        break;
      case 3:
        wired.listening = action % 4 != 0;
        break;
      case 4:
        wired.client.handleNetworkChange(wired.raw.now);
        break;
      default:
        wired.client.permit(IpAddress::v4(203, 0, 113, action), wired.raw.now);
        break;
    }
    wired.settle();
  }
  wired.client.close(wired.raw.now);
  wired.advance(Duration::seconds(60));
  if (!wired.client.isDone()) std::abort();
  return 0;
}
