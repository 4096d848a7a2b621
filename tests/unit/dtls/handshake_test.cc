#include <algorithm>
#include <set>

#include "parley/base/machine.h"
#include "parley/base/text.h"

#include "unit/dtls/dtls_pair.h"

namespace parley::dtls {
namespace {

using test::DtlsPair;
using test::pass;
using test::recordsOf;
using test::Transit;

static_assert(Machine<Connection>);

TEST(Handshake, ConnectsInTwoRoundTripsAndSpeaksBothWays) {
  DtlsPair pair;
  pair.create();
  pair.start();
  const Timestamp begin = pair.now;
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  EXPECT_EQ(pair.now - begin, Duration::millis(40));
  EXPECT_EQ(pair.sent.size(), 4u);  // one datagram per flight with P-256

  for (test::End* end : {&pair.client, &pair.server}) {
    ASSERT_EQ(end->events.size(), 2u);
    EXPECT_EQ(end->events[0].state, State::Connecting);
    EXPECT_EQ(end->events[1].state, State::Connected);
    EXPECT_TRUE(end->connection->nextDeadline().isNever());
    EXPECT_EQ(end->connection->cipherName(), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    EXPECT_EQ(end->connection->tlsVersion(), "FEFD");
    EXPECT_EQ(toLower(end->connection->groupName()), "x25519");
  }
  EXPECT_EQ(pair.client.connection->role(), Role::Client);
  EXPECT_EQ(pair.server.connection->role(), Role::Server);
  EXPECT_EQ(pair.client.connection->remoteCertificateDer(),
            toBytes(pair.serverConfig.certificate->der()));
  EXPECT_EQ(pair.server.connection->remoteCertificateDer(),
            toBytes(pair.clientConfig.certificate->der()));

  ASSERT_TRUE(pair.client.connection->send(asBytes("from client"), pair.now));
  ASSERT_TRUE(pair.server.connection->send(asBytes("from server"), pair.now));
  pair.runFor(Duration::millis(20));
  ASSERT_EQ(pair.server.received.size(), 1u);
  EXPECT_EQ(asText(pair.server.received[0]), "from client");
  ASSERT_EQ(pair.client.received.size(), 1u);
  EXPECT_EQ(asText(pair.client.received[0]), "from server");
}

TEST(Handshake, BothSidesExportTheSameKeysForEveryProfile) {
  using crypto::SrtpProfile;
  for (SrtpProfile profile : {SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm,
                              SrtpProfile::Aes128CmHmacSha1_80, SrtpProfile::Aes128CmHmacSha1_32}) {
    DtlsPair pair;
    pair.clientConfig.srtpProfiles = {profile};
    pair.create();
    EXPECT_FALSE(pair.client.connection->srtpKeying());
    pair.start();
    pair.runUntilConnected();
    const auto client = pair.client.connection->srtpKeying();
    const auto server = pair.server.connection->srtpKeying();
    if (profile == SrtpProfile::Aes128CmHmacSha1_32) {  // not among the server's defaults
      EXPECT_FALSE(client);
      EXPECT_FALSE(server);
      EXPECT_FALSE(pair.client.connection->srtpProfile());
      continue;
    }
    ASSERT_TRUE(client && server);
    EXPECT_EQ(client->profile, profile);
    EXPECT_EQ(server->profile, profile);
    EXPECT_TRUE(std::ranges::equal(client->clientKey.span(), server->clientKey.span()));
    EXPECT_TRUE(std::ranges::equal(client->serverKey.span(), server->serverKey.span()));
    EXPECT_TRUE(std::ranges::equal(client->clientSalt.span(), server->clientSalt.span()));
    EXPECT_TRUE(std::ranges::equal(client->serverSalt.span(), server->serverSalt.span()));
    EXPECT_FALSE(std::ranges::equal(client->clientKey.span(), client->serverKey.span()));
    EXPECT_EQ(client->clientKey.size(), crypto::srtpKeyLength(profile));
    EXPECT_EQ(client->clientSalt.size(), crypto::srtpSaltLength(profile));
  }
}

TEST(Handshake, TheServersOrderOfSrtpProfilesDecides) {
  DtlsPair pair;
  pair.clientConfig.srtpProfiles = {crypto::SrtpProfile::AeadAes128Gcm,
                                    crypto::SrtpProfile::Aes128CmHmacSha1_80};
  pair.serverConfig.srtpProfiles = {crypto::SrtpProfile::Aes128CmHmacSha1_80,
                                    crypto::SrtpProfile::AeadAes128Gcm};
  pair.create();
  pair.start();
  pair.runUntilConnected();
  EXPECT_EQ(pair.client.connection->srtpProfile(), crypto::SrtpProfile::Aes128CmHmacSha1_80);
  EXPECT_EQ(pair.server.connection->srtpProfile(), crypto::SrtpProfile::Aes128CmHmacSha1_80);
}

TEST(Handshake, DataOnlyNeedsNoSrtpProfile) {
  DtlsPair pair;
  pair.clientConfig.srtpProfiles.clear();
  pair.create();
  pair.start();
  pair.runUntilConnected();
  EXPECT_TRUE(pair.bothConnected());
  EXPECT_FALSE(pair.client.connection->srtpKeying());
  EXPECT_FALSE(pair.server.connection->srtpKeying());
}

// The proof that OpenSSL's clock plays no part: nothing here intercepts it, real time stands nearly
// still, and yet each retransmission comes at its virtual time.
TEST(Handshake, LostFirstFlightIsRepeatedInVirtualTime) {
  DtlsPair pair;
  pair.link = [](Role from, size_t index, ByteSpan datagram) {
    return from == Role::Client && index < 3 ? std::vector<Transit>{} : pass(datagram);
  };
  pair.create();
  const Timestamp begin = pair.now;
  pair.start();
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  // 1 s, 2 s and 3 s of waiting, then the 40 ms of a handshake.
  EXPECT_EQ(pair.now - begin, Duration::millis(6040));
  ASSERT_GE(pair.sent.size(), 4u);
  EXPECT_EQ(pair.sent[1].at - begin, Duration::seconds(1));
  EXPECT_EQ(pair.sent[2].at - begin, Duration::seconds(3));
  EXPECT_EQ(pair.sent[3].at - begin, Duration::seconds(6));
  EXPECT_EQ(pair.client.connection->counters().flightsRetransmitted, 3u);
}

TEST(Handshake, TheRttHintSetsTheFirstTimeout) {
  struct Row {
    Duration rtt;
    Duration timeout;
  };
  for (const Row& row : {Row{Duration::millis(1), Duration::millis(50)},
                         Row{Duration::millis(100), Duration::millis(200)},
                         Row{Duration::seconds(9), Duration::seconds(3)}}) {
    for (bool hintBeforeStart : {true, false}) {
      DtlsPair pair;
      pair.link = [](Role, size_t, ByteSpan) { return std::vector<Transit>{}; };
      pair.create();
      if (hintBeforeStart) pair.client.connection->setRttHint(row.rtt);
      pair.start();
      if (!hintBeforeStart) pair.client.connection->setRttHint(row.rtt);
      // A late hint shortens the cautious first second, it never makes the wait longer.
      const Duration expected =
          hintBeforeStart ? row.timeout : std::min(row.timeout, Duration::seconds(1));
      EXPECT_EQ(pair.client.connection->nextDeadline() - pair.now, expected);
    }
  }
}

TEST(Handshake, EverySingleDatagramMayBeLost) {
  for (Role victim : {Role::Client, Role::Server}) {
    for (size_t lost = 0; lost < 3; ++lost) {
      SCOPED_TRACE(testing::Message() << (victim == Role::Client ? "client " : "server ") << lost);
      DtlsPair pair;
      pair.clientConfig.mtu = pair.serverConfig.mtu = 400;  // several datagrams per flight
      pair.link = [&](Role from, size_t index, ByteSpan datagram) {
        return from == victim && index == lost ? std::vector<Transit>{} : pass(datagram);
      };
      pair.create();
      pair.client.connection->setRttHint(Duration::millis(20));
      pair.server.connection->setRttHint(Duration::millis(20));
      pair.start();
      const Timestamp begin = pair.now;
      pair.runUntilConnected();
      EXPECT_TRUE(pair.bothConnected());
      EXPECT_LE(pair.now - begin, Duration::millis(200));
    }
  }
}

TEST(Handshake, TheServersFinishedMayBeLostManyTimes) {
  DtlsPair pair;
  size_t dropped = 0;
  pair.link = [&](Role from, size_t, ByteSpan datagram) {
    // The server's last flight is the only one of its that carries epoch 1.
    for (const auto& record : recordsOf(datagram)) {
      if (from == Role::Server && record.epoch == 1 && dropped < 5) {
        ++dropped;
        return std::vector<Transit>{};
      }
    }
    return pass(datagram);
  };
  pair.create();
  pair.client.connection->setRttHint(Duration::millis(20));
  pair.start();
  pair.runUntilConnected();
  EXPECT_EQ(dropped, 5u);
  ASSERT_TRUE(pair.bothConnected());
  ASSERT_TRUE(pair.client.connection->send(asBytes("x"), pair.now));
  pair.runFor(Duration::millis(50));
  EXPECT_EQ(pair.server.received.size(), 1u);
}

TEST(Handshake, DuplicatesAndReorderingDoNoHarm) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    DtlsPair pair;
    pair.clientConfig.mtu = pair.serverConfig.mtu = 350;
    SeededRandom random(seed);
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      std::vector<Transit> out;
      for (uint64_t copies = 1 + random.below(3); copies > 0; --copies) {
        out.push_back(
            {toBytes(datagram), Duration::millis(static_cast<int64_t>(1 + random.below(60)))});
      }
      return out;
    };
    pair.create();
    pair.start();
    pair.runUntilConnected();
    EXPECT_TRUE(pair.bothConnected()) << "seed " << seed;
  }
}

