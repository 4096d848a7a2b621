// Relayed TCP connections (RFC 6062): the server, with every socket in the test's hand.

#include <array>
#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "parley/stun/turn.h"
#include "parley/turn/server.h"

#include "turn/client_auth.h"

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;

SocketAddress address(const char* text) {
  return *SocketAddress::parse(text);
}

/// A server that listens on TCP; its streams are numbers.
struct StreamServer {
  using Fill = std::function<void(MessageBuilder&)>;

  explicit StreamServer(ServerConfig settings = {}) : server(env, fill(std::move(settings))) {
    server.start(now);
    pump();
  }
  static ServerConfig fill(ServerConfig settings) {
    settings.listeners = {{Transport::Tcp, address("0.0.0.0:3478")}};
    settings.relays = {{*IpAddress::parse("198.51.100.1")}};
    settings.users = {{"alice", "wonderland"}, {"bob", "builder"}};
    settings.allowedPeers = {*AddressRange::parse("203.0.113.0/24")};
    return settings;
  }
  void pump() {
    Effect effect;
    while (server.pollEffect(effect)) {
      if (const auto* listen = std::get_if<ListenTcp>(&effect)) {
        (listener == SocketId{} ? listener : relay) = listen->socket;
        relayed = listen->local;
        server.handle(SocketOpened{listen->socket, listen->local}, now);
      } else if (const auto* open = std::get_if<OpenTcp>(&effect)) {
        opening = *open;
      } else if (const auto* hold = std::get_if<HoldStream>(&effect)) {
        held[hold->socket] = hold->hold;
      } else if (const auto* close = std::get_if<CloseSocket>(&effect)) {
        closed.insert(close->socket);
      }
    }
    std::array<TxPacket, 32> batch;
    while (const size_t count = server.pollTransmit(batch)) {
      for (size_t i = 0; i < count; ++i) sent[batch[i].socket] += asText(batch[i].data.span());
    }
  }
  void in(Input&& input) {
    server.handle(std::move(input), now);
    pump();
  }
  void bytes(SocketId stream, std::string_view text) {
    in(StreamBytes{stream, pool.copyOf(asBytes(text))});
  }
  SocketId accept(SocketId by, const char* from) {
    const SocketId stream(++lastAccepted);
    in(TcpAccepted{by, stream, address(from), {}});
    return stream;
  }
  void advance(Duration by) {
    const Timestamp end = now + by;
    while (server.nextDeadline() <= end) {
      now = server.nextDeadline();
      server.advance(now);
      pump();
    }
    now = end;
  }
  bool isHeld(SocketId stream) { return held[stream]; }

  SeededRandom random{1};
  PacketPool pool;
  Environment env{random, pool};
  Timestamp now = Timestamp::seconds(1000);
  Server server;
  SocketId listener{};
  SocketId relay{};
  SocketAddress relayed;
  OpenTcp opening;
  uint32_t lastAccepted = 0x80000000;
  std::map<SocketId, bool> held;
  std::set<SocketId> closed;
  std::map<SocketId, std::string> sent;
};

/// A stream of a client's on which requests are written by hand.
struct StreamClient {
  explicit StreamClient(StreamServer& to, const char* user = "alice",
                        const char* password = "wonderland")
      : s(to), stream(to.accept(to.listener, "203.0.113.1:5000")), auth(user, password) {}

