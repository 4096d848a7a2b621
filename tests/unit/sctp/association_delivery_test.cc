// Partial reliability, order, priority, stream resets, and packets of a hostile peer.

#include <set>

#include <gtest/gtest.h>

#include "sctp/crc32c.h"
#include "sctp/packet.h"
#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

TEST_P(AssociationTest, UnorderedMessagesPassLostOnes) {
  make();
  ASSERT_TRUE(connect());
  bool dropNext = true;
  pair->setFilter([&](size_t from, ByteSpan packet) {
    if (from == 0 && isData(packet) && dropNext) return dropNext = false;
    return true;
  });
  ASSERT_TRUE(send(*a, 1, toBytes("first"), {.unordered = true}));
  pair->flush();
  ASSERT_TRUE(send(*a, 1, toBytes("second"), {.unordered = true}));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 2; }));
  EXPECT_EQ(asText(b->inbound[0].data), "second");
  EXPECT_TRUE(b->inbound[0].unordered);
  EXPECT_EQ(asText(b->inbound[1].data), "first");
}

TEST_P(AssociationTest, ZeroRetransmitsGivesUpAfterOneLoss) {
  make();
  ASSERT_TRUE(connect());
  bool dropNext = true;
  pair->setFilter([&](size_t from, ByteSpan packet) {
    if (from == 0 && isData(packet) && dropNext) return dropNext = false;
    return true;
  });
  ASSERT_TRUE(send(*a, 1, toBytes("lost"), {.maxRetransmits = 0}));
  pair->flush();
  ASSERT_TRUE(send(*a, 1, toBytes("kept"), {.maxRetransmits = 0}));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
  EXPECT_EQ(asText(b->inbound[0].data), "kept") << "an ordered message is released by FORWARD TSN";
  EXPECT_LT(pair->elapsed(), Duration::seconds(2));
  pair->run(Duration::seconds(3));
  EXPECT_EQ(b->inbound.size(), 1u);
  EXPECT_EQ(a->association->stats().unackedChunks, 0u);
}

