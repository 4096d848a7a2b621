// The TCP connections of local candidates, with a driver that the test plays itself.

#include "ice/tcp_links.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

namespace parley::ice {
namespace {

constexpr SocketId kActive(1000);
constexpr SocketId kListener(1001);

class TcpLinksTest : public ::testing::Test {
 protected:
  TcpLinksTest() {
    links.addLocal(kActive, TcpType::Active, at("10.0.0.1:0"));
    links.addLocal(kListener, TcpType::Passive, at("10.0.0.1:4000"));
  }
  static SocketAddress at(const char* text) { return *SocketAddress::parse(text); }

  bool send(SocketId socket, const SocketAddress& to, const std::string& payload,
            TxClass txClass = TxClass::Control) {
    TxPacket packet;
    packet.socket = socket;
    packet.to = to;
    packet.txClass = txClass;
    packet.data = pool.copyOf(asBytes(payload));
    return links.send(std::move(packet), now);
  }
  template <class T>
  std::vector<T> effects() {
    std::vector<T> out;
    Effect effect;
    while (links.pollEffect(effect)) {
      if (auto* match = std::get_if<T>(&effect)) out.push_back(*match);
    }
    return out;
  }
  std::vector<TxPacket> sent() {
    std::vector<TxPacket> out;
    TxPacket packet;
    while (links.pollTransmit(packet)) out.push_back(std::move(packet));
    return out;
  }
  std::vector<Datagram> received() {
    std::vector<Datagram> out;
    Datagram datagram;
    while (links.pollReceived(datagram)) out.push_back(std::move(datagram));
    return out;
  }
  size_t lost() {
    size_t count = 0;
    TcpLinks::Lost one;
    while (links.pollLost(one)) {
      ++count;
      lastLost = one;
    }
    return count;
  }
  /// The outgoing connection to `kPeer`, open.
  SocketId connect(const std::string& first = "check") {
    EXPECT_TRUE(send(kActive, kPeer, first));
    const auto opens = effects<OpenTcp>();
    if (opens.size() != 1) return {};
    links.handleOpened({opens[0].socket, at("10.0.0.1:55555")}, now);
    return opens[0].socket;
  }
  bool accept(uint32_t number, const SocketAddress& from) {
    return links.handleAccepted(
        {kListener, SocketId(0x8000'0000 | number), from, at("10.0.0.1:4000")}, now);
  }
  void arrives(SocketId stream, ByteSpan bytes) {
    links.handleStream({stream, pool.copyOf(bytes)}, now);
  }
  Bytes framedCheck() {
    uint8_t buffer[64];
    stun::MessageBuilder builder(buffer, stun::Class::Request, stun::Method::Binding,
                                 stun::newTransactionId(random));
    builder.fingerprint();
    PacketBuf packet = pool.copyOf(builder.written());
    EXPECT_TRUE(frame(packet));
    return toBytes(packet.span());
  }
  void pass(Duration time) {
    const Timestamp end = now + time;
    while (links.nextDeadline() <= end) {
      now = std::max(now, links.nextDeadline());
      links.advance(now);
      ASSERT_GT(links.nextDeadline(), now);
    }
    now = end;
  }

  const SocketAddress kPeer = at("10.0.0.2:2000");
  PacketPool pool;
  SeededRandom random{1};
  Environment env{random, pool};
  IdAllocator ids;
  TcpLinks links{env, ids};
  Timestamp now = Timestamp::seconds(100);
  TcpLinks::Lost lastLost;
};

TEST_F(TcpLinksTest, TheFirstPacketOpensAConnectionAndTheNewestWaitsForIt) {
  EXPECT_TRUE(send(kActive, kPeer, "first"));
  EXPECT_TRUE(send(kActive, kPeer, "again"));
  const auto opens = effects<OpenTcp>();
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_EQ(opens[0].remote, kPeer);
  EXPECT_EQ(opens[0].local, at("10.0.0.1:0").ip);
  EXPECT_EQ(opens[0].localPort, 0);
  EXPECT_TRUE(sent().empty());
  EXPECT_TRUE(links.handleOpened({opens[0].socket, at("10.0.0.1:55555")}, now));
  auto packets = sent();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].socket, opens[0].socket);
  EXPECT_EQ(asText(packets[0].data.span()), std::string_view("\0\5again", 7));
  EXPECT_TRUE(send(kActive, kPeer, "more"));
  EXPECT_EQ(sent().size(), 1u);
  EXPECT_TRUE(effects<OpenTcp>().empty());
}

TEST_F(TcpLinksTest, WhatComesIsOfTheCandidateAndItsPeer) {
  const SocketId stream = connect();
  const Bytes check = framedCheck();
  for (size_t i = 0; i < check.size(); ++i) arrives(stream, ByteSpan(check).subspan(i, 1));
  auto got = received();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].socket, kActive);
  EXPECT_EQ(got[0].from, kPeer);
  EXPECT_EQ(got[0].to, at("10.0.0.1:55555"));
  EXPECT_EQ(toBytes(got[0].data.span()), Bytes(check.begin() + 2, check.end()));
}

TEST_F(TcpLinksTest, APassiveCandidateNeverConnects) {
  EXPECT_FALSE(send(kListener, kPeer, "check"));
  EXPECT_TRUE(effects<OpenTcp>().empty());
  ASSERT_TRUE(accept(1, at("10.0.0.2:33333")));
  EXPECT_TRUE(send(kListener, at("10.0.0.2:33333"), "answer"));
  auto packets = sent();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].socket, SocketId(0x8000'0001));
}

TEST_F(TcpLinksTest, WhoIsRefusedHasAnAnswer) {
  send(kActive, kPeer, "check");
  const SocketId stream = effects<OpenTcp>().at(0).socket;
  EXPECT_TRUE(links.handleFailed({stream, SocketFailure::Refused}, now));
  EXPECT_EQ(lost(), 1u);
  EXPECT_EQ(lastLost.socket, kActive);
  EXPECT_EQ(lastLost.remote, kPeer);
  EXPECT_FALSE(links.inUse(kActive));
}

TEST_F(TcpLinksTest, AnUnansweredConnectIsTriedFourTimes) {
  send(kActive, kPeer, "check");
  size_t opens = 0;
  for (int i = 0; i < 20 && links.inUse(kActive); ++i) {
    for (const OpenTcp& open : effects<OpenTcp>()) {
      ++opens;
      now += Duration::seconds(5);
      links.handleFailed({open.socket, SocketFailure::Unreachable}, now);
    }
    pass(Duration::seconds(3));
  }
  EXPECT_EQ(opens, 4u);
  EXPECT_EQ(lost(), 1u);
  EXPECT_TRUE(links.nextDeadline().isNever());
}

TEST_F(TcpLinksTest, OneThatEndsBeforeAnythingCameOfItIsTriedAgain) {
  const SocketId first = connect();
  pass(Duration::seconds(6));
  links.handleFailed({first, SocketFailure::Closed}, now);
  EXPECT_EQ(lost(), 0u) << "the checks go on";
  const SocketId second = connect("check again");
  EXPECT_NE(second, SocketId{});
  EXPECT_NE(second, first);
}

TEST_F(TcpLinksTest, ABrokenConnectionComesBackWithTheNextPacket) {
  const SocketId first = connect();
  pass(Duration::seconds(20));
  links.handleFailed({first, SocketFailure::Reset}, now);
  EXPECT_EQ(lost(), 1u);
  EXPECT_TRUE(effects<OpenTcp>().empty()) << "not before there is something to send";
  const SocketId second = connect("check again");
  EXPECT_NE(second, SocketId{});
  EXPECT_NE(second, first);
}

TEST_F(TcpLinksTest, ConnectionsThatBreakAtOnceAreMadeEverMoreSeldom) {
  size_t opens = 0;
  for (int i = 0; i < 600; ++i) {
    send(kActive, kPeer, "check");
    for (const OpenTcp& open : effects<OpenTcp>()) {
      ++opens;
      links.handleOpened({open.socket, at("10.0.0.1:55555")}, now);
      links.handleFailed({open.socket, SocketFailure::Reset}, now);
    }
    pass(Duration::millis(100));
  }
  EXPECT_LE(opens, 24u) << "in a minute";
  EXPECT_GE(opens, 4u);
}

TEST_F(TcpLinksTest, WhoSaysNothingOrSomethingElseIsHungUpOn) {
  accept(1, at("10.0.0.2:1"));
  accept(2, at("10.0.0.2:2"));
  const Bytes http = toBytes(asBytes(std::string("\0\24GET / HTTP/1.1\r\n\r\n\r\n", 22)));
  arrives(SocketId(0x8000'0001), http);
  auto closed = effects<CloseSocket>();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].socket, SocketId(0x8000'0001));
  EXPECT_TRUE(received().empty());
  pass(Duration::millis(7900));
  EXPECT_TRUE(effects<CloseSocket>().empty());
  pass(Duration::millis(200));
  EXPECT_EQ(effects<CloseSocket>().size(), 1u);
  EXPECT_EQ(lost(), 2u);
  EXPECT_FALSE(links.inUse(kListener));
}

// The answer to a check and a handshake's first record often share a segment; what the answer
// proves is known only when it has been read.
TEST_F(TcpLinksTest, AHandshakeMayComeRightBehindTheFirstCheck) {
  const SocketId stream = connect();
  Bytes both = framedCheck();
  const Bytes hello = toBytes(asBytes(std::string("\0\5\x16\xfe\xfdhi", 7)));
  both.insert(both.end(), hello.begin(), hello.end());
  arrives(stream, both);
  EXPECT_TRUE(effects<CloseSocket>().empty());
  const auto got = received();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(asText(got[1].data.span()), "\x16\xfe\xfdhi");
  // It still has to prove something, and so does the connection after it.
  EXPECT_LE(links.nextDeadline(), now + Duration::seconds(45));
  links.handleFailed({stream, SocketFailure::Reset}, now);
  const SocketId second = connect("check again");
  arrives(second, hello);
  EXPECT_EQ(effects<CloseSocket>().size(), 1u);
}

TEST_F(TcpLinksTest, AProvenConnectionEndsAfterLongSilenceOnly) {
  accept(1, kPeer);
  links.markProven(kListener, kPeer);
  for (int i = 0; i < 10; ++i) {
    pass(Duration::seconds(29));
    arrives(SocketId(0x8000'0001), framedCheck());
  }
  EXPECT_TRUE(effects<CloseSocket>().empty());
  pass(Duration::seconds(31));
  EXPECT_EQ(effects<CloseSocket>().size(), 1u);
}

TEST_F(TcpLinksTest, AcceptedConnectionsAreFewAndTheOldestUnprovenGoes) {
  accept(0, kPeer);
  links.markProven(kListener, kPeer);
  size_t closings = 0;
  for (uint32_t i = 1; i < 200; ++i) {
    accept(i, {at("10.0.0.3:0").ip, static_cast<uint16_t>(i)});
    for (const CloseSocket& close : effects<CloseSocket>()) {
      ++closings;
      EXPECT_NE(close.socket, SocketId(0x8000'0000));
    }
  }
  EXPECT_EQ(closings, 200 - env.limits.maxTcpConnections);
  EXPECT_TRUE(send(kListener, kPeer, "still there"));
}

TEST_F(TcpLinksTest, ConnectionsToManyPlacesAreRefusedAndTold) {
  for (uint16_t i = 1; i <= 40; ++i) send(kActive, {at("10.0.0.3:0").ip, i}, "check");
  EXPECT_EQ(effects<OpenTcp>().size(), env.limits.maxTcpConnections);
  EXPECT_EQ(lost(), 40 - env.limits.maxTcpConnections);
}

TEST_F(TcpLinksTest, UnderPressurePicturesAndDataAreDroppedWhole) {
  const SocketId stream = connect();
  sent();
  EXPECT_TRUE(links.handlePressure({stream, true}));
  EXPECT_FALSE(send(kActive, kPeer, "video", TxClass::Media));
  EXPECT_FALSE(send(kActive, kPeer, "data", TxClass::Bulk));
  EXPECT_TRUE(send(kActive, kPeer, "sound", TxClass::Audio));
  EXPECT_TRUE(send(kActive, kPeer, "check", TxClass::Control));
  links.handlePressure({stream, false});
  EXPECT_TRUE(send(kActive, kPeer, "video", TxClass::Media));
  EXPECT_EQ(sent().size(), 3u);
}

TEST_F(TcpLinksTest, ARemovedCandidateTakesItsConnectionsAlong) {
  connect();
  accept(1, kPeer);
  effects<OpenTcp>();
  links.removeLocal(kActive);
  links.removeLocal(kListener);
  EXPECT_EQ(effects<CloseSocket>().size(), 2u);
  EXPECT_EQ(lost(), 0u);
  EXPECT_FALSE(send(kActive, kPeer, "check"));
  EXPECT_FALSE(accept(2, kPeer));
}

TEST_F(TcpLinksTest, SimultaneousOpenConnectsFromThePortItListensOn) {
  constexpr SocketId kBoth(1002);
  links.addLocal(kBoth, TcpType::SimultaneousOpen, at("10.0.0.1:5000"));
  send(kBoth, kPeer, "check");
  const auto opens = effects<OpenTcp>();
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_EQ(opens[0].localPort, 5000);
  // The peer was first: its connection takes the place of ours.
  links.handleAccepted({kBoth, SocketId(0x8000'0007), kPeer, at("10.0.0.1:5000")}, now);
  EXPECT_EQ(effects<CloseSocket>().size(), 1u);
  auto packets = sent();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].socket, SocketId(0x8000'0007));
  EXPECT_EQ(lost(), 0u);
}

}  // namespace
}  // namespace parley::ice
