// One TCP port for all sessions: whose an accepted connection is, and what becomes of those that
// are nobody's.

#include <gtest/gtest.h>

#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

#include "endpoint/waiting_streams.h"
#include "unit/endpoint/endpoint_fixture.h"

namespace parley::endpoint::test {
namespace {

class SharedTcpTest : public EndpointTest {
 protected:
  explicit SharedTcpTest(size_t maxWaiting = 256) : EndpointTest(config(maxWaiting)) {}
  static EndpointConfig config(size_t maxWaiting) {
    EndpointConfig out;
    out.limits.maxWaitingTcp = maxWaiting;
    out.sharedTcpPorts = {*SocketAddress::parse("0.0.0.0:443")};
    return out;
  }
  SessionId create() {
    jsep::SessionConfig made = sessionConfig();
    made.transport.gatherer.tcpPassive = true;
    return endpoint.createSession(std::move(made), now);
  }
  /// Two sessions that listen, with a UDP socket each.
  std::pair<SessionId, SessionId> listening() {
    const std::pair<SessionId, SessionId> ids{create(), create()};
    EXPECT_TRUE(at(ids.first).createDataChannel({.label = "x"}, now));
    negotiate(at(ids.first), at(ids.second), now);
    endpoint.touch(ids.first, now);
    endpoint.touch(ids.second, now);
    pass(Duration::millis(1));
    const auto listens = only<ListenTcp>(effects());
    EXPECT_EQ(listens.size(), 1u);
    if (!listens.empty()) listener = listens[0].socket;
    opened(listener, "0.0.0.0:443");
    interfaces({"10.0.0.1"});
    const auto all = effects();
    EXPECT_TRUE(only<ListenTcp>(all).empty());
    for (const OpenUdp& open : only<OpenUdp>(all)) opened(open.socket, "10.0.0.1:4001");
    return ids;
  }
  SocketId accept(uint32_t number, const char* remote = "10.0.0.9:33000") {
    const SocketId id(0x8000'0000 | number);
    endpoint.handle(TcpAccepted{listener, id, *SocketAddress::parse(remote),
                                *SocketAddress::parse("10.0.0.1:443")},
                    now);
    return id;
  }
  void arrives(SocketId stream, ByteSpan bytes) {
    endpoint.handle(StreamBytes{stream, endpoint.pool().copyOf(bytes)}, now);
  }
  Bytes check(const std::string& ufrag, const std::string& password) {
    uint8_t buffer[512];
    stun::MessageBuilder builder(MutableByteSpan(buffer).subspan(2), stun::Class::Request,
                                 stun::Method::Binding, stun::newTransactionId(random));
    builder.text(stun::AttributeType::Username, ufrag + ":peer")
        .u32(stun::AttributeType::Priority, 1)
        .u64(stun::AttributeType::IceControlling, ~uint64_t{0})
        .messageIntegrity(stun::shortTermKey(password))
        .fingerprint();
    const size_t size = builder.written().size();
    buffer[0] = static_cast<uint8_t>(size >> 8);
    buffer[1] = static_cast<uint8_t>(size);
    return Bytes(buffer, buffer + 2 + size);
  }
  Bytes check(SessionId id) {
    const ice::Credentials& ours = at(id).transport().localCredentials();
    return check(ours.ufrag, ours.password);
  }
  size_t closings() { return only<CloseSocket>(effects()).size(); }
  uint64_t received(SessionId id) { return at(id).transport().counters().packetsReceived; }

  SocketId listener;
};

TEST_F(SharedTcpTest, TheFirstCheckSaysWhoseAConnectionIs) {
  const auto [a, b] = listening();
  const auto candidates = at(b).transport().agent().localCandidates();
  const auto tcp = std::find_if(candidates.begin(), candidates.end(),
                                [](const auto& c) { return c.tcpType.has_value(); });
  ASSERT_NE(tcp, candidates.end());
  EXPECT_EQ(tcp->address, *SocketAddress::parse("10.0.0.1:443"));
  EXPECT_EQ(endpoint.sharedTcpAddresses().size(), 1u);

  const SocketId stream = accept(1);
  const Bytes bytes = check(b);
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(received(b), 0u);
    arrives(stream, ByteSpan(bytes).subspan(i, 1));
  }
  EXPECT_EQ(received(b), 1u);
  EXPECT_EQ(received(a), 0u);
  // The answer leaves through the same connection.
  const auto sent = transmits();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].socket, stream);
  EXPECT_EQ(sent[0].data.size(), 2u + (sent[0].data.data()[0] << 8 | sent[0].data.data()[1]));
  arrives(stream, check(b));
  EXPECT_EQ(received(b), 2u);
  EXPECT_EQ(closings(), 0u);
  pass(Duration::seconds(20));
  EXPECT_EQ(closings(), 0u) << "it has proved itself";
  endpoint.destroySession(b);
  EXPECT_EQ(closings(), 2u) << "the UDP socket and the connection, not the port";
}