TEST_P(AssociationTest, LifetimeEndsInVirtualTime) {
  make();
  ASSERT_TRUE(connect());
  bool blackout = true;
  pair->setFilter([&](size_t, ByteSpan) { return !blackout; });
  ASSERT_TRUE(send(*a, 1, toBytes("stale"), {.lifetime = Duration::millis(300)}));
  pair->run(Duration::millis(2000));
  ASSERT_TRUE(send(*a, 1, toBytes("fresh"), {.lifetime = Duration::millis(30'000)}));
  blackout = false;
  ASSERT_TRUE(pair->runUntil([this] { return !b->inbound.empty(); }));
  EXPECT_EQ(asText(b->inbound[0].data), "fresh");
}

TEST_P(AssociationTest, QueuedMessagesExpireBeforeTheEngineTakesThem) {
  make();
  ASSERT_TRUE(connect());
  bool blackout = true;
  pair->setFilter([&](size_t, ByteSpan) { return !blackout; });
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(send(*a, 1, pattern(60'000, 1)));
  ASSERT_TRUE(send(*a, 1, toBytes("stale"), {.lifetime = Duration::millis(100)}));
  pair->run(Duration::millis(500));
  blackout = false;
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 10; }));
  pair->run(Duration::seconds(1));
  EXPECT_EQ(b->inbound.size(), 10u);
  EXPECT_EQ(a->association->stats().messagesAbandoned, 1u);
  EXPECT_EQ(a->association->bufferedAmount(), 0u);
}

TEST_P(AssociationTest, AbandonedMessagesLeaveTheBooksBalanced) {
  make({}, {}, {.delay = Duration::millis(20), .loss = 0.2}, 3);
  ASSERT_TRUE(connect());
  for (int i = 0; i < 400; ++i) {
    const SendOptions options = i % 2 == 0
                                    ? SendOptions{.unordered = i % 4 == 0, .maxRetransmits = 0}
                                    : SendOptions{.lifetime = Duration::millis(50)};
    ASSERT_TRUE(send(*a, static_cast<uint16_t>(i % 7), pattern(1 + i * 40, i), options));
    if (i % 20 == 0) pair->run(Duration::millis(100));
  }
  EXPECT_TRUE(pair->runUntil([this] { return a->association->bufferedAmount() == 0; }));
  pair->run(Duration::seconds(10));
  const size_t before = pair->wakes();
  pair->run(Duration::seconds(10));
  EXPECT_LE(pair->wakes() - before, 25u) << "idle again";
  EXPECT_EQ(a->association->state(), AssociationState::Connected);
  for (const Inbound& in : b->inbound) {
    const size_t i = (in.data.size() - 1) / 40;
    ASSERT_TRUE(in.data == pattern(1 + i * 40, i));
  }
  pair->setLink({});
  b->inbound.clear();
  for (uint16_t s = 0; s < 7; ++s) ASSERT_TRUE(send(*a, s, toBytes("last")));
  EXPECT_TRUE(pair->runUntil([this] { return b->inbound.size() == 7; }, Duration::seconds(10)));
  pair->run(Duration::seconds(1));
  EXPECT_EQ(a->association->stats().unackedChunks, 0u);
}

TEST_P(AssociationTest, PriorityOrdersWhatWaits) {
  make();
  ASSERT_TRUE(connect());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(send(*a, 1, pattern(20'000, i), {.priority = 128}));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(send(*a, 2, pattern(20'000, i), {.priority = 1024}));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 45; }));
  size_t lastUrgent = 0;
  for (size_t i = 0; i < b->inbound.size(); ++i) {
    if (b->inbound[i].stream == 2) lastUrgent = i;
  }
  EXPECT_LT(lastUrgent, 20u);
}

TEST_P(AssociationTest, ResetDeliversWhatWasSentAndFreesTheStream) {
  make();
  ASSERT_TRUE(connect());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(send(*a, 5, pattern(50'000, i)));
  const uint16_t streams[] = {5};
  a->association->resetStreams(streams, pair->now());
  EXPECT_EQ(send(*a, 5, toBytes("x")).error().code, ErrorCode::InvalidState);
  ASSERT_TRUE(
      pair->runUntil([this] { return !a->outgoingResets.empty() && b->inbound.size() == 11; }));
  EXPECT_EQ(b->inbound[10].kind, Inbound::Kind::StreamReset);
  EXPECT_EQ(b->inbound[10].stream, 5);
  EXPECT_EQ(a->outgoingResets, std::vector<uint16_t>{5});
  ASSERT_TRUE(send(*a, 5, toBytes("again")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 12; }));
}

TEST_P(AssociationTest, ManyResetsAtOnceUnderLoss) {
  make({}, {}, {.delay = Duration::millis(10), .jitter = Duration::millis(5), .loss = 0.1}, 11);
  ASSERT_TRUE(connect());
  for (uint16_t s = 0; s < 200; ++s) {
    ASSERT_TRUE(send(*a, s, pattern(500, s)));
    a->association->resetStreams({&s, 1}, pair->now());
    ASSERT_TRUE(send(*b, s, pattern(500, s)));
    b->association->resetStreams({&s, 1}, pair->now());
  }
  ASSERT_TRUE(pair->runUntil(
      [this] { return a->outgoingResets.size() == 200 && b->outgoingResets.size() == 200; },
      Duration::seconds(120)));
  for (AssociationPeer* p : {a.get(), b.get()}) {
    std::set<uint16_t> reset;
    size_t messages = 0;
    for (const Inbound& in : p->inbound) {
      if (in.kind == Inbound::Kind::StreamReset) {
        EXPECT_TRUE(reset.insert(in.stream).second);
      }
      if (in.kind == Inbound::Kind::Message) {
        ++messages;
        EXPECT_FALSE(reset.contains(in.stream)) << "data behind its reset";
      }
    }
    EXPECT_EQ(messages, 200u);
    EXPECT_EQ(reset.size(), 200u);
  }
}

TEST_P(AssociationTest, GarbageNeverEndsIt) {
  make();
  ASSERT_TRUE(connect());
  SeededRandom random(99);
  for (int i = 0; i < 2000; ++i) {
    Bytes junk(random.below(200));
    random.fill(junk);
    b->association->handlePacket(junk, pair->now());
  }
  EXPECT_EQ(b->association->stats().packetsDropped, 2000u);
  ASSERT_TRUE(send(*a, 1, toBytes("x")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
}

TEST_P(AssociationTest, MutatedPacketsWithWrongChecksumAreDropped) {
  make({.zeroChecksum = false}, {.zeroChecksum = false});
  SeededRandom random(4);
  size_t mutated = 0;
  pair->setFilter([&](size_t from, ByteSpan p) {
    Bytes copy = toBytes(p);
    copy[random.below(copy.size())] ^= static_cast<uint8_t>(1 + random.below(255));
    (from == 0 ? *b : *a).association->handlePacket(copy, pair->now());
    ++mutated;
    return true;
  });
  ASSERT_TRUE(connect());
  ASSERT_TRUE(send(*a, 1, pattern(200'000, 1)));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
  EXPECT_TRUE(b->inbound[0].data == pattern(200'000, 1));
  EXPECT_EQ(a->association->stats().packetsDropped + b->association->stats().packetsDropped,
            mutated);
}

TEST_P(AssociationTest, MutatedPacketsWithGoodChecksumNeverCrash) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    make({}, {}, {}, seed * 3);
    SeededRandom random(seed);
    pair->setFilter([&](size_t from, ByteSpan p) {
      Bytes copy = toBytes(p);
      for (int i = 0; i < 3; ++i)
        copy[8 + random.below(copy.size() - 8)] = static_cast<uint8_t>(random.u32());
      storeChecksum(copy, packetChecksum(copy));
      if (random.below(4) == 0) (from == 0 ? *b : *a).association->handlePacket(copy, pair->now());
      return true;
    });
    connect();
    for (int i = 0; i < 10; ++i) {
      static_cast<void>(send(*a, 1, pattern(20'000, i), {.maxRetransmits = 1}));
      static_cast<void>(send(*b, 2, pattern(2'000, i)));
      const uint16_t streams[] = {2};
      if (i == 5) b->association->resetStreams(streams, pair->now());
      pair->run(Duration::millis(100));
    }
  }
}

TEST_P(AssociationTest, AddressesAndUnusedExtensionsNeverReachTheEngine) {
  make();
  ASSERT_TRUE(connect());
  // AUTH, ASCONF, packet drop and ECN chunks in a packet that is otherwise in order.
  Bytes packet;
  pair->setFilter([&](size_t from, ByteSpan p) {
    if (from == 0 && packet.empty()) packet = toBytes(p);
    return true;
  });
  ASSERT_TRUE(send(*a, 1, toBytes("four")));
  ASSERT_TRUE(pair->runUntil([this] { return b->inbound.size() == 1; }));
  packet.resize(12);
  for (const uint8_t type : {chunk::kAuth, chunk::kAsconf, chunk::kAsconfAck, chunk::kPacketDropped,
                             chunk::kEcnEcho, chunk::kCwr}) {
    packet.insert(packet.end(), {type, 0, 0, 8, 0, 0, 0, 0});
  }
  storeChecksum(packet, packetChecksum(packet));
  const uint64_t before = a->association->stats().packetsReceived;
  b->association->handlePacket(packet, pair->now());
  pair->run(Duration::seconds(1));
  EXPECT_EQ(b->association->state(), AssociationState::Connected);
  EXPECT_LE(a->association->stats().packetsReceived, before + 1) << "no ERROR chunks in answer";
}

}  // namespace
}  // namespace parley::sctp
