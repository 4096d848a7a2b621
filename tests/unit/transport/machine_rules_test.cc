// The rules every machine keeps (src/README.md), for the transport.

#include <gtest/gtest.h>

#include "parley/base/machine.h"
#include "parley/transport/peer_transport.h"

#include "support/alloc_guard.h"
#include "unit/transport/transport_world.h"

namespace parley::transport {
namespace {

using test::Peer;
using test::TransportWorld;

static_assert(Machine<PeerTransport>);

/// A call with an ICE restart and media; what went over the network, handshakes aside: their sizes
/// and, with lost packets, numbers depend on OpenSSL's own randomness.
std::vector<TransportWorld::Step> call(bool nervous) {
  TransportWorld world(nervous);
  Peer& a = world.add();
  Peer& b = world.add();
  world.connect(a, b);
  for (uint16_t i = 0; i < 50; ++i) {
    EXPECT_TRUE(world.sendRtp(a, i) && world.sendRtp(b, i));
    world.run(Duration::millis(20));
    if (i == 25) world.restartIce(a, b);
  }
  world.run(Duration::seconds(20));
  EXPECT_EQ(a.rtp.size(), 50u);
  EXPECT_EQ(b.rtp.size(), 50u);
  return world.trace;
}

TEST(TransportMachineRules, SameSeedSameDatagrams) {
  EXPECT_EQ(call(false), call(false));
}

TEST(TransportMachineRules, EarlyRepeatedAndBackwardAdvanceIsHarmless) {
  EXPECT_EQ(call(false), call(true));
}

TEST(TransportMachineRules, TimeThatRunsBackwardsCountsAsTheLast) {
  TransportWorld world;
  Peer& a = world.add();
  Peer& b = world.add();
  world.connect(a, b);
  const Timestamp before = a.transport->nextDeadline();
  a.transport->advance(Timestamp{});
  a.transport->handle(InterfacesChanged{{{"eth0", 1, {a.address}}}}, Timestamp{});
  a.transport->pump(Timestamp{});
  EXPECT_EQ(a.transport->nextDeadline(), before);
  EXPECT_GT(a.transport->nextDeadline(), world.now);
}

TEST(TransportMachineRules, ADeadlineIsAlwaysAhead) {
  // Nobody answers and nobody polls: every timer runs to its end.
  TransportWorld world;
  Peer& a = world.add();
  a.transport->startGathering(world.now);
  world.run(Duration::millis(10));
  a.transport->setRemoteCredentials({"ufrag", "passwordpasswordpassword"}, false, world.now);
  for (uint16_t port = 1; port <= 20; ++port) {
    ice::Candidate candidate = a.candidates.at(0);
    candidate.foundation = std::to_string(port);
    candidate.address = {IpAddress::v4(192, 0, 2, 1), port};
    a.transport->addRemoteCandidate(candidate, world.now);
  }
  a.transport->startDtls(a.fingerprints(), dtls::Role::Client, world.now);
  Timestamp now = world.now;
  size_t wakes = 0;
  while (!a.transport->nextDeadline().isNever() && ++wakes < 10'000) {
    now = a.transport->nextDeadline();
    a.transport->advance(now);
    ASSERT_GT(a.transport->nextDeadline(), now);
  }
  EXPECT_LT(wakes, 2000u);
  EXPECT_EQ(a.transport->agent().state(), ice::IceConnectionState::Failed);
}

TEST(TransportMachineRules, AnIdleTransportWakesForConsentOnly) {
  TransportWorld world;
  Peer& a = world.add();
  Peer& b = world.add();
  world.connect(a, b);
  world.run(Duration::seconds(60));
  const auto requests = [&] {
    uint64_t sum = 0;
    for (const ice::PairStats& pair : a.transport->agent().pairStats()) sum += pair.requestsSent;
    return sum;
  };
  const uint64_t before = requests();
  const uint64_t packets = a.transport->counters().packetsSent;
  a.wakes = 0;
  world.run(Duration::seconds(600));
  // RFC 7675 section 5.1: a request every 4 to 6 s; its answer comes before anything is repeated.
  const uint64_t sent = requests() - before;
  EXPECT_GE(sent, 100u);
  EXPECT_LE(sent, 150u);
  EXPECT_EQ(a.wakes, sent);
  EXPECT_LE(a.transport->counters().packetsSent - packets, 2 * sent + 30) << "and the answers";
}

TEST(TransportMachineRules, OutputsWaitAndComeInOrder) {
  TransportWorld world;
  Peer& a = world.add();
  Peer& b = world.add();
  world.connect(a, b);
  world.run(Duration::seconds(1));
  for (uint16_t i = 0; i < 100; ++i) ASSERT_TRUE(world.sendRtp(a, i));
  // Polls and inputs interleave.
  TxPacket packet;
  uint16_t expected = 0;
  while (a.transport->pollTransmit(packet)) {
    a.transport->advance(world.now);
    a.transport->pump(world.now);
    if (classify(packet.data.span()) != PacketClass::Rtp) continue;
    EXPECT_EQ(loadU16(&packet.data.span()[2]), expected++);
  }
  EXPECT_EQ(expected, 100);
  EXPECT_FALSE(a.transport->hasTransmits());
}

TEST(TransportMachineRules, TwoInOneProcessKnowNothingOfEachOther) {
  const std::vector<TransportWorld::Step> alone = call(false);
  TransportWorld other;
  Peer& c = other.add();
  Peer& d = other.add();
  other.connect(c, d);
  const auto beside = call(false);
  EXPECT_EQ(alone, beside);
  EXPECT_TRUE(other.sendRtp(c, 1));
  other.run(Duration::millis(20));
  EXPECT_EQ(d.rtp.size(), 1u);
}

TEST(TransportMachineRules, MayBeDestroyedAtAnyPoint) {
  for (int millis = 0; millis < 400; millis += 7) {
    TransportWorld world;
    Peer& a = world.add();
    Peer& b = world.add();
    world.enableData(a, b);
    world.introduce(a, b);
    world.startDtls(a, b);
    (void)a.transport->dataChannels().open({.label = "x"}, world.now);
    world.run(Duration::millis(millis));
    (void)world.sendRtp(a, 1);
  }
}

TEST(TransportMachineRules, CallsInAnyOrderAreHarmless) {
  // Nothing here makes sense, and all of it must be survived.
  SeededRandom dice(7);
  for (int round = 0; round < 20; ++round) {
    TransportWorld world;
    Peer& a = world.add();
    Peer& b = world.add();
    world.introduce(a, b);
    for (int step = 0; step < 60; ++step) {
      Peer& p = dice.below(2) == 0 ? a : b;
      Peer& q = &p == &a ? b : a;
      const dtls::Role role = dice.below(2) == 0 ? dtls::Role::Client : dtls::Role::Server;
      switch (dice.below(12)) {
        case 0:
          p.transport->startDtls(q.fingerprints(), role, world.now);
          break;
        case 1:
          p.transport->renewDtls(q.fingerprints(), role, DtlsRenewal::NewPeer, world.now);
          break;
        case 2:
          p.transport->renewDtls(q.fingerprints(), role, DtlsRenewal::RolesSwapped, world.now);
          break;
        case 3:
          world.restartIce(a, b);
          break;
        case 4:
          p.transport->rollbackIceRestart(world.now);
          break;
        case 5:
          p.transport->enableSctp(5000, 0, world.now);
          break;
        case 6:
          (void)p.transport->dataChannels().open({.label = "x"}, world.now);
          break;
        case 7:
          (void)world.sendRtp(p, static_cast<uint16_t>(step));
          break;
        case 8:
          p.transport->endRemoteCandidates(world.now);
          break;
        case 9:
          p.transport->setIceRole(ice::Role::Controlling, world.now);
          break;
        case 10:
          p.transport->releaseSource(0x11111111);
          break;
        default:
          if (dice.below(20) == 0) p.transport->close(world.now);
          break;
      }
      world.run(Duration::millis(static_cast<int64_t>(dice.below(40))));
    }
  }
}

TEST(TransportMachineRules, AMediaPacketAllocatesNothing) {
  if (!parley::test::AllocGuard::isActive())
    GTEST_SKIP() << "allocations are not counted in this build";
  TransportWorld world;
  Peer& a = world.add();
  Peer& b = world.add();
  world.connect(a, b);
  const SocketAddress to = b.sockets.begin()->second;
  const SocketAddress from = a.sockets.begin()->second;
  const SocketId socket = b.socket();
  // Without the test's own network between them.
  const auto exchange = [&](uint16_t sequence) {
    PacketBuf packet = a.pool.allocate();
    packet.resize(40);
    std::fill(packet.mutableSpan().begin(), packet.mutableSpan().end(), uint8_t{0});
    packet.data()[0] = 0x80;
    packet.data()[1] = 111;
    storeU16(packet.data() + 2, sequence);
    storeU32(packet.data() + 8, 0x11111111);
    (void)a.transport->sendRtp(std::move(packet), false, TxClass::Audio);
    TxPacket out;
    while (a.transport->pollTransmit(out)) {
      Datagram datagram{socket, from, to, b.pool.copyOf(out.data.span()), Ecn::NotEct};
      b.transport->handle(std::move(datagram), world.now);
    }
    RtpPacket rtp;
    while (b.transport->pollRtp(rtp)) {
    }
    b.transport->advance(world.now);
    (void)b.transport->nextDeadline();
  };
  for (uint16_t i = 0; i < 220; ++i) exchange(i);
  const uint64_t before = b.transport->srtpCounters().unprotectRtp[0];
  const parley::test::AllocGuard guard;
  for (uint16_t i = 220; i < 720; ++i) exchange(i);
  const size_t allocations = guard.count();
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ(b.transport->srtpCounters().unprotectRtp[0] - before, 500u);
}

}  // namespace
}  // namespace parley::transport