  Bytes build(stun::Method method, const StreamServer::Fill& fill) {
    std::array<uint8_t, 1024> out;
    id = stun::newTransactionId(random);
    MessageBuilder builder(out, stun::Class::Request, method, id);
    fill(builder);
    if (auth.ready()) {
      auth.addTo(builder);
      auth.sign(builder);
    }
    return toBytes(builder.written());
  }
  /// 0 success, -1 no answer, else the code of the error.
  int ask(stun::Method method, const StreamServer::Fill& fill) {
    s.sent[stream].clear();
    s.bytes(stream, asText(build(method, fill)));
    return result();
  }
  int result() {
    answer = toBytes(asBytes(s.sent[stream]));
    const auto message = stun::Message::parse(answer);
    if (!message || message->transactionId() != id) return -1;
    if (message->messageClass() == stun::Class::Success) return 0;
    const auto error = message->error();
    if (error->code == 401) auth.challenge(*message);
    return error->code;
  }
  int authentic(stun::Method method, const StreamServer::Fill& fill) {
    const int code = ask(method, fill);
    return code == 401 ? ask(method, fill) : code;
  }
  int allocate(stun::RelayTransport transport = stun::RelayTransport::Tcp) {
    return authentic(stun::Method::Allocate, [&](MessageBuilder& b) {
      b.u32(AttributeType::RequestedTransport, stun::requestedTransport(transport));
    });
  }
  int connect(const char* peer) {
    return ask(stun::Method::Connect, [&](MessageBuilder& b) {
      b.xorAddress(AttributeType::XorPeerAddress, address(peer));
    });
  }
  int permit(const char* peer) {
    return ask(stun::Method::CreatePermission, [&](MessageBuilder& b) {
      b.xorAddress(AttributeType::XorPeerAddress, {*IpAddress::parse(peer), 0});
    });
  }
  int claim(uint32_t connection) {
    return authentic(stun::Method::ConnectionBind,
                     [&](MessageBuilder& b) { b.u32(AttributeType::ConnectionId, connection); });
  }
  uint32_t connectionId() {
    const auto message = stun::Message::parse(answer);
    return message ? message->u32(AttributeType::ConnectionId).value_or(0) : 0;
  }

  StreamServer& s;
  SocketId stream;
  ClientAuth auth;
  SeededRandom random{7};
  stun::TransactionId id{};
  Bytes answer;
};

/// A client whose Connect has been answered.
struct ConnectedTest : ::testing::Test {
  void SetUp() override {
    ASSERT_EQ(client.allocate(), 0);
    ASSERT_EQ(client.connect("203.0.113.9:80"), -1);  // no answer yet
    peer = s.opening.socket;
    EXPECT_EQ(s.opening.remote, address("203.0.113.9:80"));
    EXPECT_EQ(s.opening.localPort, s.relayed.port);
    EXPECT_GE(s.opening.timeout, Duration::seconds(30));
  }
  void opens() {
    s.in(SocketOpened{peer, s.relayed});
    ASSERT_EQ(client.result(), 0);
    connection = client.connectionId();
    ASSERT_NE(connection, 0u);
  }
  StreamServer s;
  StreamClient client{s};
  SocketId peer{};
  uint32_t connection = 0;
};

TEST_F(ConnectedTest, TheClientClaimsItAndBytesFlow) {
  opens();
  EXPECT_TRUE(s.isHeld(peer));
  s.bytes(peer, "what was read before the hold");
  StreamClient data(s);
  ASSERT_EQ(data.claim(connection), -1);  // the peer's bytes are right behind the answer
  const auto answer = stun::Message::parse(ByteSpan(data.answer).first(data.answer.size() - 29));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->messageClass(), stun::Class::Success);
  EXPECT_TRUE(s.sent[data.stream].ends_with("what was read before the hold"));
  EXPECT_FALSE(s.isHeld(peer));
  s.sent.clear();
  s.bytes(peer, "to the client");
  s.bytes(data.stream, "to the peer");
  EXPECT_EQ(s.sent[data.stream], "to the client");
  EXPECT_EQ(s.sent[peer], "to the peer");
  // Bytes that look like a message are bytes.
  const Bytes request = data.build(stun::Method::Refresh, [](MessageBuilder&) {});
  s.bytes(data.stream, asText(request));
  EXPECT_EQ(s.sent[peer].size(), 11 + request.size());
}

TEST_F(ConnectedTest, WhatFollowsTheClaimInTheSamePieceIsForThePeer) {
  opens();
  StreamClient data(s);
  ASSERT_EQ(data.claim(connection + 1), 400);  // learns the nonce
  Bytes piece = data.build(stun::Method::ConnectionBind, [&](MessageBuilder& b) {
    b.u32(AttributeType::ConnectionId, connection);
  });
  for (const char c : std::string_view("GET / HTTP/1.0")) piece.push_back(static_cast<uint8_t>(c));
  s.bytes(data.stream, asText(piece));
  EXPECT_EQ(s.sent[peer], "GET / HTTP/1.0");
}

