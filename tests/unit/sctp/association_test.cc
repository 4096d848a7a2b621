#include "parley/sctp/association.h"

#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "sctp/crc32c.h"
#include "sctp/packet.h"
#include "sctp/usrsctp_stack.h"
#include "support/alloc_guard.h"
#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

INSTANTIATE_TEST_SUITE_P(Engines, AssociationTest, allEngines(), nameOf);

TEST_P(AssociationTest, ConnectsWhenBothSendInit) {
  make();
  ASSERT_TRUE(connect());
  EXPECT_LE(pair->elapsed(), Duration::millis(25));
  EXPECT_EQ(a->association->streamCount(), isNative() ? 65'535 : 1024);
  ASSERT_EQ(a->changes.size(), 2u);
  EXPECT_EQ(a->changes[0].state, AssociationState::Connecting);
  EXPECT_EQ(a->changes[1].state, AssociationState::Connected);
}

TEST_P(AssociationTest, ConnectsWhenOneSideStartsLate) {
  make();
  a->association->connect(pair->now());
  pair->run(Duration::millis(100));
  b->association->connect(pair->now());
  ASSERT_TRUE(pair->runUntil([this] {
    return a->association->state() == AssociationState::Connected &&
           b->association->state() == AssociationState::Connected;
  }));
  EXPECT_LE(pair->elapsed(), Duration::millis(150)) << "the early INIT was kept";
}

TEST_P(AssociationTest, ConnectsUnderHeavyLoss) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    make({}, {},
         {.delay = Duration::millis(20),
          .jitter = Duration::millis(10),
          .loss = 0.3,
          .duplicate = 0.1},
         seed * 10);
    EXPECT_TRUE(connect()) << "seed " << seed;
  }
}

// The waits end at a second, and attempts are made for half a minute: an INIT and its answer get
// through a path that loses most of them.
TEST_P(AssociationTest, ConnectsWhereTwoThirdsAreLost) {
  if (!isNative()) GTEST_SKIP() << "usrsctp's timers";
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    AssociationConfig config;
    config.rttHint = Duration::millis(40);
    make(config, config, {.delay = Duration::millis(20), .loss = 0.65}, seed);
    a->association->connect(pair->now());
    b->association->connect(pair->now());
    EXPECT_TRUE(pair->runUntil(
        [this] {
          return a->association->state() == AssociationState::Connected &&
                 b->association->state() == AssociationState::Connected;
        },
        Duration::seconds(60)))
        << "seed " << seed;
  }
}

// A path that swallows what is larger than it takes, silently: nothing is cut for a size that has
// not passed before.
TEST_P(AssociationTest, PathsWithASmallMtuAreFoundOutBeforeDataIsSent) {
  if (!isNative()) GTEST_SKIP() << "usrsctp does not announce PAD";
  for (const size_t pathMtu : {2000u, 1148u, 1000u, 600u}) {
    for (const double loss : {0.0, 0.15}) {
      make({}, {}, {.delay = Duration::millis(20), .loss = loss}, 3);
      size_t swallowed = 0;
      pair->setFilter([&](size_t, ByteSpan packet) {
        const bool passes = packet.size() <= pathMtu;
        if (!passes) EXPECT_FALSE(isData(packet)) << packet.size();
        swallowed += !passes;
        return passes;
      });
      ASSERT_TRUE(connect()) << pathMtu;
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(send(*a, 1, pattern(20'000, 1)));
      ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 20; })) << pathMtu;
      pair->run(Duration::seconds(40));
      const uint32_t expected = pathMtu >= 1148 ? 1148 : pathMtu >= 896 ? 896 : 508;
      EXPECT_EQ(a->association->stats().mtu, expected) << pathMtu << ", loss " << loss;
      // Two COOKIE ECHOs or probes of each size and side at first, few later.
      EXPECT_LE(swallowed, 24u) << pathMtu;
    }
  }
}

