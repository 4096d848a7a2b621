// Relayed TCP connections of a client (RFC 6062), with a server whose answers are made by hand.

#include <array>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "parley/stun/message_builder.h"
#include "parley/turn/client.h"

namespace parley::turn {
namespace {

using stun::AttributeType;

SocketAddress at(const char* text) {
  return *SocketAddress::parse(text);
}
const SocketAddress kServer = at("198.51.100.1:3478");
const SocketAddress kPeer = at("203.0.113.9:7000");

class ClientStreamsTest : public ::testing::Test {
 protected:
  /// The allocation stands; the server asks for no credentials, and so signs nothing.
  void SetUp() override {
    client.start(now);
    control = opened();
    const Bytes request = sentOn(control);
    ASSERT_FALSE(request.empty());
    answer(control, request, [](stun::MessageBuilder& builder) {
      builder.xorAddress(AttributeType::XorRelayedAddress, at("198.51.100.1:50000"))
          .xorAddress(AttributeType::XorMappedAddress, at("192.0.2.1:5000"))
          .u32(AttributeType::Lifetime, 600);
    });
    ASSERT_TRUE(client.isAllocated());
  }
  static ClientConfig config() {
    ClientConfig config;
    config.connectTo = kServer;
    config.transport = Transport::Tcp;
    config.username = "alice";
    config.password = "wonderland";
    config.families = RelayFamilies::V4;
    config.tcpRelay = true;
    return config;
  }
  /// Opens the socket that is asked for.
  SocketId opened() {
    SocketId socket{};
    Effect effect;
    while (client.pollEffect(effect)) {
      if (const auto* open = std::get_if<OpenTcp>(&effect)) socket = open->socket;
    }
    client.handleSocketOpened({socket, at("192.0.2.1:5000")}, now);
    return socket;
  }
  /// The last message that left on this socket.
  Bytes sentOn(SocketId socket) {
    Bytes last;
    TxPacket packet;
    while (client.pollTransmit(packet)) {
      if (packet.socket == socket) last = toBytes(packet.data.span());
    }
    return last;
  }
  template <class Fill>
  void write(SocketId socket, stun::Class messageClass, stun::Method method,
             const stun::TransactionId& id, Fill fill) {
    std::array<uint8_t, 512> out;
    stun::MessageBuilder builder(out, messageClass, method, id);
    fill(builder);
    client.handleStream({socket, pool.copyOf(builder.written())}, now);
  }
  template <class Fill>
  void answer(SocketId socket, const Bytes& request, Fill fill,
              stun::Class messageClass = stun::Class::Success) {
    const auto asked = stun::Message::parse(request);
    ASSERT_TRUE(asked);
    write(socket, messageClass, asked->method(), asked->transactionId(), fill);
  }
  /// The peer connects: the socket of the connection with which the client claims that.
  SocketId attempted() {
    write(control, stun::Class::Indication, stun::Method::ConnectionAttempt,
          stun::newTransactionId(random), [](stun::MessageBuilder& builder) {
            builder.u32(AttributeType::ConnectionId, 7)
                .xorAddress(AttributeType::XorPeerAddress, kPeer);
          });
    return opened();
  }
  template <class T>
  size_t count() {
    size_t found = 0;
    for (const ClientEvent& event : events) found += std::holds_alternative<T>(event) ? 1 : 0;
    return found;
  }
  void collect() {
    ClientEvent event;
    while (client.pollEvent(event)) events.push_back(std::move(event));
  }

  PacketPool pool;
  SeededRandom random{1};
  Environment env{random, pool};
  IdAllocator ids;
  Timestamp now = Timestamp::seconds(100);
  Client client{env, ids, config()};
  SocketId control{};
  std::vector<ClientEvent> events;
};

void nothing(stun::MessageBuilder& /*builder*/) {}

void mismatch(stun::MessageBuilder& builder) {
  builder.error(stun::StunError::AllocationMismatch);
}

TEST_F(ClientStreamsTest, APeersConnectionIsClaimedAndOpens) {
  client.permit(kPeer.ip, now);
  const SocketId data = attempted();
  answer(data, sentOn(data), nothing);
  collect();
  EXPECT_EQ(count<PeerStreamOpened>(), 1u);
}

// An error for what was asked elsewhere can be the end of the allocation and of all its streams,
// that which brought it included.
TEST_F(ClientStreamsTest, OnlyTheAnswerToItsClaimCountsOnADataConnection) {
  client.permit(kPeer.ip, now);
  const Bytes permission = sentOn(control);
  const SocketId data = attempted();
  const Bytes claim = sentOn(data);
  answer(data, permission, mismatch, stun::Class::Error);
  EXPECT_EQ(client.counters().unmatched, 1u);
  EXPECT_TRUE(client.isAllocated());
  answer(data, claim, nothing);
  collect();
  EXPECT_EQ(count<PeerStreamOpened>(), 1u);
  EXPECT_EQ(count<ClientFailed>(), 0u);
}

TEST_F(ClientStreamsTest, AnotherStreamsAnswerDoesNotCountEither) {
  client.permit(kPeer.ip, now);
  const SocketId first = attempted();
  const Bytes claim = sentOn(first);
  const SocketId second = attempted();
  answer(second, claim, nothing);
  collect();
  EXPECT_EQ(client.counters().unmatched, 1u);
  EXPECT_EQ(count<PeerStreamOpened>(), 0u);
  answer(first, claim, nothing);
  collect();
  EXPECT_EQ(count<PeerStreamOpened>(), 1u);
}

}  // namespace
}  // namespace parley::turn