TEST_F(ConnectedTest, WhereBytesPileUpTheOtherSideIsHeld) {
  opens();
  StreamClient data(s);
  ASSERT_EQ(data.claim(connection), 0);
  s.in(StreamPressure{data.stream, true});
  EXPECT_TRUE(s.isHeld(peer));
  EXPECT_FALSE(s.isHeld(data.stream));
  s.in(StreamPressure{peer, true});
  EXPECT_TRUE(s.isHeld(data.stream));
  s.in(StreamPressure{data.stream, false});
  EXPECT_FALSE(s.isHeld(peer));
  s.in(StreamPressure{peer, false});
  EXPECT_FALSE(s.isHeld(data.stream));
  // A peer's last bytes are waited for.
  s.in(StreamPressure{data.stream, true});
  s.in(SocketFailed{peer, SocketFailure::Closed});
  EXPECT_FALSE(s.closed.contains(data.stream));
  s.in(StreamPressure{data.stream, false});
  EXPECT_TRUE(s.closed.contains(data.stream));
}

TEST_F(ConnectedTest, AClientThatNeverTakesAPeersLastBytesIsGivenUp) {
  opens();
  StreamClient data(s);
  ASSERT_EQ(data.claim(connection), 0);
  s.in(StreamPressure{data.stream, true});
  s.in(SocketFailed{peer, SocketFailure::Closed});
  s.advance(Duration::seconds(61));
  EXPECT_TRUE(s.closed.contains(data.stream));
}

TEST_F(ConnectedTest, NobodyElseClaimsItAndNobodyTwice) {
  opens();
  StreamClient bob(s, "bob", "builder");
  EXPECT_EQ(bob.claim(connection), 441);
  EXPECT_EQ(bob.claim(connection ^ 1), 400);
  EXPECT_EQ(client.claim(connection), 400);  // not on the control connection
  StreamClient data(s);
  ASSERT_EQ(data.claim(connection), 0);
  StreamClient again(s);
  EXPECT_EQ(again.claim(connection), 400);
}