TEST(Handshake, RandomLossOfAThirdIsSurvived) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    DtlsPair pair;
    SeededRandom random(seed);
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      return random.below(3) == 0 ? std::vector<Transit>{} : pass(datagram);
    };
    pair.create();
    pair.client.connection->setRttHint(Duration::millis(20));
    pair.server.connection->setRttHint(Duration::millis(20));
    pair.start();
    pair.runUntilConnected();
    EXPECT_TRUE(pair.bothConnected()) << "seed " << seed;
  }
}

// Half of everything is lost: eight repetitions with waits that double without end were not enough
// for many of these.
TEST(Handshake, LossOfHalfIsSurvivedWithinTheTime) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    DtlsPair pair;
    SeededRandom random(seed);
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      return random.below(2) == 0 ? std::vector<Transit>{} : pass(datagram);
    };
    pair.create();
    pair.client.connection->setRttHint(Duration::millis(20));
    pair.server.connection->setRttHint(Duration::millis(20));
    pair.start();
    pair.runUntilConnected();
    EXPECT_TRUE(pair.bothConnected()) << "seed " << seed;
  }
}

// The peer's repetition tells that the path works again, long before our own timer would.
TEST(Handshake, ARepeatedFlightIsAnsweredAtOnce) {
  DtlsPair pair;
  const Timestamp begin = pair.now;
  // The server's flights are lost for 6 s; its timer is slow, the client's is quick.
  pair.link = [&](Role from, size_t, ByteSpan datagram) {
    const bool lost = from == Role::Server && pair.now - begin < Duration::seconds(6);
    return lost ? std::vector<Transit>{} : pass(datagram);
  };
  pair.create();
  pair.client.connection->setRttHint(Duration::millis(20));
  pair.server.connection->setRttHint(Duration::seconds(1));
  pair.start();
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  EXPECT_LT(pair.now - begin, Duration::seconds(9));
}