// A path that widens is found out with the heartbeats.
TEST_P(AssociationTest, LargerPacketsAreTriedAgainLater) {
  if (!isNative()) GTEST_SKIP() << "usrsctp does not announce PAD";
  make();
  size_t pathMtu = 700;
  pair->setFilter([&](size_t, ByteSpan packet) { return packet.size() <= pathMtu; });
  ASSERT_TRUE(connect());
  pair->run(Duration::seconds(10));
  EXPECT_EQ(a->association->stats().mtu, 508u);
  pathMtu = 1500;
  pair->run(Duration::seconds(70));
  EXPECT_EQ(a->association->stats().mtu, 1148u);
  EXPECT_EQ(a->association->state(), AssociationState::Connected);
}

TEST_P(AssociationTest, StreamsAreTheLesserOfBothWishes) {
  make({.streams = 300}, {.streams = 100});
  ASSERT_TRUE(connect());
  EXPECT_EQ(a->association->streamCount(), 100);
  EXPECT_EQ(b->association->streamCount(), 100);
  EXPECT_EQ(send(*a, 100, toBytes("x")).error().code, ErrorCode::Range);
  EXPECT_TRUE(send(*a, 99, toBytes("x")));
}

TEST_P(AssociationTest, CarriesMessagesOfAllSizesBothWays) {
  make();
  ASSERT_TRUE(connect());
  std::vector<Bytes> sent;
  for (size_t size : {1, 100, 1135, 1136, 1137, 5000, 65535, 65536, 65537, 100'000, 262'144}) {
    sent.push_back(pattern(size, size));
    ASSERT_TRUE(send(*a, 3, sent.back()));
    ASSERT_TRUE(send(*b, 4, sent.back()));
  }
  ASSERT_TRUE(pair->runUntil(
      [&] { return a->inbound.size() == sent.size() && b->inbound.size() == sent.size(); }));
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE(b->inbound[i].data == sent[i]) << i;
    EXPECT_TRUE(a->inbound[i].data == sent[i]) << i;
    EXPECT_EQ(b->inbound[i].stream, 3);
    EXPECT_EQ(b->inbound[i].ppid, 53u);
  }
}

TEST_P(AssociationTest, ThousandMessagesSurviveLossReorderingAndDuplication) {
  make({}, {},
       {.delay = Duration::millis(10),
        .jitter = Duration::millis(5),
        .loss = 0.02,
        .duplicate = 0.02},
       7);
  ASSERT_TRUE(connect());
  SeededRandom random(5);
  std::map<uint16_t, std::deque<Bytes>> expectedAtB, expectedAtA;
  size_t queued = 0;
  const auto refill = [&] {
    while (queued < 1000 && a->association->bufferedAmount() < 500'000) {
      const auto stream = static_cast<uint16_t>(random.below(8));
      const size_t size = queued % 50 == 0 ? 65'536 : 1 + random.below(3000);
      AssociationPeer& from = queued % 2 == 0 ? *a : *b;
      Bytes data = pattern(size, queued);
      ASSERT_TRUE(send(from, stream, data));
      (queued % 2 == 0 ? expectedAtB : expectedAtA)[stream].push_back(std::move(data));
      ++queued;
    }
  };
  const auto check = [](AssociationPeer& to, std::map<uint16_t, std::deque<Bytes>>& expected) {
    for (const Inbound& in : to.inbound) {
      ASSERT_FALSE(expected[in.stream].empty());
      ASSERT_TRUE(in.data == expected[in.stream].front());
      expected[in.stream].pop_front();
    }
  };
  ASSERT_TRUE(pair->runUntil(
      [&] {
        refill();
        return queued == 1000 && a->inbound.size() == 500 && b->inbound.size() == 500;
      },
      Duration::seconds(600)));
  check(*b, expectedAtB);
  check(*a, expectedAtA);
}

TEST_P(AssociationTest, BufferedAmountCountsUnsentBytesOnly) {
  make();
  ASSERT_TRUE(connect());
  ASSERT_TRUE(send(*a, 1, pattern(1000, 1)));
  EXPECT_EQ(a->association->bufferedAmount(1), 1000u) << "nothing was polled yet";
  pair->flush();
  EXPECT_EQ(a->association->bufferedAmount(1), 0u);
  a->drain();
  EXPECT_EQ(a->decreases, std::vector<uint16_t>{1});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(send(*a, 1, pattern(100'000, 1)));
  EXPECT_EQ(a->association->bufferedAmount(), 2'000'000u);
  pair->flush();
  EXPECT_GT(a->association->bufferedAmount(), 1'800'000u) << "the congestion window holds it back";
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 21; }));
  EXPECT_EQ(a->association->bufferedAmount(), 0u);
}

