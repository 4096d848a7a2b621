// What the protocol promises, on networks that lose, repeat, reorder and change.

#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "unit/sctp/data_channels_fixture.h"

namespace parley::sctp {
namespace {

class ReliabilityTest : public AssociationTest {
 protected:
  /// A fast path of 100 ms, and both ends with the same budget.
  void makeWith(MemoryBudget& budget) {
    a = std::make_unique<AssociationPeer>(1);
    b = std::make_unique<AssociationPeer>(2);
    a->world.env.memory = b->world.env.memory = &budget;
    a->association = createAssociation(a->world.env, {});
    b->association = createAssociation(b->world.env, {});
    pair = std::make_unique<Pair<Association>>(
        *a->association, *b->association,
        LinkConfig{.delay = Duration::millis(50), .rate = 60e6, .queue = 4u << 20});
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, ReliabilityTest,
                         ::testing::Values(Engines{Engine::Native, Engine::Native}), nameOf);

TEST_P(ReliabilityTest, EveryReliableMessageArrivesOnceInOrderAndWhole) {
  struct Network {
    double loss;
    int rtt;
    int jitter;
    double duplicate;
    bool interleaving;
  };
  for (const Network& n : {Network{0, 1, 0, 0, true}, Network{0.01, 1, 2, 0.05, false},
                           Network{0.05, 40, 30, 0.02, true}, Network{0.1, 100, 100, 0, false},
                           Network{0.2, 200, 20, 0.1, true}, Network{0.2, 600, 0, 0, true},
                           Network{0.02, 600, 300, 0.3, false}}) {
    AssociationConfig config;
    config.interleaving = n.interleaving;
    make(config, config,
         {.delay = Duration::millis(n.rtt) / 2,
          .jitter = Duration::millis(n.jitter),
          .loss = n.loss,
          .duplicate = n.duplicate},
         static_cast<uint64_t>(n.rtt) + 3);
    ASSERT_TRUE(connect());
    SeededRandom random(9);
    std::map<uint16_t, std::deque<Bytes>> expected;
    for (size_t i = 0; i < 120; ++i) {
      const auto stream = static_cast<uint16_t>(random.below(5));
      expected[stream].push_back(pattern(i % 20 == 0 ? 60'000 : 1 + random.below(3000), i));
      ASSERT_TRUE(send(*a, stream, expected[stream].back()));
    }
    ASSERT_TRUE(pair->runUntil([&] { return b->inbound.size() == 120; }, Duration::seconds(600)))
        << n.loss << " at " << n.rtt << " ms: " << b->inbound.size();
    pair->run(Duration::seconds(20));
    ASSERT_EQ(b->inbound.size(), 120u) << "once";
    for (const Inbound& in : b->inbound) {
      ASSERT_TRUE(in.data == expected[in.stream].front());
      expected[in.stream].pop_front();
    }
    EXPECT_EQ(a->association->stats().unackedChunks, 0u);
  }
}

TEST_P(ReliabilityTest, RetransmissionLimitsAreReachedAndNotExceeded) {
  for (const int times : {0, 1, 3}) {
    const auto limit = static_cast<uint16_t>(times);
    make({}, {}, {.delay = Duration::millis(20)});
    ASSERT_TRUE(connect());
    int copies = 0;
    pair->setFilter([&](size_t from, ByteSpan p) {
      if (from != 0 || !isData(p)) return true;
      ++copies;
      return false;
    });
    ASSERT_TRUE(send(*a, 1, toBytes("doomed"), {.maxRetransmits = limit}));
    pair->run(Duration::seconds(30));
    EXPECT_EQ(copies, limit + 1);
    EXPECT_EQ(a->association->stats().messagesAbandoned, 1u);
    // One that gets through with its last copy is delivered.
    copies = 0;
    pair->setFilter(
        [&](size_t from, ByteSpan p) { return from != 0 || !isData(p) || ++copies == limit + 1; });
    ASSERT_TRUE(send(*a, 1, toBytes("saved"), {.maxRetransmits = limit}));
    ASSERT_TRUE(pair->runUntil([&] { return b->inbound.size() == 1; })) << limit;
    EXPECT_EQ(asText(b->inbound[0].data), "saved");
  }
}

TEST_P(ReliabilityTest, LifetimesEndWhenTheyAreOverAndNotBefore) {
  make({}, {}, {.delay = Duration::millis(10)});
  ASSERT_TRUE(connect());
  Timestamp lastCopy;
  bool out = true;
  pair->setFilter([&](size_t from, ByteSpan p) {
    if (from == 0 && isData(p)) lastCopy = pair->now();
    return !out;
  });
  const Timestamp begin = pair->now();
  ASSERT_TRUE(send(*a, 1, toBytes("stale"), {.lifetime = Duration::seconds(2)}));
  pair->run(Duration::seconds(10));
  EXPECT_LE(lastCopy - begin, Duration::seconds(2));
  EXPECT_GE(lastCopy - begin, Duration::millis(500)) << "it was not given up early";
  EXPECT_EQ(a->association->stats().messagesAbandoned, 1u);
  out = false;
  ASSERT_TRUE(send(*a, 1, toBytes("fresh"), {.lifetime = Duration::seconds(2)}));
  ASSERT_TRUE(pair->runUntil([&] { return b->inbound.size() == 1; }, Duration::seconds(10)));
  EXPECT_EQ(asText(b->inbound[0].data), "fresh");
}

TEST_P(ReliabilityTest, LargeMessagesAreAbandonedWhole) {
  for (const bool interleaving : {false, true}) {
    AssociationConfig config;
    config.interleaving = interleaving;
    make(config, config, {.delay = Duration::millis(20), .loss = 0.1, .rate = 500'000}, 5);
    ASSERT_TRUE(connect());
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(send(*a, 1, pattern(30'000, static_cast<uint64_t>(i)),
                       {.unordered = i % 2 == 1, .lifetime = Duration::millis(400)}));
      pair->run(Duration::millis(30));
    }
    pair->run(Duration::seconds(10));
    EXPECT_GT(a->association->stats().messagesAbandoned, 3u);
    EXPECT_GT(b->inbound.size(), 3u);
    for (const Inbound& in : b->inbound) {
      bool known = false;
      for (uint64_t i = 0; i < 30 && !known; ++i) known = in.data == pattern(30'000, i);
      EXPECT_TRUE(known);
    }
    EXPECT_EQ(b->association->stats().receivedBytesHeld, 0u) << "no halves stay";
    EXPECT_EQ(a->association->stats().unackedChunks, 0u);
    pair->setLink({});
    ASSERT_TRUE(send(*a, 1, toBytes("after")));
    ASSERT_TRUE(pair->runUntil([&] { return asText(b->inbound.back().data) == "after"; }));
  }
}

TEST_P(ReliabilityTest, MemoryComesBackWhenTheTransferIsOver) {
  MemoryBudget budget(64u << 20);
  makeWith(budget);
  size_t received = 0;
  size_t sent = 0;
  size_t most = 0;
  pair->onStep([&] {
    a->drain();
    b->drain();
    for (const Inbound& in : b->inbound) received += in.data.size();
    b->inbound.clear();
    most = std::max(most, budget.used());
    while (sent < 300 && send(*a, 1, Bytes(100'000))) ++sent;
  });
  ASSERT_TRUE(connect());
  ASSERT_TRUE(pair->runUntil([&] { return received == 30'000'000; }));
  EXPECT_GT(most, 4u << 20) << "both windows grew";
  EXPECT_LE(most, 64u << 20);
  pair->run(Duration::seconds(40));
  EXPECT_EQ(budget.used(), 0u);
}

TEST_P(ReliabilityTest, WithoutBudgetTheFirstWindowsMustDo) {
  MemoryBudget budget(0);
  makeWith(budget);
  uint32_t most = 0;
  pair->onStep([&] {
    a->drain();
    b->drain();
    most = std::max(most, a->association->stats().bytesInFlight);
  });
  ASSERT_TRUE(connect());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(send(*a, 1, Bytes(100'000)));
  ASSERT_TRUE(pair->runUntil([&] { return b->inbound.size() == 60; }));
  EXPECT_LE(most, (1u << 20) + 2000);
}

class ChannelLifeTest : public DataChannelsTest {};
INSTANTIATE_TEST_SUITE_P(Engines, ChannelLifeTest,
                         ::testing::Values(Engines{Engine::Native, Engine::Native}), nameOf);

TEST_P(ChannelLifeTest, TenThousandLivesOfIds) {
  make({.delay = Duration::millis(1)});
  connect();
  size_t opened = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<ChannelId> ids;
    for (int i = 0; i < 100; ++i) {
      ids.push_back(open(*a));
      ids.push_back(open(*b));
      ASSERT_TRUE(send(*a, ids[ids.size() - 2], "x"));
    }
    opened += ids.size();
    ASSERT_TRUE(until([&] { return b->messages.size() == 100; }));
    for (size_t i = 0; i < ids.size(); ++i) {
      (i % 2 == 0 ? a : b)->channels->close(ids[i], pair->now());
    }
    ASSERT_TRUE(
        until([&] { return a->channels->channelCount() + b->channels->channelCount() == 0; }));
    ASSERT_EQ(a->got<ChannelIncoming>().size(), 100u);
    for (const auto& in : a->got<ChannelIncoming>()) ASSERT_LT(*in.init.id, 400) << "reused";
    for (ChannelPeer* p : {a.get(), b.get()}) p->events.clear(), p->messages.clear();
  }
  EXPECT_EQ(opened, 10'000u);
}

TEST_P(ChannelLifeTest, LivesOfIdsDoNotMixWhereMuchIsLost) {
  make({.delay = Duration::millis(10),
        .jitter = Duration::millis(8),
        .loss = 0.1,
        .duplicate = 0.1});
  connect();
  for (int round = 0; round < 25; ++round) {
    std::vector<ChannelId> ids;
    for (int i = 0; i < 20; ++i) {
      const std::string life = std::to_string(round) + "/" + std::to_string(i);
      ids.push_back(open(*a, {.label = life}));
      ASSERT_TRUE(send(*a, ids.back(), life));
      // Closed with the message still queued, or in flight.
      a->channels->close(ids.back(), pair->now());
    }
    ASSERT_TRUE(
        until([&] { return a->channels->channelCount() + b->channels->channelCount() == 0; }));
    std::map<ChannelId, std::string> labels;
    for (const auto& in : b->got<ChannelIncoming>()) labels[in.id] = in.init.label;
    ASSERT_EQ(labels.size(), 20u);
    ASSERT_EQ(b->messages.size(), 20u) << "each its own, in round " << round;
    for (const ChannelMessage& m : b->messages) ASSERT_EQ(asText(m.data), labels[m.channel]);
    for (ChannelPeer* p : {a.get(), b.get()}) p->events.clear(), p->messages.clear();
  }
}

TEST_P(ChannelLifeTest, BothOpeningTheSameIdLoseOnlyThatChannel) {
  // Two sides that believe to have the same DTLS role take the same ids.
  a->channels->setRemoteMaxMessageSize(0);
  b->channels->setRemoteMaxMessageSize(0);
  a->channels->setDtlsRole(true, pair->now());
  b->channels->setDtlsRole(true, pair->now());
  const ChannelId ours = open(*a);
  const ChannelId theirs = open(*b);
  const ChannelId agreedA = open(*a, {.negotiated = true, .id = 7});
  const ChannelId agreedB = open(*b, {.negotiated = true, .id = 7});
  a->channels->start(createWith(GetParam().first, a->world.env), pair->now());
  b->channels->start(createWith(GetParam().second, b->world.env), pair->now());
  ASSERT_TRUE(until([&] {
    return a->channels->state(ours) == ChannelState::Closed &&
           b->channels->state(theirs) == ChannelState::Closed;
  }));
  EXPECT_FALSE(a->got<ChannelFailed>().empty());
  ASSERT_TRUE(send(*a, agreedA, "still here"));
  ASSERT_TRUE(send(*b, agreedB, "me too"));
  ASSERT_TRUE(until([&] { return a->messages.size() == 1 && b->messages.size() == 1; }));
}

}  // namespace
}  // namespace parley::sctp