TEST(Handshake, FlightsThatAreTooLargeForThePathAreCutSmaller) {
  for (const size_t pathMtu : {1150u, 920u, 520u}) {
    DtlsPair pair;
    size_t largest = 0;
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      if (datagram.size() > pathMtu) return std::vector<Transit>{};
      largest = std::max(largest, datagram.size());
      return pass(datagram);
    };
    pair.create();
    pair.client.connection->setRttHint(Duration::millis(20));
    pair.server.connection->setRttHint(Duration::millis(20));
    pair.start();
    const Timestamp begin = pair.now;
    pair.runUntilConnected();
    EXPECT_TRUE(pair.bothConnected()) << pathMtu;
    EXPECT_LT(pair.now - begin, Duration::seconds(6)) << pathMtu;
    EXPECT_LE(largest, pathMtu);
  }
}

TEST(Handshake, GivesUpAtItsOwnDeadlineHoweverOftenItRetransmitted) {
  for (Duration rtt : {Duration::millis(1), Duration::millis(500)}) {
    DtlsPair pair;
    pair.link = [](Role, size_t, ByteSpan) { return std::vector<Transit>{}; };
    pair.create();
    pair.client.connection->setRttHint(rtt);
    pair.start();
    const Timestamp begin = pair.now;
    pair.runUntil(Timestamp::never());
    EXPECT_EQ(pair.now - begin, Duration::seconds(30));
    for (test::End* end : {&pair.client, &pair.server}) {
      EXPECT_EQ(end->connection->state(), State::Failed);
      EXPECT_EQ(end->events.back().reason, Reason::HandshakeTimeout);
      EXPECT_TRUE(end->connection->nextDeadline().isNever());
    }
  }
}

