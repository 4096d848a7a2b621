#include "parley/transport/peer_transport.h"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

#include "parley/stun/message_builder.h"

#include "unit/transport/transport_world.h"

namespace parley::transport {
namespace {

using test::handshakeType;
using test::kClientHello;
using test::Peer;
using test::TransportWorld;

class PeerTransportTest : public ::testing::Test {
 protected:
  void addPeers(TransportConfig configA = {}, TransportConfig configB = {}, Limits limits = {}) {
    a = &world.add(std::move(configA), limits);
    b = &world.add(std::move(configB), limits);
  }
  void connect() {
    addPeers();
    world.connect(*a, *b);
  }

  TransportWorld world;
  Peer* a = nullptr;
  Peer* b = nullptr;
};

// --- who gets what ------------------------------------------------------------------------------

TEST_F(PeerTransportTest, DatagramsGoByTheirFirstByte) {
  connect();
  const TransportCounters before = a->transport->counters();
  const uint64_t dtlsBefore = a->transport->dtls().counters().datagramsReceived;
  const uint64_t stunBefore = a->transport->agent().counters().malformed;
  Bytes datagram(40, 0);
  storeU32(&datagram[4], 0x2112A442);  // STUN's magic cookie: enough to be looked at
  size_t stun = 0, dtls = 0, rtp = 0, unknown = 0;
  for (int first = 0; first < 256; ++first) {
    datagram[0] = static_cast<uint8_t>(first);
    world.inject(*b, *a, datagram);
    switch (classify(datagram)) {
      case PacketClass::Stun:
        ++stun;
        break;
      case PacketClass::Dtls:
        ++dtls;
        break;
      case PacketClass::Rtp:
        ++rtp;
        break;
      case PacketClass::Unknown:
        ++unknown;
        break;
    }
  }
  world.inject(*b, *a, {});
  const TransportCounters& after = a->transport->counters();
  EXPECT_EQ(a->transport->agent().counters().malformed - stunBefore, stun);
  EXPECT_EQ(a->transport->dtls().counters().datagramsReceived - dtlsBefore, dtls);
  EXPECT_EQ(after.droppedUnauthentic - before.droppedUnauthentic, rtp);
  EXPECT_EQ(after.droppedUnknownClass - before.droppedUnknownClass, unknown + 1);
  EXPECT_EQ(after.packetsReceived - before.packetsReceived, 257u);
  EXPECT_TRUE(a->connected());
}

TEST_F(PeerTransportTest, OnlyStunIsTakenFromAnUnknownRemoteAddress) {
  connect();
  const uint64_t dtlsBefore = a->transport->dtls().counters().datagramsReceived;
  const SocketAddress stranger = *SocketAddress::parse("192.0.2.66:6666");
  Bytes datagram(60, 0);
  for (const int first : {22, 23, 128, 160}) {
    datagram[0] = static_cast<uint8_t>(first);
    world.injectFrom(stranger, *a, datagram);
  }
  EXPECT_EQ(a->transport->counters().droppedUnknownSource, 4u);
  EXPECT_EQ(a->transport->dtls().counters().datagramsReceived, dtlsBefore);
  EXPECT_EQ(a->transport->counters().droppedUnauthentic, 0u);
  // The same port of another host, another port of the same host: strangers as well.
  SocketAddress nearly = b->sockets.begin()->second;
  ++nearly.port;
  world.injectFrom(nearly, *a, datagram);
  EXPECT_EQ(a->transport->counters().droppedUnknownSource, 5u);
}

TEST_F(PeerTransportTest, AHandshakeOfAStrangerDoesNotBeatThePeers) {
  addPeers();
  world.introduce(*a, *b);
  std::optional<Bytes> hello;
  world.pass = [&](Peer&, TxPacket& packet) {
    if (handshakeType(packet.data.span()) == kClientHello) hello = toBytes(packet.data.span());
    return true;
  };
  Peer& stranger = world.add();
  Peer& victim = world.add();
  world.introduce(victim, stranger);
  world.startDtls(victim, stranger);
  ASSERT_TRUE(world.runUntil([&] { return hello.has_value(); }));
  a->transport->startDtls(b->fingerprints(), dtls::Role::Server, world.now);
  world.injectFrom(*SocketAddress::parse("192.0.2.66:6666"), *a, *hello);
  EXPECT_EQ(a->transport->dtls().counters().datagramsReceived, 0u);
  b->transport->startDtls(a->fingerprints(), dtls::Role::Client, world.now);
  EXPECT_TRUE(world.runUntil([&] { return a->connected() && b->connected(); }));
}

TEST_F(PeerTransportTest, AStunRequestWithAnUnknownUfragIsCountedAndNotAnswered) {
  connect();
  world.flush();
  const size_t sent = world.trace.size();
  Bytes request(200);
  const stun::TransactionId id{};
  stun::MessageBuilder message(request, stun::Class::Request, stun::Method::Binding, id);
  message.text(stun::AttributeType::Username, "nobody:knows")
      .u32(stun::AttributeType::Priority, 1)
      .u64(stun::AttributeType::IceControlled, 1)
      .messageIntegrity(asBytes("a password that nobody knows"))
      .fingerprint();
  world.inject(*b, *a, message.written());
  world.flush();
  EXPECT_EQ(a->transport->agent().counters().unknownUfrag, 1u);
  EXPECT_EQ(world.trace.size(), sent);
}

// --- DTLS ---------------------------------------------------------------------------------------

TEST_F(PeerTransportTest, EitherSideMayBeTheClient) {
  for (const bool offererIsClient : {false, true}) {
    TransportWorld w;
    Peer& offerer = w.add();
    Peer& answerer = w.add();
    w.introduce(offerer, answerer);
    w.enableData(offerer, answerer);
    std::vector<size_t> hellos;
    w.pass = [&](Peer& from, TxPacket& packet) {
      if (handshakeType(packet.data.span()) == kClientHello) hellos.push_back(from.index);
      return true;
    };
    if (offererIsClient) {
      w.startDtls(answerer, offerer);
    } else {
      w.startDtls(offerer, answerer);
    }
    const auto mine = offerer.transport->dataChannels().open({.label = "x"}, w.now);
    ASSERT_TRUE(
        w.runUntil([&] { return !answerer.channelEvents<sctp::ChannelIncoming>().empty(); }));
    EXPECT_EQ(hellos, std::vector<size_t>{offererIsClient ? 0u : 1u});
    EXPECT_EQ(offerer.transport->dtlsRole(),
              offererIsClient ? dtls::Role::Client : dtls::Role::Server);
    // RFC 8832 section 6: the client's streams are even.
    EXPECT_EQ(*offerer.transport->dataChannels().streamId(*mine) % 2, offererIsClient ? 0 : 1);
    EXPECT_TRUE(offerer.transport->readyForMedia() && answerer.transport->readyForMedia());
  }
}

TEST_F(PeerTransportTest, TheRoleOnceGivenStays) {
  connect();
  a->transport->startDtls(b->fingerprints(), dtls::Role::Client, world.now);
  world.run(Duration::seconds(1));
  EXPECT_EQ(a->transport->dtlsRole(), dtls::Role::Server);
  EXPECT_TRUE(a->connected() && b->connected());
}

TEST_F(PeerTransportTest, AClientHelloInTwoDatagramsOutOfOrderIsUnderstood) {
  TransportConfig narrow;
  narrow.mtu = 300;
  narrow.srtpProfiles = {
      crypto::SrtpProfile::AeadAes128Gcm, crypto::SrtpProfile::Aes128CmHmacSha1_80,
      crypto::SrtpProfile::AeadAes256Gcm, crypto::SrtpProfile::Aes128CmHmacSha1_32};
  addPeers({}, narrow);
  std::vector<Bytes> hello;
  world.pass = [&](Peer& from, TxPacket& packet) {
    if (from.index != 1 || handshakeType(packet.data.span()) != kClientHello) return true;
    hello.push_back(toBytes(packet.data.span()));
    return false;
  };
  world.introduce(*a, *b);
  world.startDtls(*a, *b);
  ASSERT_TRUE(world.runUntil([&] { return !hello.empty(); }));
  if (hello.size() == 1) {
    // This OpenSSL's hello fits one datagram: cut its only fragment in two (RFC 6347
    // section 4.2.3).
    const Bytes whole = hello[0];
    const size_t body = whole.size() - 25;
    const size_t half = body / 2;
    const auto fragment = [&](size_t offset, size_t size, uint8_t sequence) {
      Bytes out(whole.begin(), whole.begin() + 25);
      out.insert(out.end(), whole.begin() + 25 + static_cast<std::ptrdiff_t>(offset),
                 whole.begin() + 25 + static_cast<std::ptrdiff_t>(offset + size));
      out[10] = sequence;
      storeU16(&out[11], static_cast<uint16_t>(12 + size));
      storeU24(&out[19], static_cast<uint32_t>(offset));
      storeU24(&out[22], static_cast<uint32_t>(size));
      return out;
    };
    // Record numbers that the client does not use itself.
    hello = {fragment(0, half, 0), fragment(half, body - half, 40)};
  }
  ASSERT_EQ(hello.size(), 2u);
  world.pass = nullptr;
  const Timestamp began = world.now;
  world.inject(*b, *a, hello[1]);
  world.inject(*b, *a, hello[0]);
  ASSERT_TRUE(world.runUntil([&] { return a->connected() && b->connected(); }));
  EXPECT_LT(world.now - began, Duration::millis(45)) << "nothing had to be sent again";
}

TEST_F(PeerTransportTest, AClientHelloBeforeTheAnswerIsKept) {
  addPeers();
  // The answerer knows both sides; the offerer has gathered and waits for the answer.
  a->trickleTo = b;
  a->transport->setIceRole(ice::Role::Controlling, world.now);
  b->transport->setIceRole(ice::Role::Controlled, world.now);
  a->transport->startGathering(world.now);
  b->transport->startGathering(world.now);
  b->transport->setRemoteCredentials(a->transport->localCredentials(), false, world.now);
  b->transport->startDtls(a->fingerprints(), dtls::Role::Client, world.now);
  world.run(Duration::millis(300));
  const uint64_t early = a->transport->dtls().counters().datagramsReceived;
  ASSERT_GE(early, 1u);
  EXPECT_EQ(a->transport->dtls().state(), dtls::State::New);

  a->transport->setRemoteCredentials(b->transport->localCredentials(), false, world.now);
  for (const ice::Candidate& candidate : b->candidates)
    a->transport->addRemoteCandidate(candidate, world.now);
  const Timestamp answered = world.now;
  a->transport->startDtls(b->fingerprints(), dtls::Role::Server, world.now);
  ASSERT_TRUE(world.runUntil([&] { return a->connected() && b->connected(); }));
  EXPECT_LT(world.now - answered, Duration::millis(75)) << "no wait for a retransmission";
}

TEST_F(PeerTransportTest, NothingIsSaidBeforeTheFingerprintsAreKnown) {
  addPeers();
  world.introduce(*a, *b);
  world.enableData(*a, *b);
  a->transport->startDtls({}, dtls::Role::Server, world.now);
  b->transport->startDtls(a->fingerprints(), dtls::Role::Client, world.now);
  (void)b->transport->dataChannels().open({.label = "x"}, world.now);
  world.run(Duration::seconds(2));
  // An empty list matches nothing; so the handshake's end is the end of it.
  EXPECT_EQ(a->transport->dtls().state(), dtls::State::Failed);
  EXPECT_FALSE(a->transport->readyForMedia());
  EXPECT_TRUE(a->channelEvents<sctp::ChannelIncoming>().empty());
}

TEST_F(PeerTransportTest, AWrongFingerprintLetsNothingThrough) {
  addPeers();
  world.introduce(*a, *b);
  world.enableData(*a, *b);
  const Peer& other = world.add();
  a->transport->startDtls(other.fingerprints(), dtls::Role::Server, world.now);
  b->transport->startDtls(a->fingerprints(), dtls::Role::Client, world.now);
  (void)a->transport->dataChannels().open({.label = "x"}, world.now);
  ASSERT_TRUE(world.runUntil([&] { return a->transport->dtls().state() == dtls::State::Failed; }));
  ASSERT_EQ(a->dtlsEvents.back().state, dtls::State::Failed);
  EXPECT_EQ(a->dtlsEvents.back().reason, dtls::Reason::CertificateRejected);
  EXPECT_EQ(a->count(dtls::State::Connected), 0u);
  EXPECT_FALSE(a->transport->readyForMedia());
  EXPECT_FALSE(world.sendRtp(*a, 1));
  EXPECT_EQ(a->channelEvents<sctp::ChannelClosed>().size(), 1u);
  // Whatever the wrong one may send now is not looked at.
  for (uint16_t i = 0; i < 10; ++i) (void)world.sendRtp(*b, i);
  world.run(Duration::seconds(1));
  EXPECT_TRUE(a->rtp.empty());
  EXPECT_TRUE(a->messages.empty());
  EXPECT_TRUE(a->channelEvents<sctp::ChannelIncoming>().empty());
}

TEST_F(PeerTransportTest, ANewClientHelloOnAConnectedAssociationIsDropped) {
  addPeers();
  std::optional<Bytes> hello;
  world.pass = [&](Peer&, TxPacket& packet) {
    if (handshakeType(packet.data.span()) == kClientHello) hello = toBytes(packet.data.span());
    return true;
  };
  world.connect(*a, *b);
  ASSERT_TRUE(hello);
  world.run(Duration::seconds(1));
  const size_t sent = world.trace.size();
  for (int i = 0; i < 20; ++i) world.inject(*b, *a, *hello);
  world.flush();
  EXPECT_EQ(world.trace.size(), sent) << "no answer";
  EXPECT_TRUE(world.sendRtp(*b, 1));
  world.run(Duration::millis(20));
  EXPECT_EQ(a->rtp.size(), 1u);
}

// --- media --------------------------------------------------------------------------------------

TEST_F(PeerTransportTest, BothProfilesCarryMediaAndTheServerChooses) {
  using crypto::SrtpProfile;
  // Chromium as a server takes the second one, whatever order it is offered in.
  for (const SrtpProfile chosen : {SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80}) {
    TransportWorld w;
    TransportConfig server;
    server.srtpProfiles = {chosen};
    Peer& p = w.add(server);
    Peer& q = w.add();
    w.connect(p, q);
    EXPECT_EQ(q.transport->dtls().srtpProfile(), chosen);
    for (uint16_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(w.sendRtp(p, i, 1, "to q") && w.sendRtp(q, i, 2, "to p"));
    }
    EXPECT_TRUE(w.sendRtcp(p) && w.sendRtcp(q));
    w.run(Duration::millis(20));
    for (const Peer* peer : {&p, &q}) {
      ASSERT_EQ(peer->rtp.size(), 21u);
      EXPECT_EQ(asText(peer->rtp[0].data.span().subspan(12)), peer == &p ? "to p" : "to q");
      EXPECT_FALSE(peer->rtp[0].isRtcp);
      EXPECT_TRUE(peer->rtp[20].isRtcp);
    }
    EXPECT_EQ(p.transport->srtpCounters().protectRtp[0], 20u);
    EXPECT_EQ(p.transport->srtpCounters().unprotectRtcp[0], 1u);
  }
}

TEST_F(PeerTransportTest, SrtpBeforeTheKeysIsCountedAndDropped) {
  addPeers();
  world.introduce(*a, *b);
  ASSERT_TRUE(world.runUntil([&] { return a->transport->agent().sendPath() != nullptr; }));
  world.run(Duration::millis(100));
  Bytes packet(60, 0);
  packet[0] = 0x80;
  for (int i = 0; i < 3; ++i) world.inject(*b, *a, packet);
  EXPECT_EQ(a->transport->counters().droppedBeforeKeys, 3u);
  EXPECT_FALSE(world.sendRtp(*a, 1));
  EXPECT_EQ(a->transport->counters().droppedBeforeKeys, 4u);
  EXPECT_TRUE(a->rtp.empty());
}

TEST_F(PeerTransportTest, TamperedAndRepeatedPacketsAreDropped) {
  connect();
  Bytes copy;
  world.pass = [&](Peer& from, TxPacket& packet) {
    if (from.index == 1 && classify(packet.data.span()) == PacketClass::Rtp)
      copy = toBytes(packet.data.span());
    return true;
  };
  ASSERT_TRUE(world.sendRtp(*b, 1));
  world.run(Duration::millis(20));
  ASSERT_EQ(a->rtp.size(), 1u);
  world.inject(*b, *a, copy);
  for (size_t at = 2; at < copy.size(); ++at) {
    Bytes damaged = copy;
    damaged[at] ^= 0x20;
    world.inject(*b, *a, damaged);
  }
  world.flush();
  EXPECT_EQ(a->rtp.size(), 1u);
  EXPECT_EQ(a->transport->counters().droppedUnauthentic, copy.size() - 1);
  ASSERT_TRUE(world.sendRtp(*b, 2));
  world.run(Duration::millis(20));
  EXPECT_EQ(a->rtp.size(), 2u);
}

TEST_F(PeerTransportTest, SourcesAreBoundedAndGiveTheirPlacesBack) {
  Limits limits;
  limits.maxReceiveSsrcs = 2;
  addPeers({}, {}, limits);
  world.connect(*a, *b);
  // Two streams, their retransmissions, and 16 that only report.
  constexpr uint32_t kPlaces = 2 * 2 + 16;
  const auto send = [&](uint32_t ssrc, uint16_t sequence) {
    EXPECT_TRUE(world.sendRtp(*b, sequence, ssrc));
    world.run(Duration::millis(20));
  };
  for (uint32_t ssrc = 1; ssrc <= kPlaces; ++ssrc) send(ssrc, 1);
  EXPECT_EQ(a->rtp.size(), kPlaces);
  send(100, 1);
  EXPECT_EQ(a->rtp.size(), kPlaces);
  EXPECT_EQ(a->transport->counters().droppedUnauthentic, 1u);
  send(1, 2);
  EXPECT_EQ(a->rtp.size(), kPlaces + 1) << "those that are in go on";
  a->transport->releaseSource(5);
  send(100, 2);
  EXPECT_EQ(a->rtp.size(), kPlaces + 2);
  send(5, 2);
  EXPECT_EQ(a->rtp.size(), kPlaces + 2) << "its place is taken";
}

TEST_F(PeerTransportTest, UnreadMediaIsBoundedAndHoldsUpNothingElse) {
  connect();
  world.enableData(*a, *b);
  a->readsRtp = false;
  for (uint16_t i = 0; i < 600; ++i) ASSERT_TRUE(world.sendRtp(*b, i));
  const auto channel = b->transport->dataChannels().open({.label = "x"}, world.now);
  ASSERT_TRUE(world.runUntil([&] { return !a->channelEvents<sctp::ChannelIncoming>().empty(); }));
  ASSERT_TRUE(b->transport->dataChannels().send(*channel, asBytes("still here"), true, world.now));
  b->transport->pump(world.now);
  EXPECT_TRUE(world.runUntil([&] { return a->messages.size() == 1; }));
  EXPECT_EQ(a->transport->counters().droppedQueueFull, 600u - 512u);
  a->readsRtp = true;
  world.flush();
  ASSERT_EQ(a->rtp.size(), 512u);
  EXPECT_EQ(loadU16(&a->rtp[0].data.span()[2]), 0) << "the oldest are kept, in order";
  EXPECT_EQ(loadU16(&a->rtp[511].data.span()[2]), 511);
}

TEST_F(PeerTransportTest, TheTransmitQueueIsBounded) {
  Limits limits;
  limits.maxQueuedTransmits = 64;
  addPeers({}, {}, limits);
  world.connect(*a, *b);
  world.run(Duration::seconds(1));
  size_t taken = 0;
  for (uint16_t i = 0; i < 200; ++i) taken += world.sendRtp(*a, i);
  EXPECT_EQ(taken, 64u);
  EXPECT_EQ(a->transport->counters().droppedQueueFull, 136u);
  world.run(Duration::millis(20));
  EXPECT_EQ(b->rtp.size(), 64u);
}

// --- data ---------------------------------------------------------------------------------------

TEST_F(PeerTransportTest, DataMayBeEnabledBeforeOrAfterTheHandshake) {
  for (const bool early : {true, false}) {
    TransportWorld w;
    Peer& p = w.add();
    Peer& q = w.add();
    if (early) w.enableData(p, q);
    w.connect(p, q);
    const auto channel = p.transport->dataChannels().open({.label = "chat"}, w.now);
    if (!early) w.enableData(p, q);
    ASSERT_TRUE(w.runUntil([&] { return !q.channelEvents<sctp::ChannelIncoming>().empty(); }));
    ASSERT_TRUE(p.transport->dataChannels().send(*channel, asBytes("hello"), true, w.now));
    p.transport->pump(w.now);
    ASSERT_TRUE(w.runUntil([&] { return !q.messages.empty(); }));
    EXPECT_EQ(q.messages[0], "hello");
  }
}

TEST_F(PeerTransportTest, AnAnswerGivenAtOnceTakesTheAcknowledgementAlong) {
  addPeers();
  world.enableData(*a, *b);
  world.connect(*a, *b);
  const auto here = a->transport->dataChannels().open({.label = "chat"}, world.now);
  ASSERT_TRUE(world.runUntil([&] { return !b->channelEvents<sctp::ChannelIncoming>().empty(); }));
  const auto there = b->channelEvents<sctp::ChannelIncoming>()[0].id;
  world.run(Duration::seconds(1));

  PacketBuf question;
  world.pass = [&](Peer& from, TxPacket& packet) {
    if (&from == a && classify(packet.data.span()) == PacketClass::Dtls)
      question = std::move(packet.data);
    return false;
  };
  ASSERT_TRUE(a->transport->dataChannels().send(*here, asBytes("question"), true, world.now));
  a->transport->expectTransmits(world.now);
  world.flush();
  ASSERT_TRUE(question);
  Datagram datagram{b->socket(), a->sockets.begin()->second, b->sockets.begin()->second,
                    std::move(question), Ecn::NotEct};
  b->transport->handleDatagrams({&datagram, 1}, world.now);
  EXPECT_TRUE(b->transport->hasTransmits());
  ASSERT_TRUE(b->transport->dataChannels().send(there, asBytes("answer"), true, world.now));
  TxPacket packet;
  ASSERT_TRUE(b->transport->pollTransmit(packet));
  EXPECT_FALSE(b->transport->hasTransmits());
  EXPECT_FALSE(b->transport->pollTransmit(packet));
}

// --- candidates ---------------------------------------------------------------------------------

TEST_F(PeerTransportTest, GatheringBeginsAfterTheCallThatAskedForIt) {
  addPeers();
  a->transport->startGathering(world.now);
  TransportEvent event;
  EXPECT_FALSE(a->transport->pollEvent(event)) << "the call completes first";
  a->transport->startGathering(world.now);
  world.run(Duration::seconds(1));
  EXPECT_EQ(a->gathering, (std::vector{GatheringState::Gathering, GatheringState::Complete}));
  ASSERT_EQ(a->candidates.size(), 1u);
  EXPECT_EQ(a->candidates[0].address.ip, a->address);
}

TEST_F(PeerTransportTest, ARestartTellsTheCandidatesOfTheOpenSocketsAgain) {
  connect();
  world.run(Duration::seconds(1));
  const size_t sockets = a->sockets.size();
  const SocketAddress before = a->candidates[0].address;
  a->candidates.clear();
  a->gathering.clear();
  world.restartIce(*a, *b);
  ASSERT_TRUE(world.runUntil([&] { return a->gathering.size() == 2; }));
  ASSERT_EQ(a->candidates.size(), 1u);
  EXPECT_EQ(a->candidates[0].address, before);
  EXPECT_EQ(a->sockets.size(), sockets);
  ASSERT_TRUE(world.runUntil([&] { return !a->transport->agent().usesFormerPath(); }));
  EXPECT_TRUE(world.sendRtp(*a, 1));
  world.run(Duration::millis(20));
  EXPECT_EQ(b->rtp.size(), 1u);
  EXPECT_EQ(a->count(dtls::State::Connected), 1u) << "the association has nothing to do with it";
}

TEST_F(PeerTransportTest, HiddenNamesAreAskedForAndUsed) {
  addPeers();
  a->transport->setIceRole(ice::Role::Controlling, world.now);
  b->transport->setIceRole(ice::Role::Controlled, world.now);
  for (Peer* peer : {a, b}) peer->transport->startGathering(world.now);
  world.run(Duration::millis(10));
  a->transport->setRemoteCredentials(b->transport->localCredentials(), false, world.now);
  b->transport->setRemoteCredentials(a->transport->localCredentials(), false, world.now);
  world.startDtls(*a, *b);
  ice::Candidate hidden = b->candidates.at(0);
  hidden.hostname = "0a1b2c3d-0000-4000-8000-000000000001.local";
  hidden.address.ip = {};
  a->transport->addRemoteCandidate(hidden, world.now);
  world.flush();
  ASSERT_EQ(a->lookUps.size(), 1u);
  EXPECT_EQ(a->lookUps[0].host, hidden.hostname);
  a->transport->handle(Resolved{ResolveId(4711), {b->address}}, world.now);
  world.flush();
  EXPECT_EQ(a->transport->agent().sendPath(), nullptr) << "an answer to no question";
  a->transport->handle(Resolved{a->lookUps[0].id, {b->address}}, world.now);
  ASSERT_TRUE(world.runUntil([&] { return a->connected() && b->connected(); }));
  a->transport->handle(Resolved{a->lookUps[0].id, {b->address}}, world.now);
}

TEST_F(PeerTransportTest, FewNamesAreLookedUpAtOnce) {
  addPeers();
  a->transport->startGathering(world.now);
  world.run(Duration::millis(10));
  a->transport->setRemoteCredentials({"ufrag", "passwordpasswordpassword"}, false, world.now);
  for (int i = 0; i < 30; ++i) {
    ice::Candidate candidate = a->candidates.at(0);
    candidate.foundation = std::to_string(i);
    candidate.address = {{}, static_cast<uint16_t>(5000 + i)};
    candidate.hostname = a->random.uuid() + ".local";
    a->transport->addRemoteCandidate(candidate, world.now);
  }
  world.flush();
  EXPECT_EQ(a->lookUps.size(), Limits{}.maxPendingMdns);
  // Answers are refused one by one; the next questions follow.
  for (size_t i = 0; i < a->lookUps.size() && i < 200; ++i) {
    a->transport->handle(Resolved{a->lookUps[i].id, {}}, world.now);
    world.flush();
    EXPECT_LE(a->lookUps.size() - i - 1, Limits{}.maxPendingMdns);
  }
  EXPECT_EQ(a->lookUps.size(), 30u);
}

// --- the end ------------------------------------------------------------------------------------

TEST_F(PeerTransportTest, ClosingSaysGoodByeToThePeer) {
  connect();
  world.enableData(*a, *b);
  (void)a->transport->dataChannels().open({.label = "x"}, world.now);
  ASSERT_TRUE(world.runUntil([&] { return !b->channelEvents<sctp::ChannelIncoming>().empty(); }));
  a->transport->close(world.now);
  EXPECT_FALSE(a->transport->readyForMedia());
  EXPECT_FALSE(world.sendRtp(*a, 1));
  EXPECT_TRUE(a->transport->hasTransmits()) << "the good-byes wait to be taken";
  ASSERT_TRUE(world.runUntil([&] { return b->count(dtls::State::Closed) == 1; }));
  EXPECT_EQ(b->dtlsEvents.back().reason, dtls::Reason::RemoteClose);
  EXPECT_EQ(b->channelEvents<sctp::ChannelClosed>().size(), 1u);
  EXPECT_FALSE(b->transport->readyForMedia());
  EXPECT_EQ(a->channelEvents<sctp::ChannelClosed>().size(), 1u);
}

TEST_F(PeerTransportTest, AfterClosingNothingIsTakenAndNothingIsPlanned) {
  connect();
  a->transport->close(world.now);
  a->transport->close(world.now);
  world.run(Duration::seconds(1));
  const uint64_t sent = a->transport->counters().packetsSent;
  Bytes datagram(60, 0);
  for (const int first : {1, 22, 128}) {
    datagram[0] = static_cast<uint8_t>(first);
    world.inject(*b, *a, datagram);
  }
  (void)world.sendRtp(*b, 7);
  a->transport->renewDtls(b->fingerprints(), dtls::Role::Client, DtlsRenewal::NewPeer, world.now);
  a->transport->addRemoteCandidate(b->candidates.at(0), world.now);
  world.run(Duration::seconds(60));
  EXPECT_EQ(a->transport->counters().packetsSent, sent);
  EXPECT_TRUE(a->rtp.empty());
  EXPECT_TRUE(a->transport->nextDeadline().isNever());
}

TEST_F(PeerTransportTest, WithoutAPathPacketsAreDroppedAndCounted) {
  connect();
  const SocketId socket = a->socket();
  a->transport->handle(SocketFailed{socket, SocketFailure::Other}, world.now);
  const uint64_t before = a->transport->counters().droppedNoPath;
  EXPECT_FALSE(a->transport->readyForMedia());
  EXPECT_FALSE(world.sendRtp(*a, 1));
  EXPECT_EQ(a->transport->counters().droppedNoPath, before + 1);
}

}  // namespace
}  // namespace parley::transport
