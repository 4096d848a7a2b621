#include <algorithm>

#include "unit/dtls/dtls_pair.h"

namespace parley::dtls {
namespace {

using test::DtlsPair;
using test::End;
using test::pass;
using test::recordsOf;
using test::Transit;

constexpr uint8_t kBadCertificate = 42;

std::vector<Fingerprint> wrongFingerprints() {
  return test::makeCertificate(99)->fingerprints();
}

Bytes plaintextRecord(uint8_t type, ByteSpan body, uint64_t sequence = 1000, uint16_t epoch = 0) {
  Bytes out(13 + body.size());
  ByteWriter writer(out);
  writer.u8(type);
  writer.u16(0xfefd);
  writer.u16(epoch);
  writer.u16(static_cast<uint16_t>(sequence >> 32));
  writer.u32(static_cast<uint32_t>(sequence));
  writer.u16(static_cast<uint16_t>(body.size()));
  writer.bytes(body);
  return out;
}

Bytes handshakeFragment(uint8_t type, uint32_t length, uint16_t sequence, uint32_t offset,
                        uint32_t fragment, size_t carried) {
  Bytes out(12 + carried);
  ByteWriter writer(out);
  writer.u8(type);
  writer.u24(length);
  writer.u16(sequence);
  writer.u24(offset);
  writer.u24(fragment);
  return plaintextRecord(22, out);
}

/// What anybody who can spoof the peer's address can send.
std::vector<Bytes> forgeries() {
  SeededRandom random(77);
  std::vector<Bytes> out;
  for (size_t size : {1u, 5u, 12u, 13u, 14u, 40u, 300u, 1500u, 2048u}) {
    Bytes noise(size);
    random.fill(noise);
    out.push_back(noise);
    noise[0] = 22;
    if (size > 2) noise[1] = 0xfe;
    if (size > 2) noise[2] = 0xfd;
    out.push_back(noise);
  }
  out.push_back(plaintextRecord(23, asBytes("plaintext data")));
  out.push_back(plaintextRecord(24, asBytes("heartbeat")));
  out.push_back(plaintextRecord(21, Bytes{1, 0}));   // close_notify
  out.push_back(plaintextRecord(21, Bytes{1, 90}));  // user_canceled
  out.push_back(plaintextRecord(21, Bytes{2}));      // half an alert
  out.push_back(plaintextRecord(20, Bytes{2}));      // not a ChangeCipherSpec
  out.push_back(plaintextRecord(20, Bytes{1, 1}));
  out.push_back(plaintextRecord(22, Bytes{}));
  out.push_back(plaintextRecord(22, Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));  // HelloRequest
  out.push_back(handshakeFragment(11, 0xffffff, 0, 0, 4, 4));                     // huge
  out.push_back(handshakeFragment(11, 100, 2, 90, 20, 20));                       // beyond its end
  out.push_back(handshakeFragment(11, 100, 2, 0, 100, 10));  // more than the record holds
  out.push_back(handshakeFragment(11, 100, 2, 0, 0, 0));     // empty fragment
  out.push_back(handshakeFragment(20, 12, 5, 0, 12, 12));    // plaintext Finished
  out.push_back(plaintextRecord(22, Bytes(60, 0), 5, 1));    // epoch 1, no key made it
  out.push_back(plaintextRecord(21, Bytes(30, 0), 6, 1));
  out.push_back(plaintextRecord(23, Bytes(60, 0), 7, 1));
  out.push_back(plaintextRecord(23, Bytes(60, 0), 8, 2));  // epochs never reached
  out.push_back(plaintextRecord(22, Bytes(60, 0), 9, 65535));
  return out;
}

TEST(Verification, AWrongCertificateIsRefusedByEitherSideWithAnAlert) {
  for (Role deceived : {Role::Client, Role::Server}) {
    DtlsPair pair;
    pair.create();
    pair.end(deceived).connection->setRemoteFingerprints(wrongFingerprints(), pair.now);
    pair.start();
    pair.runFor(Duration::seconds(5));
    const End& victim = pair.end(deceived);
    EXPECT_EQ(victim.connection->state(), State::Failed);
    EXPECT_EQ(victim.events.back().reason, Reason::CertificateRejected);
    EXPECT_EQ(victim.events.back().sentAlert, kBadCertificate);
    EXPECT_FALSE(victim.saw(State::Connected));
    EXPECT_FALSE(victim.connection->remoteCertificateDer().empty());
    const End& peer = pair.other(deceived);
    EXPECT_EQ(peer.connection->state(), State::Failed);
    EXPECT_EQ(peer.events.back().reason, Reason::PeerAlert);
    EXPECT_EQ(peer.events.back().receivedAlert, kBadCertificate);
  }
}

TEST(Verification, AnyOfSeveralFingerprintsMayMatch) {
  DtlsPair pair;
  pair.create();
  auto known = wrongFingerprints();
  known.push_back(pair.serverConfig.certificate->fingerprints()[0]);
  known.push_back(
      *Fingerprint::parse("sha-1 "
                          "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33"));
  known.push_back(*Fingerprint::parse("sha3-256 AA:BB"));
  pair.client.connection->setRemoteFingerprints(known, pair.now);
  pair.start();
  pair.runUntilConnected();
  EXPECT_TRUE(pair.bothConnected());
}

TEST(Verification, NothingPassesBeforeTheFingerprintsAreKnown) {
  for (Role late : {Role::Client, Role::Server}) {
    DtlsPair pair;
    pair.create(late != Role::Client, late != Role::Server);
    pair.start();
    pair.runFor(Duration::millis(200));
    End& waiting = pair.end(late);
    End& peer = pair.other(late);
    ASSERT_EQ(peer.connection->state(), State::Connected);
    EXPECT_EQ(waiting.connection->state(), State::Connecting);
    EXPECT_FALSE(waiting.connection->srtpKeying());
    EXPECT_FALSE(waiting.connection->send(asBytes("x"), pair.now));
    ASSERT_TRUE(peer.connection->send(asBytes("held back"), pair.now));
    pair.runFor(Duration::seconds(100));  // longer than any handshake: signalling may be slow
    EXPECT_TRUE(waiting.received.empty());
    EXPECT_EQ(waiting.connection->state(), State::Connecting);
    EXPECT_TRUE(waiting.connection->nextDeadline().isNever());

    waiting.connection->setRemoteFingerprints(
        (late == Role::Client ? pair.serverConfig : pair.clientConfig).certificate->fingerprints(),
        pair.now);
    EXPECT_EQ(waiting.connection->state(), State::Connected);
    waiting.collect();
    ASSERT_EQ(waiting.received.size(), 1u);
    EXPECT_EQ(asText(waiting.received[0]), "held back");
    EXPECT_TRUE(waiting.connection->srtpKeying());
    EXPECT_TRUE(waiting.connection->send(asBytes("x"), pair.now));
  }
}

TEST(Verification, LateFingerprintsThatDoNotMatchLeaveNothingUsable) {
  for (bool none : {false, true}) {
    DtlsPair pair;
    pair.create(true, false);
    pair.start();
    pair.runFor(Duration::millis(200));
    ASSERT_TRUE(pair.client.connection->send(asBytes("secret"), pair.now));
    pair.runFor(Duration::millis(50));
    pair.server.connection->setRemoteFingerprints(
        none ? std::vector<Fingerprint>{} : wrongFingerprints(), pair.now);
    pair.runFor(Duration::millis(50));
    EXPECT_EQ(pair.server.connection->state(), State::Failed);
    EXPECT_EQ(pair.server.events.back().reason, Reason::CertificateRejected);
    EXPECT_TRUE(pair.server.received.empty());
    EXPECT_FALSE(pair.server.saw(State::Connected));
    EXPECT_FALSE(pair.server.connection->srtpKeying());
    EXPECT_EQ(pair.client.connection->state(), State::Closed);
    EXPECT_EQ(pair.client.events.back().reason, Reason::RemoteClose);
    // Later words do not wake the dead.
    pair.server.connection->setRemoteFingerprints(pair.clientConfig.certificate->fingerprints(),
                                                  pair.now);
    pair.server.connection->start(Role::Server, pair.now);
    EXPECT_EQ(pair.server.connection->state(), State::Failed);
  }
}

TEST(Verification, UnverifiedDataIsBounded) {
  DtlsPair pair;
  pair.create(true, false);
  pair.start();
  pair.runFor(Duration::millis(200));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(pair.client.connection->send(asBytes("x"), pair.now));
  pair.runFor(Duration::millis(50));
  EXPECT_EQ(pair.server.pool.inUse(), 64u);
  EXPECT_EQ(pair.server.connection->counters().dataDropped, 136u);
}

TEST(Verification, NewFingerprintsForALiveConnectionMustStillMatch) {
  DtlsPair pair;
  pair.create();
  pair.start();
  pair.runUntilConnected();
  pair.client.connection->setRemoteFingerprints(pair.serverConfig.certificate->fingerprints(),
                                                pair.now);
  EXPECT_EQ(pair.client.connection->state(), State::Connected);
  pair.client.collect();
  EXPECT_EQ(pair.client.events.size(), 2u);
  pair.client.connection->setRemoteFingerprints(wrongFingerprints(), pair.now);
  EXPECT_EQ(pair.client.connection->state(), State::Failed);
}

TEST(Hostile, ForgeriesInEveryStateEndNothing) {
  const std::vector<Bytes> forged = forgeries();
  for (size_t stage = 0; stage <= 5; ++stage) {
    DtlsPair pair;
    pair.clientConfig.mtu = pair.serverConfig.mtu = 600;
    size_t seen = 0;
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      if (seen++ == stage) {
        for (const Bytes& bytes : forged) {
          pair.client.connection->handlePacket(bytes, pair.now);
          pair.server.connection->handlePacket(bytes, pair.now);
        }
      }
      return pass(datagram);
    };
    pair.create();
    pair.start();
    pair.runUntilConnected();
    EXPECT_TRUE(pair.bothConnected()) << "stage " << stage;
  }
}

TEST(Hostile, AfterTheHandshakeOnlyAuthenticRecordsCount) {
  DtlsPair pair;
  pair.create();
  pair.start();
  pair.runUntilConnected();
  pair.runFor(Duration::millis(100));
  auto attack = forgeries();
  attack.push_back(plaintextRecord(21, Bytes{2, 40}));  // fatal alert
  attack.push_back(plaintextRecord(21, Bytes{2, 0}));
  for (const auto& datagram : pair.sent) {
    attack.push_back(datagram.bytes);  // replays, with the ClientHello of a new association
    for (size_t bit = 0; bit < datagram.bytes.size() * 8; bit += 37) {
      attack.push_back(datagram.bytes);
      attack.back()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
  }
  for (const Bytes& bytes : attack) {
    pair.client.connection->handlePacket(bytes, pair.now);
    pair.server.connection->handlePacket(bytes, pair.now);
  }
  ASSERT_TRUE(pair.bothConnected());
  ASSERT_TRUE(pair.client.connection->send(asBytes("alive"), pair.now));
  pair.runFor(Duration::millis(20));
  ASSERT_EQ(pair.server.received.size(), 1u);

  // Application data: replayed and damaged.
  const Bytes sealed = pair.sent.back().bytes;
  pair.server.connection->handlePacket(sealed, pair.now);
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes damaged = sealed;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    pair.server.connection->handlePacket(damaged, pair.now);
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    pair.server.connection->handlePacket(ByteSpan(sealed).first(size), pair.now);
  }
  pair.runFor(Duration::millis(20));
  EXPECT_EQ(pair.server.received.size(), 1u);
  EXPECT_TRUE(pair.bothConnected());
}

TEST(Hostile, MutatedHandshakesEndInOrderWhateverTheyDo) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    DtlsPair pair;
    SeededRandom random(seed);
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      Transit out{toBytes(datagram)};
      if (random.below(2) == 0) {
        const size_t bit = random.below(out.bytes.size() * 8);
        out.bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      }
      return std::vector<Transit>{out};
    };
    pair.create();
    pair.start();
    pair.runUntil(pair.now + Duration::seconds(40));
    for (End* end : {&pair.client, &pair.server}) {
      const State state = end->connection->state();
      EXPECT_TRUE(state == State::Connected || state == State::Failed) << "seed " << seed;
    }
  }
}