TEST(Handshake, MoreTimeoutsThanOpenSslAllowsDoNotEndIt) {
  DtlsPair pair;
  pair.clientConfig.handshakeTimeout = pair.serverConfig.handshakeTimeout = Duration::seconds(3600);
  bool up = false;
  pair.link = [&](Role, size_t, ByteSpan datagram) {
    return up ? pass(datagram) : std::vector<Transit>{};
  };
  pair.create();
  pair.client.connection->setRttHint(Duration::millis(1));
  pair.start();
  pair.runFor(Duration::seconds(3000));
  EXPECT_EQ(pair.client.connection->state(), State::Connecting);
  EXPECT_EQ(pair.client.connection->counters().flightsRetransmitted, 12u);
  pair.runUntil(Timestamp::never());
  EXPECT_EQ(pair.client.events.back().reason, Reason::HandshakeTimeout);
}

TEST(Handshake, ANewPairSendsTheFlightAgainAtOnceAndRestartsTheBackoff) {
  DtlsPair pair;
  bool up = false;
  pair.link = [&](Role, size_t, ByteSpan datagram) {
    return up ? pass(datagram) : std::vector<Transit>{};
  };
  pair.create();
  pair.client.connection->setRttHint(Duration::millis(50));
  pair.start();
  pair.runFor(Duration::millis(1000));  // 100, 300, 700: the next would come at 1500
  const size_t before = pair.count(Role::Client);
  EXPECT_EQ(before, 4u);
  up = true;
  pair.client.connection->resendFlightNow(pair.now);
  EXPECT_EQ(pair.client.connection->nextDeadline() - pair.now, Duration::millis(100));
  const Timestamp begin = pair.now;
  pair.runUntilConnected();
  EXPECT_TRUE(pair.bothConnected());
  EXPECT_EQ(pair.now - begin, Duration::millis(40));
}

TEST(Handshake, ResendingOutOfTurnIsBoundedAndHarmlessInEveryState) {
  DtlsPair pair;
  pair.link = [](Role, size_t, ByteSpan) { return std::vector<Transit>{}; };
  pair.create();
  pair.client.connection->resendFlightNow(pair.now);
  pair.start();
  for (int i = 0; i < 100; ++i) {
    pair.client.connection->resendFlightNow(pair.now);
    pair.server.connection->resendFlightNow(pair.now);
  }
  pair.flush();
  EXPECT_LE(pair.count(Role::Client), 10u);
  EXPECT_EQ(pair.count(Role::Server), 0u);
  pair.link = nullptr;
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  const size_t before = pair.sent.size();
  pair.client.connection->resendFlightNow(pair.now);
  pair.server.connection->resendFlightNow(pair.now);
  pair.client.connection->close(pair.now);
  pair.client.connection->resendFlightNow(pair.now);
  pair.flush();
  EXPECT_EQ(pair.sent.size(), before + 1);  // close_notify
}

TEST(Handshake, EveryDatagramKeepsTheMtuAlsoWhenRepeated) {
  for (size_t mtu : {300u, 333u, 512u, 600u, 900u, 1200u}) {
    DtlsPair pair;
    pair.clientConfig.mtu = pair.serverConfig.mtu = mtu;  // the pair checks each datagram
    size_t dropped = 0;
    pair.link = [&](Role, size_t index, ByteSpan datagram) {
      // Each side's first five are lost: every flight is repeated.
      if (index >= 5) return pass(datagram);
      ++dropped;
      return std::vector<Transit>{};
    };
    pair.create();
    pair.client.connection->setRttHint(Duration::millis(20));
    pair.server.connection->setRttHint(Duration::millis(20));
    pair.start();
    pair.runUntilConnected();
    EXPECT_GT(dropped, 5u);
    EXPECT_TRUE(pair.bothConnected()) << mtu;
  }
}