TEST_P(AssociationTest, FullBufferRefusesMessages) {
  make();
  a->world.env.limits.maxBufferedAmount = 100'000;
  a->association = createWith(GetParam().first, a->world.env);
  pair = std::make_unique<Pair<Association>>(*a->association, *b->association);
  pair->onStep([this] { a->drain(), b->drain(); });
  ASSERT_TRUE(connect());
  ASSERT_TRUE(send(*a, 1, pattern(60'000, 1)));
  const Result<void> refused = send(*a, 1, pattern(60'000, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::ResourceExhausted);
  ASSERT_TRUE(pair->runUntil([this] { return a->association->bufferedAmount() == 0; }));
  EXPECT_TRUE(send(*a, 1, pattern(60'000, 1)));
}

TEST_P(AssociationTest, RefusesWhatCannotBeSent) {
  make();
  EXPECT_EQ(send(*a, 1, toBytes("x")).error().code, ErrorCode::InvalidState);
  ASSERT_TRUE(connect());
  EXPECT_EQ(send(*a, 1, {}).error().code, ErrorCode::Type);
  EXPECT_EQ(send(*a, 1, Bytes(a->association->maxSendSize() + 1)).error().code, ErrorCode::Type);
  EXPECT_EQ(send(*a, 1, toBytes("x"), {.maxRetransmits = 1, .lifetime = Duration::seconds(1)})
                .error()
                .code,
            ErrorCode::Type);
}

TEST_P(AssociationTest, OversizeMessagesAreDroppedAndReported) {
  make({}, {.maxMessageSize = 10'000});
  ASSERT_TRUE(connect());
  ASSERT_TRUE(send(*a, 1, pattern(10'001, 1)));
  ASSERT_TRUE(send(*a, 1, pattern(200'000, 1)));
  ASSERT_TRUE(send(*a, 1, pattern(10'000, 1)));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 3; }));
  EXPECT_EQ(b->inbound[0].kind, Inbound::Kind::TooBig);
  EXPECT_EQ(b->inbound[1].kind, Inbound::Kind::TooBig);
  EXPECT_EQ(b->inbound[2].kind, Inbound::Kind::Message);
}

TEST_P(AssociationTest, UnreadMessagesCloseTheWindowNotTheAssociation) {
  make({}, {.receiveBuffer = 200'000});
  ASSERT_TRUE(connect());
  b->readMessages = false;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(send(*a, 1, pattern(20'000, i)));
  pair->run(Duration::seconds(20));
  EXPECT_GT(a->association->bufferedAmount(), 300'000u);
  EXPECT_EQ(a->association->state(), AssociationState::Connected);
  b->readMessages = true;
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 40; }));
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(b->inbound[i].data == pattern(20'000, i));
}

TEST_P(AssociationTest, AbortReachesThePeer) {
  make();
  ASSERT_TRUE(connect());
  a->association->abort(pair->now());
  EXPECT_EQ(a->association->state(), AssociationState::Closed);
  EXPECT_TRUE(a->association->nextDeadline().isNever());
  ASSERT_TRUE(
      pair->runUntil([this] { return b->association->state() == AssociationState::Failed; }));
  ASSERT_FALSE(b->changes.empty());
  EXPECT_EQ(b->changes.back().state, AssociationState::Failed);
  EXPECT_FALSE(b->changes.back().reason.empty());
}

TEST_P(AssociationTest, ShutdownDeliversEverythingFirst) {
  make();
  ASSERT_TRUE(connect());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(send(*a, 5, pattern(50'000, i)));
  a->association->shutdown(pair->now());
  EXPECT_EQ(send(*a, 5, toBytes("x")).error().code, ErrorCode::InvalidState);
  ASSERT_TRUE(pair->runUntil([this] {
    return a->association->state() == AssociationState::Closed &&
           b->association->state() == AssociationState::Closed;
  }));
  EXPECT_EQ(b->inbound.size(), 10u);
}

TEST_P(AssociationTest, SilentPeerFailsTheHandshakeAndTheAssociation) {
  make();
  a->association->connect(pair->now());
  ASSERT_TRUE(
      pair->runUntil([this] { return a->association->state() == AssociationState::Failed; }));
  EXPECT_GT(pair->elapsed(), Duration::seconds(10));
  make();
  ASSERT_TRUE(connect());
  pair->setFilter([](size_t, ByteSpan) { return false; });
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(
      pair->runUntil([this] { return a->association->state() == AssociationState::Failed; }));
  EXPECT_EQ(send(*a, 1, toBytes("x")).error().code, ErrorCode::InvalidState);
}

TEST_P(AssociationTest, IdleAssociationsSleep) {
  make();
  ASSERT_TRUE(connect());
  pair->run(Duration::seconds(3));
  const size_t before = pair->wakes();
  pair->run(Duration::seconds(10));
  const size_t perEnd = UsrSctpStack::instance().timersHooked() ? 2 : 11;
  EXPECT_LE(pair->wakes() - before, 2 * perEnd);
}

TEST_P(AssociationTest, HeartbeatsKeepAnIdleAssociationAlive) {
  make();
  ASSERT_TRUE(connect());
  pair->run(Duration::seconds(300));
  EXPECT_EQ(a->association->state(), AssociationState::Connected);
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }, Duration::seconds(1)));
}

TEST_P(AssociationTest, JumpingWallClockDoesLittleHarm) {
  if (GetParam() == Engines{Engine::UsrSctp, Engine::Native})
    GTEST_SKIP() << "usrsctp may stop sending for good";
  make({}, {}, {.delay = Duration::millis(10), .loss = 0.02}, 21);
  ASSERT_TRUE(connect());
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(send(*a, 1, pattern(10'000, i)));
    if (i % 10 == 3) pair->shiftWallClock(Duration::seconds(3600));
    if (i % 10 == 7) pair->shiftWallClock(Duration::seconds(-5000));
    pair->run(Duration::millis(30));
  }
  EXPECT_TRUE(pair->runUntil([this] { return b->inbound.size() == 60; }, Duration::seconds(120)));
  EXPECT_EQ(a->association->state(), AssociationState::Connected);
}

TEST_P(AssociationTest, ZeroChecksumNeedsBothSides) {
  make();
  ASSERT_TRUE(connect());
  std::vector<Bytes> wire;
  pair->setFilter([&](size_t, ByteSpan p) {
    wire.push_back(toBytes(p));
    return true;
  });
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
  ASSERT_FALSE(wire.empty());
  EXPECT_EQ(loadChecksum(wire[0]), 0u);
  EXPECT_TRUE(a->association->stats().zeroChecksum);

  make({}, {.zeroChecksum = false});
  pair->setFilter([&](size_t, ByteSpan p) {
    EXPECT_EQ(loadChecksum(p), packetChecksum(p));
    return true;
  });
  ASSERT_TRUE(connect());
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(send(*b, 1, toBytes("x")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1 && a->inbound.size() == 1; }));
}

TEST_P(AssociationTest, HandshakePacketsKeepTheirChecksum) {
  make();
  size_t checked = 0;
  pair->setFilter([&](size_t, ByteSpan p) {
    if (p[12] == chunk::kInit || p[12] == chunk::kCookieEcho) {
      EXPECT_EQ(loadChecksum(p), packetChecksum(p));
      ++checked;
    }
    if (p[12] == chunk::kInit) {
      EXPECT_TRUE(inspect(p)->acceptsZeroChecksum);
      EXPECT_FALSE(inspect(p)->hasFiltered) << "no addresses in INIT";
    }
    return true;
  });
  ASSERT_TRUE(connect());
  EXPECT_GE(checked, 3u);
}

TEST_P(AssociationTest, InterleavedMessagesDoNotBlockEachOther) {
  usrSctpInterleaves = true;
  make();
  ASSERT_TRUE(connect());
  size_t interleaved = 0;
  pair->setFilter([&](size_t, ByteSpan p) {
    interleaved += p[12] == chunk::kIData;
    return true;
  });
  ASSERT_TRUE(send(*a, 1, pattern(250'000, 1)));
  ASSERT_TRUE(send(*a, 2, toBytes("small")));
  ASSERT_TRUE(send(*b, 2, pattern(100'000, 3)));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 2 && a->inbound.size() == 1; }));
  EXPECT_GT(interleaved, 100u);
  for (const Inbound& in : b->inbound) {
    EXPECT_TRUE(in.stream == 1 ? in.data == pattern(250'000, 1) : asText(in.data) == "small");
  }
  EXPECT_EQ(a->association->bufferedAmount(), 0u);
}

TEST_P(AssociationTest, MtuIsRespected) {
  for (size_t mtu : {600, 1000, 1148, 1188}) {
    make({.mtu = mtu}, {.mtu = mtu});
    pair->setMtu(mtu);
    size_t largest = 0;
    pair->setFilter([&](size_t, ByteSpan p) {
      largest = std::max(largest, p.size());
      return true;
    });
    ASSERT_TRUE(connect());
    ASSERT_TRUE(send(*a, 1, pattern(100'000, 1)));
    ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
    EXPECT_GT(largest + 32, mtu);
  }
}

TEST_P(AssociationTest, EarlyRepeatedAndLateAdvanceIsHarmless) {
  make();
  a->association->advance(pair->now());
  EXPECT_TRUE(a->association->nextDeadline().isNever());
  ASSERT_TRUE(connect());
  for (int i = 0; i < 100; ++i) a->association->advance(pair->now());
  a->association->advance(Timestamp::seconds(1));
  EXPECT_GT(a->association->nextDeadline(), pair->now());
  a->association->connect(pair->now());
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
}

TEST_P(AssociationTest, MayBeDestroyedAtAnyPoint) {
  for (int steps = 0; steps < 40; ++steps) {
    make({}, {}, {}, 50 + steps);
    int left = steps;
    a->association->connect(pair->now());
    b->association->connect(pair->now());
    pair->runUntil([&] {
      static_cast<void>(send(*a, 1, pattern(3'000, 1)));
      return left-- <= 0;
    });
    pair->remove(0);
    a.reset();
    pair->run(Duration::seconds(1));
    pair->remove(1);
    b.reset();
  }
}

TEST_P(AssociationTest, ExhaustedPoolOnlyDelays) {
  make();
  PacketPool tiny(2);
  Environment env{a->world.random, tiny};
  a->association = createWith(GetParam().first, env);
  pair = std::make_unique<Pair<Association>>(*a->association, *b->association);
  pair->onStep([this] { a->drain(), b->drain(); });
  ASSERT_TRUE(connect());
  ASSERT_TRUE(send(*a, 1, pattern(50'000, 1)));
  std::vector<PacketBuf> held;
  while (PacketBuf p = tiny.allocate()) held.push_back(std::move(p));
  PacketBuf out;
  EXPECT_FALSE(a->association->pollTransmit(out));
  held.clear();
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
  a.reset();
}

TEST_P(AssociationTest, SteadyRoundTripsKeepTheWindow) {
  make({}, {.receiveBuffer = 192 * 1024}, {.delay = Duration::millis(25)});
  ASSERT_TRUE(connect());
  if (!UsrSctpStack::instance().timersHooked()) GTEST_SKIP() << "the engine's timers are its own";
  const Bytes message(16'384);
  uint64_t received = 0;
  pair->onStep([&] {
    a->drain();
    b->drain();
    for (const Inbound& in : b->inbound) received += in.data.size();
    b->inbound.clear();
    while (a->association->bufferedAmount() < 300'000 && send(*a, 1, message)) {
    }
  });
  pair->run(Duration::seconds(2));
  EXPECT_EQ(a->association->stats().retransmittedChunks, 0u);
  EXPECT_GT(a->association->stats().congestionWindow, 150'000u) << "no timeout without a loss";
  EXPECT_GT(received, 4'000'000u);
}

TEST_P(AssociationTest, SteadyTrafficAllocatesNothing) {
  make();
  ASSERT_TRUE(connect());
  Timestamp now = pair->now();
  const Bytes message(1000);
  PacketBuf packet;
  Inbound in;
  AssociationEvent event;
  size_t received = 0;
  const auto exchange = [&] {
    now += Duration::millis(1);
    ASSERT_TRUE(a->association->send(1, 53, message, {}, now));
    while (a->association->pollTransmit(packet)) b->association->handlePacket(packet.span(), now);
    while (b->association->pollTransmit(packet)) a->association->handlePacket(packet.span(), now);
    while (b->association->pollInbound(in)) ++received;
    while (a->association->pollEvent(event)) {
    }
    a->association->advance(now);
    b->association->advance(now);
  };
  for (int i = 0; i < 500; ++i) exchange();
  const size_t before = received;
  test::AllocGuard guard;
  for (int i = 0; i < 200; ++i) exchange();
  EXPECT_EQ(guard.count(), 0u);
  EXPECT_EQ(received, before + 200);
}

TEST_P(AssociationTest, ThreadsShareTheEngine) {
  const auto transfer = [](uint64_t seed) {
    AssociationPeer sender(seed), receiver(seed + 1);
    Pair<Association> link(*sender.association, *receiver.association, {}, seed);
    link.onStep([&] { sender.drain(), receiver.drain(); });
    sender.association->connect(link.now());
    receiver.association->connect(link.now());
    size_t sent = 0;
    EXPECT_TRUE(link.runUntil([&] {
      if (sent < 20 && sender.association->send(1, 53, pattern(20'000, sent), {}, link.now()))
        ++sent;
      return receiver.inbound.size() == 20;
    }));
    for (size_t i = 0; i < receiver.inbound.size(); ++i)
      EXPECT_TRUE(receiver.inbound[i].data == pattern(20'000, i));
  };
  std::thread other(transfer, 500);
  transfer(600);
  other.join();
}

// Every media packet of every call asks these.
TEST_P(AssociationTest, RestingAssociationIsAskedWithoutTheSharedLock) {
  make();
  ASSERT_TRUE(connect());
  pair->run(Duration::seconds(3));
  const Timestamp due = a->association->nextDeadline();
  ASSERT_GT(due, pair->now());
  UsrSctpStack::Port other(64, 1);
  std::future<void> asked;
  {
    UsrSctpStack::Guard guard(UsrSctpStack::instance(), other);
    asked = std::async(std::launch::async, [&] {
      PacketBuf packet;
      for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(a->association->pollTransmit(packet));
        a->association->advance(pair->now());
        EXPECT_EQ(a->association->nextDeadline(), due);
      }
    });
    EXPECT_EQ(asked.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  }
  asked.get();
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  EXPECT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }, Duration::seconds(1)));
}

// Loops of one process read the same clock at different moments, and late when they are busy.
TEST_P(AssociationTest, EngineTimeFollowsTheClockHoweverStaleItsReadersAre) {
  if (GetParam() != Engines{Engine::UsrSctp, Engine::UsrSctp}) GTEST_SKIP() << "usrsctp's time";
  make();
  ASSERT_TRUE(connect());
  const int64_t before = UsrSctpStack::instance().nowMillis();
  Timestamp now = pair->now();
  for (int i = 0; i < 10'000; ++i) {
    now += Duration::millis(1);
    a->association->advance(now - Duration::millis(i % 6));
    b->association->advance(now - Duration::millis(i % 1000 < 500 ? 0 : 500));
  }
  EXPECT_NEAR(static_cast<double>(UsrSctpStack::instance().nowMillis() - before), 10'000, 20);
}

TEST_P(AssociationTest, WorldsWithClocksOfDifferentOriginCoexist) {
  make();
  ASSERT_TRUE(connect());
  // A second pair whose clock starts at zero, stepped while the first one rests.
  AssociationPeer c(71), d(72);
  Pair<Association> other(*c.association, *d.association);
  other.onStep([&] { c.drain(), d.drain(); });
  c.association->connect(Timestamp::millis(1));
  d.association->connect(Timestamp::millis(1));
  PacketBuf packet;
  Timestamp now = Timestamp::millis(1);
  for (int i = 0; i < 200; ++i, now += Duration::millis(10)) {
    while (c.association->pollTransmit(packet)) d.association->handlePacket(packet.span(), now);
    while (d.association->pollTransmit(packet)) c.association->handlePacket(packet.span(), now);
    c.association->advance(now);
    d.association->advance(now);
  }
  EXPECT_EQ(c.association->state(), AssociationState::Connected);
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
}

}  // namespace
}  // namespace parley::sctp