// RFC 6062 section 5.2: "If no ConnectionBind request ... is received after 30 seconds".
TEST_F(ConnectedTest, UnclaimedForThirtySecondsItIsClosed) {
  opens();
  s.advance(Duration::millis(29'900));
  EXPECT_FALSE(s.closed.contains(peer));
  s.advance(Duration::millis(200));
  EXPECT_TRUE(s.closed.contains(peer));
  EXPECT_EQ(s.server.counters().connectionsUnclaimed, 1u);
  StreamClient data(s);
  EXPECT_EQ(data.claim(connection), 400);
}

TEST_F(ConnectedTest, APeerThatDoesNotAnswerIsGivenUpAfterThirtySeconds) {
  EXPECT_EQ(client.connect("203.0.113.9:80"), 446);
  s.sent[client.stream].clear();
  s.advance(Duration::seconds(31));
  const auto answer = stun::Message::parse(asBytes(s.sent[client.stream]));
  ASSERT_TRUE(answer && answer->error());
  EXPECT_EQ(answer->error()->code, 447);
  EXPECT_TRUE(s.closed.contains(peer));
  EXPECT_EQ(client.connect("203.0.113.9:80"), -1);  // may be tried again
}

TEST_F(ConnectedTest, TheControlConnectionsEndIsEverythings) {
  opens();
  StreamClient data(s);
  ASSERT_EQ(data.claim(connection), 0);
  s.in(SocketFailed{client.stream, SocketFailure::Reset});
  EXPECT_TRUE(s.closed.contains(peer));
  EXPECT_TRUE(s.closed.contains(data.stream));
  EXPECT_EQ(s.server.allocationCount(), 0u);
  EXPECT_EQ(s.server.streamCount(), 0u);
  EXPECT_TRUE(s.server.nextDeadline().isNever());
}

TEST_F(ConnectedTest, AShortLivedPeersBytesWaitForTheClient) {
  s.in(SocketOpened{peer, s.relayed});
  client.result();
  connection = client.connectionId();
  s.bytes(peer, "220 hello and good-bye");
  s.in(SocketFailed{peer, SocketFailure::Closed});
  StreamClient data(s);
  data.claim(connection);
  EXPECT_TRUE(s.sent[data.stream].ends_with("220 hello and good-bye"));
  EXPECT_TRUE(s.closed.contains(data.stream));
}

TEST(ServerConnectionsTest, IncomingOnesWantAPermissionAndRoom) {
  ServerConfig config;
  config.maxConnections = 2;
  StreamServer s(config);
  StreamClient client(s);
  ASSERT_EQ(client.allocate(), 0);
  const SocketId stranger = s.accept(s.relay, "203.0.113.9:1111");
  EXPECT_TRUE(s.closed.contains(stranger));
  ASSERT_EQ(client.permit("203.0.113.9"), 0);
  s.sent.clear();
  const SocketId peer = s.accept(s.relay, "203.0.113.9:2222");
  EXPECT_FALSE(s.closed.contains(peer));
  EXPECT_TRUE(s.isHeld(peer));
  const Bytes told = toBytes(asBytes(s.sent[client.stream]));
  const auto attempt = stun::Message::parse(told);
  ASSERT_TRUE(attempt);
  EXPECT_TRUE(attempt->is(stun::Class::Indication, stun::Method::ConnectionAttempt));
  EXPECT_EQ(attempt->xorAddress(AttributeType::XorPeerAddress), address("203.0.113.9:2222"));
  StreamClient data(s);
  EXPECT_EQ(data.claim(*attempt->u32(AttributeType::ConnectionId)), 0);
  s.accept(s.relay, "203.0.113.9:3333");
  EXPECT_TRUE(s.closed.contains(s.accept(s.relay, "203.0.113.9:4444")));
  EXPECT_EQ(s.server.counters().connectionsRefused, 2u);
  EXPECT_EQ(client.connect("203.0.113.10:80"), 508);
}

TEST(ServerConnectionsTest, RefusalsOfAllocationsAndConnects) {
  StreamServer s;
  StreamClient client(s);
  EXPECT_EQ(client.authentic(stun::Method::Allocate,
                             [](MessageBuilder& b) {
                               b.u32(AttributeType::RequestedTransport,
                                     stun::requestedTransport(stun::RelayTransport::Tcp));
                               b.bytes(AttributeType::EvenPort, Bytes{0});
                             }),
            400);
  EXPECT_EQ(client.connect("203.0.113.9:80"), 437);
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.connect("203.0.113.9:0"), 400);
  EXPECT_EQ(client.connect("10.0.0.1:80"), 403);
  EXPECT_EQ(client.connect("[2001:db8::9]:80"), 443);
  EXPECT_EQ(client.ask(stun::Method::ChannelBind,
                       [](MessageBuilder& b) {
                         b.u32(AttributeType::ChannelNumber, stun::channelNumberValue(0x4000))
                             .xorAddress(AttributeType::XorPeerAddress, address("203.0.113.9:80"));
                       }),
            400);
  StreamClient udp(s);
  ASSERT_EQ(udp.ask(stun::Method::Connect, [](MessageBuilder&) {}), 401);
  EXPECT_EQ(udp.allocate(stun::RelayTransport::Udp), -1);  // its socket is not opened here
}

TEST(ServerConnectionsTest, JunkOnADataConnectionIsThePeersBusiness) {
  StreamServer s;
  StreamClient client(s);
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.connect("203.0.113.9:80"), -1);
  const SocketId peer = s.opening.socket;
  s.in(SocketOpened{peer, s.relayed});
  client.result();
  StreamClient data(s);
  ASSERT_EQ(data.claim(client.connectionId()), 0);
  SeededRandom random{3};
  size_t fed = 0;
  for (int i = 0; i < 200; ++i) {
    Bytes junk(1 + random.below(1500));
    random.fill(junk);
    fed += junk.size();
    s.bytes(data.stream, asText(junk));
  }
  EXPECT_EQ(s.sent[peer].size(), fed);
  EXPECT_FALSE(s.closed.contains(data.stream));
  EXPECT_EQ(s.server.counters().malformed, 0u);
  s.server.close(s.now);
  s.pump();
  EXPECT_EQ(s.pool.inUse(), 0u);
}

}  // namespace
}  // namespace parley::turn
