// One port for all sessions: which socket they get, and who gets which datagram.

#include <gtest/gtest.h>

#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

#include "unit/endpoint/endpoint_fixture.h"

namespace parley::endpoint::test {
namespace {

constexpr const char* kPort = "10.0.0.1:3478";

class SharedPortsTest : public EndpointTest {
 protected:
  SharedPortsTest() : EndpointTest(config()) {}
  static EndpointConfig config() {
    EndpointConfig out;
    out.sharedPorts = {*SocketAddress::parse("0.0.0.0:3478")};
    return out;
  }
  /// The socket of the port, open.
  SocketId open() {
    const auto opens = only<OpenUdp>(effects());
    EXPECT_EQ(opens.size(), 1u);
    opened(opens.at(0).socket, "0.0.0.0:3478");
    return opens.at(0).socket;
  }
  static Datagram from(const char* remote, PacketBuf data) {
    Datagram out;
    out.from = *SocketAddress::parse(remote);
    out.to = *SocketAddress::parse(kPort);
    out.data = std::move(data);
    return out;
  }
  /// A check as the peer of that session sends it, or one with a wrong password.
  PacketBuf check(SessionId id, bool authentic = true) {
    const ice::Credentials& ours = at(id).transport().localCredentials();
    return check(ours.ufrag, authentic ? ours.password : "another password of 22");
  }
  PacketBuf check(const std::string& ufrag, const std::string& password) {
    PacketBuf packet = endpoint.pool().allocate();
    stun::MessageBuilder builder(packet, stun::Class::Request, stun::Method::Binding,
                                 stun::newTransactionId(random));
    builder.text(stun::AttributeType::Username, ufrag + ":peer")
        .u32(stun::AttributeType::Priority, 1)
        .u64(stun::AttributeType::IceControlling, ~uint64_t{0})
        .messageIntegrity(stun::shortTermKey(password))
        .fingerprint();
    EXPECT_TRUE(builder.finishInto(packet));
    return packet;
  }
  void arrives(SocketId socket, Datagram datagram) {
    datagram.socket = socket;
    endpoint.handleDatagrams({&datagram, 1}, now);
  }
  bool gathered(SessionId id) {
    const auto changes = eventsOf<jsep::GatheringStateChanged>(id);
    return !changes.empty() && changes.back().state == transport::GatheringState::Complete;
  }
  uint64_t received(SessionId id) { return at(id).transport().counters().packetsReceived; }
};

TEST_F(SharedPortsTest, SessionsOpenNoSocketsAndTellThePortAsTheirCandidate) {
  open();
  const auto [a, b] = call();
  interfaces({"10.0.0.1"});
  pass(Duration::seconds(1));
  EXPECT_TRUE(only<OpenUdp>(effects()).empty());
  for (const SessionId id : {a, b}) {
    const auto candidates = at(id).transport().agent().localCandidates();
    ASSERT_EQ(candidates.size(), 1u);
    EXPECT_EQ(candidates[0].address, *SocketAddress::parse(kPort));
  }
  EXPECT_EQ(endpoint.sharedAddresses(),
            std::vector<SocketAddress>{*SocketAddress::parse("0.0.0.0:3478")});
  endpoint.destroySession(a);
  EXPECT_TRUE(only<CloseSocket>(effects()).empty());
}

TEST_F(SharedPortsTest, SessionsWaitForThePortAndGoOnWithoutOneThatFails) {
  const auto [a, b] = call();
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_TRUE(at(a).transport().agent().localCandidates().empty());
  endpoint.handle(SocketFailed{opens[0].socket, SocketFailure::AddressInUse}, now);
  pass(Duration::seconds(1));
  EXPECT_TRUE(at(a).transport().agent().localCandidates().empty());
  EXPECT_TRUE(gathered(a));
  EXPECT_TRUE(endpoint.sharedAddresses().empty());
  const SessionId late = create();
  EXPECT_TRUE(at(late).createDataChannel({.label = "x"}, now));
  EXPECT_TRUE(at(late).setLocalDescription({}, "", now));
  endpoint.touch(late, now);
  pass(Duration::seconds(1));
  EXPECT_TRUE(gathered(late));
  EXPECT_TRUE(at(b).transport().agent().localCandidates().empty());
}

TEST_F(SharedPortsTest, ChecksGoToTheSessionOfTheirUserFragment) {
  const SocketId socket = open();
  const auto [a, b] = call();
  interfaces({"10.0.0.1"});
  pass(Duration::seconds(1));
  arrives(socket, from("192.0.2.1:5000", check(a)));
  arrives(socket, from("192.0.2.2:5000", check(b)));
  arrives(socket, from("192.0.2.2:5000", check(b)));
  EXPECT_EQ(received(a), 1u);
  EXPECT_EQ(received(b), 2u);
}

TEST_F(SharedPortsTest, AddressesBelongToWhomeverAnAuthenticCheckCameFor) {
  const SocketId socket = open();
  const auto [a, b] = call();
  interfaces({"10.0.0.1"});
  pass(Duration::seconds(1));
  const Bytes data{23, 254, 253, 0};  // looks like DTLS
  const auto sendData = [&](const char* remote) {
    arrives(socket, from(remote, endpoint.pool().copyOf(data)));
  };
  sendData("192.0.2.1:5000");
  EXPECT_EQ(endpoint.sharedCounters().unknownTuple, 1u);
  arrives(socket, from("192.0.2.1:5000", check(a, false)));
  sendData("192.0.2.1:5000");
  EXPECT_EQ(endpoint.sharedCounters().unknownTuple, 2u) << "a wrong password proves nothing";
  arrives(socket, from("192.0.2.1:5000", check(a)));
  sendData("192.0.2.1:5000");
  EXPECT_EQ(endpoint.sharedCounters().unknownTuple, 2u);
  EXPECT_EQ(received(a), 3u);
  // The NAT gives the address to another client.
  arrives(socket, from("192.0.2.1:5000", check(b)));
  sendData("192.0.2.1:5000");
  EXPECT_EQ(received(a), 3u);
  EXPECT_EQ(received(b), 2u);
  EXPECT_EQ(endpoint.sharedCounters().rebound, 1u);
}

TEST_F(SharedPortsTest, ARunOfPacketsOfManyPeersIsSortedOut) {
  const SocketId socket = open();
  const auto [a, b] = call();
  interfaces({"10.0.0.1"});
  pass(Duration::seconds(1));
  arrives(socket, from("192.0.2.1:5000", check(a)));
  arrives(socket, from("192.0.2.2:5000", check(b)));
  const uint64_t beforeA = received(a), beforeB = received(b);
  std::vector<Datagram> all;
  for (const char* remote : {"192.0.2.1:5000", "192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.9:5000",
                             "192.0.2.1:5000", "192.0.2.2:5000"}) {
    all.push_back(from(remote, endpoint.pool().copyOf(Bytes{128, 96, 0, 1})));
    all.back().socket = socket;
  }
  endpoint.handleDatagrams(all, now);
  EXPECT_EQ(received(a), beforeA + 3);
  EXPECT_EQ(received(b), beforeB + 2);
  EXPECT_EQ(endpoint.sharedCounters().unknownTuple, 1u);
}

TEST_F(SharedPortsTest, ChecksForNobodyAreTold) {
  const SocketId socket = open();
  for (int i = 0; i < 1000; ++i)
    arrives(socket, from("192.0.2.1:5000", check("fresh" + std::to_string(i), "password")));
  UnknownUfrag unknown;
  ASSERT_TRUE(endpoint.pollUnknownUfrag(unknown));
  EXPECT_EQ(unknown.localUfrag, "fresh0");
  EXPECT_EQ(unknown.remoteUfrag, "peer");
  EXPECT_EQ(unknown.from, *SocketAddress::parse("192.0.2.1:5000"));
  EXPECT_EQ(unknown.to, *SocketAddress::parse(kPort));
  size_t told = 1;
  while (endpoint.pollUnknownUfrag(unknown)) ++told;
  EXPECT_EQ(told, 256u);
  EXPECT_EQ(endpoint.sharedCounters().unknownUfrag, 1000u);
  EXPECT_TRUE(transmits().empty()) << "a stranger learns nothing";
}

TEST_F(SharedPortsTest, NothingOfADestroyedSessionIsLeft) {
  const SocketId socket = open();
  const auto [a, b] = call();
  interfaces({"10.0.0.1"});
  pass(Duration::seconds(1));
  const PacketBuf again = check(a);
  arrives(socket, from("192.0.2.1:5000", check(a)));
  endpoint.destroySession(a);
  arrives(socket, from("192.0.2.1:5000", endpoint.pool().copyOf(again.span())));
  arrives(socket, from("192.0.2.1:5000", endpoint.pool().copyOf(Bytes{23, 254, 253, 0})));
  EXPECT_EQ(endpoint.sharedCounters().unknownUfrag, 1u);
  EXPECT_EQ(endpoint.sharedCounters().unknownTuple, 1u);
  EXPECT_EQ(received(b), 0u);
}

}  // namespace
}  // namespace parley::endpoint::test
