#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/check.h"
#include "parley/stun/turn.h"
#include "parley/turn/server.h"

#include "turn/client_auth.h"

namespace parley::turn {

inline SocketAddress address(const char* text) {
  return *SocketAddress::parse(text);
}

/// A Server without a network: requests are put in by hand and its answers looked at.
struct RawServer {
  explicit RawServer(ServerConfig settings = {}) : server(env, fill(std::move(settings))) {
    server.start(now);
    pump();
  }
  static ServerConfig fill(ServerConfig settings) {
    settings.listeners = {{Transport::Udp, address("0.0.0.0:3478")}};
    settings.relays = {{*IpAddress::parse("198.51.100.1")}};
    settings.realm = "example.org";
    if (settings.users.empty()) settings.users = {{"alice", "wonderland"}, {"bob", "builder"}};
    return settings;
  }
  /// Executes effects: every socket opens, unless its port is in `taken`.
  void pump() {
    Effect effect;
    while (server.pollEffect(effect)) {
      if (const auto* open = std::get_if<OpenUdp>(&effect)) {
        if (listener == SocketId{}) listener = open->socket;
        opened.push_back(*open);
        const bool refused = takenPorts > 0;
        if (refused) {
          --takenPorts;
          server.handle(SocketFailed{open->socket, SocketFailure::AddressInUse}, now);
        } else {
          server.handle(SocketOpened{open->socket, open->local}, now);
        }
      } else if (const auto* close = std::get_if<CloseSocket>(&effect)) {
        closed.push_back(close->socket);
      }
    }
    std::array<TxPacket, 32> batch;
    while (const size_t count = server.pollTransmit(batch)) {
      for (size_t i = 0; i < count; ++i) sent.push_back(std::move(batch[i]));
    }
  }
  void datagram(SocketId socket, const SocketAddress& from, ByteSpan bytes) {
    Datagram in;
    in.socket = socket;
    in.from = from;
    in.to = address("198.51.100.1:3478");
    in.data = pool.copyOf(bytes);
    server.handle(std::move(in), now);
    pump();
  }
  void advance(Duration by) {
    const Timestamp end = now + by;
    while (server.nextDeadline() <= end) {
      now = server.nextDeadline();
      server.advance(now);
      PARLEY_CHECK(server.nextDeadline() > now);
      pump();
    }
    now = end;
  }

  SeededRandom random{1};
  PacketPool pool;
  Environment env{random, pool};
  Timestamp now = Timestamp::seconds(1'000);
  Server server;
  SocketId listener{};
  int takenPorts = 0;
  std::vector<OpenUdp> opened;
  std::vector<SocketId> closed;
  std::vector<TxPacket> sent;
};

/// Writes requests by hand.
struct RawClient {
  RawClient(RawServer& rawServer, const char* from, const char* user = "alice",
            const char* password = "wonderland")
      : raw(rawServer), source(address(from)), auth(user, password) {}

  using Fill = std::function<void(stun::MessageBuilder&)>;
  Bytes build(stun::Class kind, stun::Method method, const Fill& fill) {
    std::array<uint8_t, 1024> out;
    if (!repeatId) id = stun::newTransactionId(random);
    stun::MessageBuilder builder(out, kind, method, id);
    fill(builder);
    if (auth.ready() && kind == stun::Class::Request) {
      auth.addTo(builder);
      auth.sign(builder);
    }
    return toBytes(builder.written());
  }
  /// The code of the answer: 0 success, -1 none.
  int ask(stun::Method method, const Fill& fill) {
    const size_t before = raw.sent.size();
    raw.datagram(raw.listener, source, build(stun::Class::Request, method, fill));
    if (raw.sent.size() == before) return -1;
    answer = toBytes(raw.sent.back().data.span());
    const auto message = stun::Message::parse(answer);
    if (message->messageClass() == stun::Class::Success) return 0;
    const auto error = message->error();
    if (error->code == 401 || error->code == 438) auth.challenge(*message);
    return error->code;
  }
  static void udp(stun::MessageBuilder& b) {
    b.u32(stun::AttributeType::RequestedTransport,
          stun::requestedTransport(stun::RelayTransport::Udp));
  }
  int allocate(const Fill& more = [](stun::MessageBuilder&) {}) {
    const auto fill = [&](stun::MessageBuilder& b) {
      udp(b);
      more(b);
    };
    const int first = ask(stun::Method::Allocate, fill);
    const int code = first == 401 ? ask(stun::Method::Allocate, fill) : first;
    if (code == 0) relayed = *message()->xorAddress(stun::AttributeType::XorRelayedAddress);
    return code;
  }
  int permit(const char* peer) {
    return ask(stun::Method::CreatePermission, [&](stun::MessageBuilder& b) {
      b.xorAddress(stun::AttributeType::XorPeerAddress, {*IpAddress::parse(peer), 0});
    });
  }
  int bind(uint16_t channel, const char* peer) {
    return ask(stun::Method::ChannelBind, [&](stun::MessageBuilder& b) {
      b.u32(stun::AttributeType::ChannelNumber, stun::channelNumberValue(channel))
          .xorAddress(stun::AttributeType::XorPeerAddress, address(peer));
    });
  }
  int refresh(uint32_t seconds) {
    return ask(stun::Method::Refresh,
               [&](stun::MessageBuilder& b) { b.u32(stun::AttributeType::Lifetime, seconds); });
  }
  void sendData(const SocketAddress& peer, std::string_view text) {
    raw.datagram(raw.listener, source,
                 build(stun::Class::Indication, stun::Method::Send, [&](stun::MessageBuilder& b) {
                   b.xorAddress(stun::AttributeType::XorPeerAddress, peer)
                       .text(stun::AttributeType::Data, text);
                 }));
  }
  std::optional<stun::Message> message() { return stun::Message::parse(answer); }

  RawServer& raw;
  SocketAddress source;
  ClientAuth auth;
  SeededRandom random{5};
  stun::TransactionId id{};
  bool repeatId = false;
  Bytes answer;
  SocketAddress relayed;
};

}  // namespace parley::turn
