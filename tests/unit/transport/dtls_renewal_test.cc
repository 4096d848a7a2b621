// DTLS associations that signalling replaces (RFC 8842 sections 4 and 5).

#include <optional>

#include <gtest/gtest.h>

#include "parley/transport/peer_transport.h"

#include "unit/transport/transport_world.h"

namespace parley::transport {
namespace {

using test::handshakeType;
using test::kClientHello;
using test::Peer;
using test::TransportWorld;

class DtlsRenewalTest : public ::testing::Test {
 protected:
  DtlsRenewalTest() {
    world.enableData(a, b);
    world.connect(a, b);
    channel = *a.transport->dataChannels().open({.label = "chat"}, world.now);
    a.transport->pump(world.now);
    EXPECT_TRUE(
        world.runUntil([&] { return b.channelEvents<sctp::ChannelIncoming>().size() == 1; }));
  }

  /// Another peer takes the place of `b`: new ICE credentials, another certificate.
  Peer& replaceB(dtls::Role roleOfA = dtls::Role::Server) {
    Peer& c = world.add();
    a.trickleTo = &c;
    c.trickleTo = &a;
    b.trickleTo = nullptr;
    c.transport->enableSctp(5000, 262'144, world.now);
    c.transport->setIceRole(ice::Role::Controlled, world.now);
    c.transport->startGathering(world.now);
    a.transport->restartIce(ice::Credentials::generate(a.random), world.now);
    c.transport->setRemoteCredentials(a.transport->localCredentials(), false, world.now);
    c.transport->startDtls(a.fingerprints(), opposite(roleOfA), world.now);
    a.transport->setRemoteCredentials(c.transport->localCredentials(), false, world.now);
    a.transport->renewDtls(c.fingerprints(), roleOfA, DtlsRenewal::NewPeer, world.now);
    return c;
  }
  static dtls::Role opposite(dtls::Role role) {
    return role == dtls::Role::Client ? dtls::Role::Server : dtls::Role::Client;
  }
  void say(Peer& from, sctp::ChannelId id, std::string_view text) {
    ASSERT_TRUE(from.transport->dataChannels().send(id, asBytes(text), true, world.now));
    from.transport->pump(world.now);
  }
  /// A packet each way arrives.
  void expectMedia(Peer& p, Peer& q) {
    const size_t atP = p.rtp.size();
    const size_t atQ = q.rtp.size();
    ASSERT_TRUE(world.sendRtp(p, ++sequence) && world.sendRtp(q, ++sequence));
    world.run(Duration::millis(20));
    EXPECT_EQ(p.rtp.size(), atP + 1);
    EXPECT_EQ(q.rtp.size(), atQ + 1);
  }

  TransportWorld world;
  Peer& a = world.add();
  Peer& b = world.add();
  sctp::ChannelId channel{};
  uint16_t sequence = 0;
};

TEST_F(DtlsRenewalTest, AnotherPeerMayTakeTheFormerOnesPlace) {
  for (const dtls::Role role : {dtls::Role::Server, dtls::Role::Client}) {
    TransportWorld& w = world;
    Peer& c = replaceB(role);
    a.dtlsEvents.clear();
    ASSERT_TRUE(w.runUntil([&] { return c.connected() && a.count(dtls::State::Connected) == 1; }));
    EXPECT_EQ(a.count(dtls::State::Connecting), 1u);
    EXPECT_EQ(a.transport->dtlsRole(), role);
    EXPECT_EQ(a.transport->dtls().remoteCertificateDer(),
              toBytes(test::certificateOf(c.index)->der()));
    expectMedia(a, c);
  }
}

TEST_F(DtlsRenewalTest, DataStartsOverWithAnotherPeer) {
  a.channels.clear();
  Peer& c = replaceB(dtls::Role::Client);
  ASSERT_TRUE(
      world.runUntil([&] { return c.connected() && a.count(dtls::State::Connected) == 2; }));
  ASSERT_EQ(a.channelEvents<sctp::ChannelFailed>().size(), 1u);
  EXPECT_EQ(a.channelEvents<sctp::ChannelFailed>()[0].id, channel);
  EXPECT_EQ(a.channelEvents<sctp::ChannelClosed>().size(), 1u);
  const auto fresh = a.transport->dataChannels().open({.label = "fresh"}, world.now);
  ASSERT_TRUE(fresh);
  a.transport->pump(world.now);
  ASSERT_TRUE(world.runUntil([&] { return c.channelEvents<sctp::ChannelIncoming>().size() == 1; }));
  EXPECT_EQ(*a.transport->dataChannels().streamId(*fresh) % 2, 0) << "now the client";
  say(a, *fresh, "hello");
  ASSERT_TRUE(world.runUntil([&] { return !c.messages.empty(); }));
}

TEST_F(DtlsRenewalTest, TheFormerAssociationServesUntilTheNewOneIsThere) {
  // ICE takes a second: the new peer's checks get lost.
  const Timestamp open = world.now + Duration::seconds(1);
  world.pass = [&](Peer& from, TxPacket& packet) {
    return !(from.index == 2 || packet.to.ip == IpAddress::v4(10, 0, 0, 3)) || world.now >= open;
  };
  Peer& c = replaceB();
  world.run(Duration::millis(500));
  EXPECT_TRUE(a.transport->agent().usesFormerPath());
  EXPECT_TRUE(a.connected());
  EXPECT_EQ(a.count(dtls::State::Connecting), 1u) << "of the first association only";
  expectMedia(a, b);
  say(a, channel, "still there");
  ASSERT_TRUE(world.runUntil([&] { return b.messages.size() == 1; }));
  ASSERT_TRUE(
      world.runUntil([&] { return c.connected() && a.count(dtls::State::Connected) == 2; }));
  expectMedia(a, c);
}

TEST_F(DtlsRenewalTest, TheHandshakeGoesOverTheNewPathOnly) {
  std::vector<SocketAddress> hellosTo;
  world.pass = [&](Peer& from, TxPacket& packet) {
    if (from.index == 0 && handshakeType(packet.data.span()) == kClientHello)
      hellosTo.push_back(packet.to);
    return true;
  };
  Peer& c = replaceB(dtls::Role::Client);
  ASSERT_TRUE(world.runUntil([&] { return c.connected(); }));
  ASSERT_FALSE(hellosTo.empty());
  for (const SocketAddress& to : hellosTo) EXPECT_EQ(to.ip, c.address);
}

TEST_F(DtlsRenewalTest, AHelloThatOvertakesIceIsKept) {
  // The new peer may use its path at once, ours is nominated later.
  Peer& c = replaceB(dtls::Role::Server);
  size_t hellos = 0;
  world.pass = [&](Peer& from, TxPacket& packet) {
    if (from.index == 2 && handshakeType(packet.data.span()) == kClientHello) ++hellos;
    return true;
  };
  ASSERT_TRUE(world.runUntil([&] { return c.connected(); }));
  EXPECT_EQ(hellos, 1u);
}

TEST_F(DtlsRenewalTest, AWrongCertificateOfTheNewPeerEndsIt) {
  Peer& c = world.add();
  const Peer& other = world.add();
  a.trickleTo = &c;
  c.trickleTo = &a;
  world.restartIce(a, c);
  c.transport->setIceRole(ice::Role::Controlled, world.now);
  c.transport->startGathering(world.now);
  c.transport->startDtls(a.fingerprints(), dtls::Role::Client, world.now);
  a.transport->renewDtls(other.fingerprints(), dtls::Role::Server, DtlsRenewal::NewPeer, world.now);
  ASSERT_TRUE(world.runUntil([&] { return a.count(dtls::State::Failed) == 1; }));
  EXPECT_EQ(a.dtlsEvents.back().reason, dtls::Reason::CertificateRejected);
  EXPECT_EQ(a.transport->dtls().state(), dtls::State::Failed);
  EXPECT_FALSE(a.transport->readyForMedia());
  EXPECT_FALSE(world.sendRtp(a, 1));
  EXPECT_EQ(a.channelEvents<sctp::ChannelClosed>().size(), 1u);
  EXPECT_TRUE(c.rtp.empty());
}

TEST_F(DtlsRenewalTest, AFailedTransportIsRevivedByAnotherPeer) {
  b.transport->close(world.now);
  ASSERT_TRUE(world.runUntil([&] { return a.count(dtls::State::Closed) == 1; }));
  EXPECT_FALSE(a.transport->dataChannels().open({.label = "x"}, world.now));
  Peer& c = replaceB();
  ASSERT_TRUE(world.runUntil([&] { return c.connected() && a.connected(); }));
  expectMedia(a, c);
  EXPECT_TRUE(a.transport->dataChannels().open({.label = "x"}, world.now));
  EXPECT_TRUE(world.runUntil([&] { return c.channelEvents<sctp::ChannelIncoming>().size() == 1; }));
}

TEST_F(DtlsRenewalTest, CountersGoOnAcrossKeys) {
  for (int i = 0; i < 5; ++i) expectMedia(a, b);
  const uint64_t packets = a.transport->counters().packetsSent;
  Peer& c = replaceB();
  ASSERT_TRUE(
      world.runUntil([&] { return c.connected() && a.count(dtls::State::Connected) == 2; }));
  for (int i = 0; i < 3; ++i) expectMedia(a, c);
  EXPECT_EQ(a.transport->srtpCounters().protectRtp[0], 8u);
  EXPECT_EQ(a.transport->srtpCounters().unprotectRtp[0], 8u);
  EXPECT_GT(a.transport->counters().packetsSent, packets + 3);
}

TEST_F(DtlsRenewalTest, PacketsUnderTheFormerKeysAreNothingToTheNewOnes) {
  Bytes former;
  world.pass = [&](Peer& from, TxPacket& packet) {
    if (from.index == 1 && classify(packet.data.span()) == PacketClass::Rtp)
      former = toBytes(packet.data.span());
    return true;
  };
  expectMedia(a, b);
  Peer& c = replaceB();
  ASSERT_TRUE(
      world.runUntil([&] { return c.connected() && a.count(dtls::State::Connected) == 2; }));
  const size_t before = a.rtp.size();
  world.inject(c, a, former);
  world.flush();
  EXPECT_EQ(a.rtp.size(), before);
  EXPECT_EQ(a.transport->counters().droppedUnauthentic, 1u);
}

TEST_F(DtlsRenewalTest, ARenewalMayBeRenewed) {
  Peer& c = replaceB();
  (void)c;
  world.run(Duration::millis(1));
  Peer& d = replaceB();
  ASSERT_TRUE(
      world.runUntil([&] { return d.connected() && a.count(dtls::State::Connected) == 2; }));
  expectMedia(a, d);
}

TEST_F(DtlsRenewalTest, SwappedRolesThatMeanNothingChangeNothing) {
  // Firefox answers an ICE restart with other roles and goes on with its association.
  for (const dtls::Role role : {dtls::Role::Client, dtls::Role::Server}) {
    a.dtlsEvents.clear();
    world.restartIce(a, b);
    a.transport->renewDtls(b.fingerprints(), role, DtlsRenewal::RolesSwapped, world.now);
    expectMedia(a, b);
    for (int i = 0; i < 8; ++i) {
      world.run(Duration::seconds(5));
      expectMedia(a, b);
    }
    EXPECT_TRUE(a.dtlsEvents.empty());
    EXPECT_EQ(a.transport->dtlsRole(), dtls::Role::Server);
    say(a, channel, "same as ever");
    ASSERT_TRUE(world.runUntil([&] { return !b.messages.empty(); }));
    EXPECT_TRUE(a.channelEvents<sctp::ChannelClosed>().empty());
    b.messages.clear();
  }
}

TEST_F(DtlsRenewalTest, SwappedRolesThatMeanANewAssociationAreFollowed) {
  a.dtlsEvents.clear();
  world.restartIce(a, b);
  a.transport->renewDtls(b.fingerprints(), dtls::Role::Client, DtlsRenewal::RolesSwapped,
                         world.now);
  b.transport->renewDtls(a.fingerprints(), dtls::Role::Server, DtlsRenewal::RolesSwapped,
                         world.now);
  const Timestamp end = world.now + Duration::seconds(1);
  while (world.now < end) {
    (void)world.sendRtp(a, ++sequence);
    world.run(Duration::millis(20));
  }
  EXPECT_EQ(a.transport->dtlsRole(), dtls::Role::Client);
  EXPECT_EQ(b.transport->dtlsRole(), dtls::Role::Server);
  EXPECT_EQ(a.count(dtls::State::Connected), 1u);
  EXPECT_EQ(a.count(dtls::State::Connecting), 0u) << "it was never disconnected";
  expectMedia(a, b);
  EXPECT_GE(b.rtp.size(), 48u) << "media goes on meanwhile, but for what was under way";
  // It is the same peer: data goes on as well.
  say(a, channel, "hello again");
  ASSERT_TRUE(world.runUntil([&] { return b.messages.size() == 1; }));
  EXPECT_TRUE(a.channelEvents<sctp::ChannelClosed>().empty());
}

TEST_F(DtlsRenewalTest, RolesSwappedDuringTheFirstHandshakeBeginItAnew) {
  TransportWorld w;
  Peer& p = w.add();
  Peer& q = w.add();
  w.introduce(p, q);
  // A provisional answer said the opposite of the final one.
  p.transport->startDtls(q.fingerprints(), dtls::Role::Server, w.now);
  w.run(Duration::millis(300));
  p.transport->renewDtls(q.fingerprints(), dtls::Role::Client, DtlsRenewal::RolesSwapped, w.now);
  q.transport->startDtls(p.fingerprints(), dtls::Role::Server, w.now);
  ASSERT_TRUE(w.runUntil([&] { return p.connected() && q.connected(); }));
  EXPECT_EQ(p.transport->dtlsRole(), dtls::Role::Client);
}

// RFC 8832 section 6: a peer that keeps to it refuses channels whose parity is not that of our
// role.
class ChannelParityTest : public ::testing::Test {
 protected:
  sctp::ChannelId open(Peer& p) {
    const auto id = p.transport->dataChannels().open({.label = "chat"}, w.now);
    EXPECT_TRUE(id);
    p.transport->pump(w.now);
    return *id;
  }
  std::optional<uint16_t> streamOf(Peer& p, sctp::ChannelId id) {
    return p.transport->dataChannels().streamId(id);
  }
  void expectChannel(Peer& from, sctp::ChannelId id, Peer& to) {
    EXPECT_TRUE(w.runUntil([&] { return to.channelEvents<sctp::ChannelIncoming>().size() == 1; }));
    EXPECT_EQ(from.transport->dataChannels().state(id), sctp::ChannelState::Open);
  }
  TransportWorld w;
  Peer& p = w.add();
  Peer& q = w.add();
};

TEST_F(ChannelParityTest, IsThatOfTheFinalAnswer) {
  const sctp::ChannelId early = open(p);
  w.enableData(p, q);
  w.introduce(p, q);
  // The provisional answer came from somebody else, who wanted to be the client.
  p.transport->startDtls(w.add().fingerprints(), dtls::Role::Server, w.now);
  EXPECT_EQ(streamOf(p, early), 1);
  p.transport->renewDtls(q.fingerprints(), dtls::Role::Client, DtlsRenewal::NewPeer, w.now);
  q.transport->startDtls(p.fingerprints(), dtls::Role::Server, w.now);
  expectChannel(p, early, q);
  EXPECT_EQ(streamOf(p, early), 0);
}

TEST_F(ChannelParityTest, IsThatOfRolesSwappedBeforeThereWasData) {
  w.connect(p, q);
  const sctp::ChannelId early = open(p);
  EXPECT_EQ(streamOf(p, early), 1);
  w.restartIce(p, q);
  p.transport->renewDtls(q.fingerprints(), dtls::Role::Client, DtlsRenewal::RolesSwapped, w.now);
  q.transport->renewDtls(p.fingerprints(), dtls::Role::Server, DtlsRenewal::RolesSwapped, w.now);
  ASSERT_TRUE(w.runUntil([&] { return p.transport->dtlsRole() == dtls::Role::Client; }));
  w.run(Duration::millis(200));
  w.enableData(p, q);
  expectChannel(p, early, q);
  EXPECT_EQ(streamOf(p, early), 0);
  open(q);
  EXPECT_TRUE(w.runUntil([&] { return p.channelEvents<sctp::ChannelIncoming>().size() == 1; }));
}

TEST_F(ChannelParityTest, IsForgottenWithTheTransport) {
  w.connect(p, q);
  const sctp::ChannelId early = open(p);
  for (Peer* peer : {&p, &q}) peer->transport->reset(w.now);
  w.flush();
  w.enableData(p, q);
  w.introduce(q, p);
  w.startDtls(q, p);
  expectChannel(p, early, q);
  EXPECT_EQ(streamOf(p, early), 0);
  open(q);
  EXPECT_TRUE(w.runUntil([&] { return p.channelEvents<sctp::ChannelIncoming>().size() == 1; }));
}

TEST_F(ChannelParityTest, IsThatOfTheTransportThatTheChannelsGoTo) {
  p.transport->startDtls(q.fingerprints(), dtls::Role::Server, w.now);
  q.transport->startDtls(p.fingerprints(), dtls::Role::Client, w.now);
  const sctp::ChannelId early = open(p);
  EXPECT_EQ(streamOf(p, early), 1);
  ASSERT_TRUE(p.transport->swapChannels(*q.transport, w.now));
  EXPECT_EQ(streamOf(q, early), 0);
  EXPECT_EQ(streamOf(q, open(q)), 2);
  EXPECT_EQ(streamOf(p, open(p)), 1);
}

TEST_F(DtlsRenewalTest, BeforeTheFirstAssociationItIsTheFirst) {
  TransportWorld w;
  Peer& p = w.add();
  Peer& q = w.add();
  w.introduce(p, q);
  p.transport->renewDtls(q.fingerprints(), dtls::Role::Client, DtlsRenewal::NewPeer, w.now);
  q.transport->startDtls(p.fingerprints(), dtls::Role::Server, w.now);
  ASSERT_TRUE(w.runUntil([&] { return p.connected() && q.connected(); }));
}

TEST_F(DtlsRenewalTest, ClosedAndDestroyedInTheMiddleIsSilent) {
  for (int steps = 0; steps < 12; ++steps) {
    TransportWorld w;
    Peer& p = w.add();
    Peer& q = w.add();
    w.connect(p, q);
    w.restartIce(p, q);
    p.transport->renewDtls(q.fingerprints(), dtls::Role::Client, DtlsRenewal::RolesSwapped, w.now);
    q.transport->renewDtls(p.fingerprints(), dtls::Role::Server, DtlsRenewal::RolesSwapped, w.now);
    w.run(Duration::millis(10 * steps));
    if (steps % 2 == 0) {
      p.transport->close(w.now);
      // A good-bye under keys that the peer has just given up is not understood; consent ends then.
      ASSERT_TRUE(w.runUntil([&] {
        return q.count(dtls::State::Closed) == 1 ||
               q.iceStates.back() == ice::IceConnectionState::Disconnected;
      })) << steps;
    }
  }
}

}  // namespace
}  // namespace parley::transport