TEST_F(SharedTcpTest, SilentConnectionsAreClosed) {
  listening();
  accept(1);
  pass(Duration::millis(4900));
  EXPECT_EQ(closings(), 0u);
  pass(Duration::millis(200));
  EXPECT_EQ(closings(), 1u);
  EXPECT_EQ(endpoint.counters().streamsUnrouted, 1u);
  arrives(SocketId(0x8000'0001), check("nobody", "nobody's password of 22"));
  EXPECT_EQ(endpoint.counters().datagramsUnrouted, 1u);
}

TEST_F(SharedTcpTest, WhatIsNoCheckIsClosedAtOnce) {
  const auto ids = listening();
  const auto text = [](std::string_view bytes) { return toBytes(asBytes(bytes)); };
  Bytes long_ = check(ids.first);
  long_[0] = 0x10;
  for (const Bytes& bytes : {text("GET / HTTP/1.1\r\n\r\n"), Bytes{0, 0}, Bytes{0, 19}, long_,
                             text(std::string("\0\x18" + std::string(24, 'x'), 0, 26))}) {
    const SocketId stream = accept(7);
    arrives(stream, bytes);
    EXPECT_EQ(closings(), 1u);
  }
  EXPECT_EQ(received(ids.first) + received(ids.second), 0u);
}

TEST_F(SharedTcpTest, AStrangersCheckIsToldAndMayBeRepeated) {
  const auto [a, b] = listening();
  (void)a;
  const SocketId stream = accept(1);
  Bytes bytes = check("stranger", "a password with 22 characters");
  arrives(stream, bytes);
  arrives(stream, bytes);
  UnknownUfrag unknown;
  ASSERT_TRUE(endpoint.pollUnknownUfrag(unknown));
  EXPECT_EQ(unknown.localUfrag, "stranger");
  EXPECT_EQ(unknown.from, *SocketAddress::parse("10.0.0.9:33000"));
  EXPECT_EQ(closings(), 0u);
  // Known by the time it asks again, here together with one that is not.
  const Bytes own = check(b);
  bytes.insert(bytes.end(), own.begin(), own.end());
  arrives(stream, bytes);
  EXPECT_EQ(received(b), 1u);
}

TEST_F(SharedTcpTest, TheirNumberIsBoundedByAddressToo) {
  listening();
  for (uint32_t i = 0; i < 40; ++i) accept(i, ("10.0.1.1:" + std::to_string(1000 + i)).c_str());
  EXPECT_EQ(closings(), 40 - WaitingStreams::kMaxPerAddress);
  for (uint32_t i = 0; i < 300; ++i)
    accept(100 + i, ("10.0.2." + std::to_string(i % 250) + ":9000").c_str());
  EXPECT_EQ(closings(), 300 + WaitingStreams::kMaxPerAddress - 256);
  EXPECT_EQ(endpoint.pool().inUse(), 256u);
  pass(Duration::seconds(6));
  EXPECT_EQ(closings(), 256u);
  EXPECT_EQ(endpoint.pool().inUse(), 0u);
}

TEST_F(SharedTcpTest, EndpointWithoutSuchAPortGivesSessionsListenersOfTheirOwn) {
  Endpoint plain(random, nullLog());
  plain.setWallClock({Timestamp{}, kNowUnixNanos});
  jsep::SessionConfig made = sessionConfig();
  made.transport.gatherer.tcpPassive = true;
  const SessionId id = plain.createSession(std::move(made), now);
  ASSERT_TRUE(plain.session(id)->createDataChannel({.label = "x"}, now));
  ASSERT_TRUE(plain.session(id)->setLocalDescription({}, "", now));
  plain.touch(id, now);
  plain.advance(now + Duration::millis(1));
  plain.handle(InterfacesChanged{{{"eth0", 1, {*IpAddress::parse("10.0.0.1")}}}}, now);
  SocketId own{};
  Effect effect;
  while (plain.pollEffect(effect)) {
    if (const auto* listen = std::get_if<ListenTcp>(&effect)) own = listen->socket;
  }
  ASSERT_NE(own, SocketId{});
  plain.handle(SocketOpened{own, *SocketAddress::parse("10.0.0.1:5000")}, now);
  const SocketId stream(0x8000'0001);
  const SocketAddress remote = *SocketAddress::parse("10.0.0.9:33000");
  plain.handle(TcpAccepted{own, stream, remote, *SocketAddress::parse("10.0.0.1:5000")}, now);
  const ice::Credentials& ours = plain.session(id)->transport().localCredentials();
  plain.handle(StreamBytes{stream, plain.pool().copyOf(check(ours.ufrag, ours.password))}, now);
  EXPECT_EQ(plain.session(id)->transport().counters().packetsReceived, 1u);
  plain.handle(SocketFailed{stream, SocketFailure::Reset}, now);
  plain.handle(StreamBytes{stream, plain.pool().copyOf(check(ours.ufrag, ours.password))}, now);
  EXPECT_EQ(plain.counters().datagramsUnrouted, 1u);
  plain.destroySession(id);
  size_t closed = 0;
  while (plain.pollEffect(effect)) closed += std::holds_alternative<CloseSocket>(effect);
  EXPECT_EQ(closed, 2u) << "UDP socket and listener";
}

}  // namespace
}  // namespace parley::endpoint::test