// The server's last flight is lost, and of what the client repeats then never the end arrives.
TEST(Handshake, AnyPartOfARepeatedFlightBringsTheLastOneBack) {
  const auto hasSealed = [](ByteSpan datagram) {
    for (size_t at = 0; at + 13 <= datagram.size(); at += 13u + loadU16(&datagram[at + 11])) {
      if (loadU16(&datagram[at + 3]) != 0) return true;
    }
    return false;
  };
  DtlsPair pair;
  pair.clientConfig.mtu = 500;
  bool lost = false;
  size_t parts = 0;
  pair.link = [&](Role from, size_t, ByteSpan datagram) {
    if (pair.server.connection->state() != State::Connected) return pass(datagram);
    if (from == Role::Server && !std::exchange(lost, true)) return std::vector<Transit>{};
    if (from == Role::Client && hasSealed(datagram)) return std::vector<Transit>{};
    parts += from == Role::Client;
    return pass(datagram);
  };
  pair.create();
  pair.start();
  pair.runUntilConnected(Duration::seconds(20));
  EXPECT_TRUE(pair.bothConnected());
  EXPECT_TRUE(lost);
  EXPECT_GT(parts, 0u);
}

TEST(Handshake, ARepeatedFlightSharesDatagrams) {
  DtlsPair pair;
  pair.link = [](Role from, size_t index, ByteSpan datagram) {
    return from == Role::Server && index == 0 ? std::vector<Transit>{} : pass(datagram);
  };
  pair.create();
  pair.start();
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  EXPECT_EQ(pair.count(Role::Server), 3u);  // lost, repeated as a whole, last flight
}

TEST(Handshake, EarlyClientHelloIsKeptForTheServer) {
  DtlsPair pair;
  pair.create();
  const Timestamp begin = pair.now;
  pair.client.connection->start(Role::Client, pair.now);
  pair.runFor(Duration::millis(500));
  EXPECT_EQ(pair.server.connection->state(), State::New);
  pair.server.connection->start(Role::Server, pair.now);
  pair.runUntilConnected();
  ASSERT_TRUE(pair.bothConnected());
  EXPECT_EQ(pair.now - begin, Duration::millis(530));
}

TEST(Handshake, EarlyPacketsAreBounded) {
  DtlsPair pair;
  pair.create();
  for (int i = 0; i < 1000; ++i) {
    pair.server.connection->handlePacket(Bytes(100, 22), pair.now);
  }
  EXPECT_EQ(pair.server.pool.inUse(), Limits{}.maxQueuedDtlsPackets);
  EXPECT_EQ(pair.server.connection->counters().datagramsDropped,
            1000 - Limits{}.maxQueuedDtlsPackets);
  pair.start();
  pair.runUntilConnected();
  EXPECT_TRUE(pair.bothConnected());
}

TEST(Handshake, TwoClientsOrTwoServersTimeOutQuietly) {
  for (Role role : {Role::Client, Role::Server}) {
    DtlsPair pair;
    pair.create();
    pair.client.connection->start(role, pair.now);
    pair.server.connection->start(role, pair.now);
    pair.runUntil(Timestamp::never());
    EXPECT_EQ(pair.client.events.back().reason, Reason::HandshakeTimeout);
    EXPECT_EQ(pair.server.events.back().reason, Reason::HandshakeTimeout);
  }
}

TEST(Handshake, EarlyOrRepeatedAdvanceIsHarmless) {
  DtlsPair pair;
  pair.create();
  pair.client.connection->advance(pair.now);
  pair.start();
  for (int i = 0; i < 5000; ++i) {
    const Timestamp at = pair.now + Duration::micros(100) * i;  // up to half the first timeout
    pair.client.connection->advance(at);
    pair.client.connection->advance(at);
    pair.client.connection->advance(at - Duration::seconds(5));  // a clock that runs backwards
    ASSERT_GT(pair.client.connection->nextDeadline(), at);
  }
  pair.now += Duration::millis(500);
  EXPECT_EQ(pair.client.connection->counters().flightsRetransmitted, 0u);
  pair.runUntilConnected();
  EXPECT_TRUE(pair.bothConnected());
}

TEST(Handshake, DestructionIsLegalAfterEveryStep) {
  for (size_t steps = 0; steps < 6; ++steps) {
    DtlsPair pair;
    size_t seen = 0;
    pair.link = [&](Role, size_t, ByteSpan datagram) {
      return seen++ < steps ? pass(datagram) : std::vector<Transit>{};
    };
    pair.create();
    pair.start();
    pair.runFor(Duration::millis(500));
    pair.client.connection.reset();
    pair.server.connection.reset();
    EXPECT_EQ(pair.client.pool.inUse(), 0u);
    EXPECT_EQ(pair.server.pool.inUse(), 0u);
  }
}

}  // namespace
}  // namespace parley::dtls