// Sealed records can be damaged only into silence: the handshake goes on with the next copy.
TEST(Hostile, DamagedFinishedIsJustALostOne) {
  for (Role sender : {Role::Client, Role::Server}) {
    for (size_t byte : {0u, 12u, 20u, 35u}) {
      DtlsPair pair;
      bool damaged = false;
      pair.link = [&](Role from, size_t, ByteSpan datagram) {
        Transit out{toBytes(datagram)};
        for (const auto& record : recordsOf(datagram)) {
          if (from == sender && record.epoch == 1 && !damaged) {
            out.bytes[record.offset + 13 + byte] ^= 0x10;
            damaged = true;
          }
        }
        return std::vector<Transit>{out};
      };
      pair.create();
      pair.start();
      pair.runUntilConnected();
      EXPECT_TRUE(damaged);
      EXPECT_TRUE(pair.bothConnected());
    }
  }
}

TEST(Hostile, ARecordFloodBeforeTheHandshakeIsCapped) {
  DtlsPair pair;
  pair.create();
  pair.server.connection->start(Role::Server, pair.now);
  for (int i = 0; i < 10'000; ++i) {
    pair.server.connection->handlePacket(
        handshakeFragment(11, 16'000, static_cast<uint16_t>(i % 12), 1, 1, 1), pair.now);
  }
  EXPECT_GE(pair.server.connection->counters().recordsDropped,
            10'000u - Limits{}.maxDtlsRecordsPerSecond);
  pair.now += Duration::seconds(2);
  pair.client.connection->start(Role::Client, pair.now);
  pair.runUntilConnected();
  // The flood was not well-formed as a handshake; it may have cost this one, but not more than
  // that.
  EXPECT_NE(pair.server.connection->state(), State::Connecting);
}

TEST(Hostile, AnExhaustedPoolLosesPacketsOnly) {
  DtlsPair pair;
  std::vector<PacketBuf> held;
  pair.create();
  PacketPool small(2);
  Environment environment{pair.server.random, small};
  pair.server.connection = std::make_unique<Connection>(environment, pair.serverConfig);
  pair.server.connection->setRemoteFingerprints(pair.clientConfig.certificate->fingerprints(),
                                                pair.now);
  pair.start();
  held.push_back(small.allocate());
  held.push_back(small.allocate());
  pair.runFor(Duration::millis(1500));
  EXPECT_GT(pair.server.connection->counters().sendDropped, 0u);
  held.clear();
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  held.push_back(small.allocate());
  held.push_back(small.allocate());
  ASSERT_TRUE(pair.client.connection->send(asBytes("lost"), pair.now));
  pair.runFor(Duration::millis(50));
  EXPECT_EQ(pair.server.connection->counters().dataDropped, 1u);
  held.clear();
  pair.server.connection.reset();
}

TEST(Data, RecordsKeepTheirBoundariesAndTheMtu) {
  DtlsPair pair;
  pair.create();
  pair.start();
  pair.runUntilConnected();
  const size_t most = pair.client.connection->maxDataSize();
  EXPECT_EQ(most, 1200u - 37u);
  EXPECT_EQ(pair.client.connection->send({}, pair.now).error().code, ErrorCode::Range);
  EXPECT_EQ(pair.client.connection->send(Bytes(most + 1), pair.now).error().code, ErrorCode::Range);
  const size_t before = pair.sent.size();
  ASSERT_TRUE(pair.client.connection->send(Bytes(most, 1), pair.now));
  ASSERT_TRUE(pair.client.connection->send(Bytes(1, 2), pair.now));
  ASSERT_TRUE(pair.client.connection->send(Bytes(2, 3), pair.now));
  pair.runFor(Duration::millis(20));
  EXPECT_EQ(pair.sent.size(), before + 3);
  EXPECT_EQ(pair.sent[before].bytes.size(), 1200u);
  ASSERT_EQ(pair.server.received.size(), 3u);
  EXPECT_EQ(pair.server.received[0], Bytes(most, 1));
  EXPECT_EQ(pair.server.received[1], Bytes(1, 2));
  EXPECT_EQ(pair.server.received[2], Bytes(2, 3));
}

TEST(Data, ItMayOvertakeTheLastFlight) {
  DtlsPair pair;
  bool delayed = false;
  pair.link = [&](Role from, size_t, ByteSpan datagram) {
    Transit out{toBytes(datagram)};
    if (from == Role::Server && pair.server.connection->state() == State::Connected && !delayed) {
      delayed = true;
      out.delay = Duration::millis(30);
    }
    return std::vector<Transit>{out};
  };
  pair.create();
  pair.start();
  while (pair.server.connection->state() != State::Connected) pair.runFor(Duration::millis(10));
  ASSERT_TRUE(pair.server.connection->send(asBytes("early"), pair.now));
  pair.runFor(Duration::millis(100));
  ASSERT_TRUE(pair.bothConnected());
  ASSERT_EQ(pair.client.received.size(), 1u);
  EXPECT_EQ(asText(pair.client.received[0]), "early");
}

TEST(Close, IsLegalInEveryStateAndFinal) {
  for (int stage = 0; stage < 4; ++stage) {
    DtlsPair pair;
    pair.create();
    if (stage >= 1) pair.start();
    if (stage >= 2) pair.runFor(Duration::millis(15));
    if (stage >= 3) pair.runUntilConnected();
    pair.client.connection->close(pair.now);
    pair.client.connection->close(pair.now);
    EXPECT_EQ(pair.client.connection->state(), State::Closed);
    EXPECT_TRUE(pair.client.connection->nextDeadline().isNever());
    pair.client.connection->start(Role::Client, pair.now);
    pair.client.connection->advance(pair.now + Duration::seconds(100));
    EXPECT_EQ(pair.client.connection->send(asBytes("x"), pair.now).error().code,
              ErrorCode::InvalidState);
    EXPECT_EQ(pair.client.connection->state(), State::Closed);
    pair.runFor(Duration::millis(50));
    EXPECT_EQ(pair.client.events.back().reason, Reason::LocalClose);
    if (stage == 3) {
      EXPECT_EQ(pair.server.connection->state(), State::Closed);
      EXPECT_EQ(pair.server.events.back().reason, Reason::RemoteClose);
      EXPECT_FALSE(pair.server.connection->cipherName().empty());  // statistics outlive it
    }
  }
}

TEST(Close, DataThatArrivedBeforeThePeersCloseIsStillDelivered) {
  DtlsPair pair;
  pair.create();
  pair.start();
  pair.runUntilConnected();
  ASSERT_TRUE(pair.client.connection->send(asBytes("last words"), pair.now));
  pair.client.connection->close(pair.now);
  pair.runFor(Duration::millis(20));
  EXPECT_EQ(pair.server.connection->state(), State::Closed);
  ASSERT_EQ(pair.server.received.size(), 1u);
}

}  // namespace
}  // namespace parley::dtls
