// Limits of retransmission and lifetime, read off the wire: reached, and not exceeded.

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

/// What A's packets show of its chunks.
struct Wire {
  struct Chunk {
    uint64_t message = 0;  ///< the number that its payload begins with, if it is a first fragment
    bool first = false;
    int transmissions = 0;
    Timestamp lastSent;
  };
  void see(ByteSpan packet, Timestamp now) {
    ChunkCursor cursor(packet);
    ChunkView c;
    while (cursor.next(c)) {
      if (c.type != chunk::kData && c.type != chunk::kIData) continue;
      const size_t header = c.type == chunk::kData ? kDataHeaderSize : kIDataHeaderSize;
      Chunk& chunk = chunks[loadU32(c.value.data())];
      chunk.first = (c.flags & 2) != 0;
      if (chunk.first) chunk.message = loadU64(&c.value[header]);
      ++chunk.transmissions;
      chunk.lastSent = now;
    }
  }
  int mostTransmissions() const {
    int most = 0;
    for (const auto& [tsn, c] : chunks) most = std::max(most, c.transmissions);
    return most;
  }
  std::map<uint32_t, Chunk> chunks;
};

class PartialReliabilityTest : public AssociationTest {
 protected:
  /// 150 messages of up to three packets on a path that loses many.
  void transfer(bool interleaving, double loss, const SendOptions& options, uint64_t seed) {
    AssociationConfig config;
    config.interleaving = interleaving;
    make(config, config,
         {.delay = Duration::millis(15), .jitter = Duration::millis(3), .rate = 400'000}, seed);
    ASSERT_TRUE(connect());
    wire = {};
    sentAt.clear();
    abandonedTooEarly = 0;
    pair->setFilter([&](size_t from, ByteSpan packet) {
      if (from == 0) wire.see(packet, pair->now());
      return true;
    });
    pair->setLink({.delay = Duration::millis(15),
                   .jitter = Duration::millis(3),
                   .loss = loss,
                   .rate = 400'000});
    SeededRandom random(seed);
    const auto watch = [&] {
      a->drain();
      b->drain();
      if (!options.lifetime) return;
      uint64_t over = 0;
      for (const Timestamp t : sentAt) over += t + *options.lifetime <= pair->now();
      abandonedTooEarly += a->association->stats().messagesAbandoned > over;
    };
    pair->onStep(watch);
    for (uint64_t i = 0; i < 150; ++i) {
      Bytes message(8 + random.below(3000));
      storeU64(message.data(), i);
      ASSERT_TRUE(send(*a, static_cast<uint16_t>(i % 3), message, options));
      sentAt.push_back(pair->now());
      pair->run(Duration::millis(6));
    }
    pair->run(Duration::seconds(40));
    EXPECT_EQ(a->association->stats().unackedChunks, 0u);
    EXPECT_EQ(b->association->stats().receivedBytesHeld, 0u);
    // Abandoned here and arrived there may both be: the acknowledgement was lost, or came late.
    const uint64_t abandoned = a->association->stats().messagesAbandoned;
    EXPECT_GE(b->inbound.size() + abandoned, 150u);
    std::map<uint64_t, int> arrivals;
    for (const Inbound& in : b->inbound) ++arrivals[loadU64(in.data.data())];
    for (const auto& [number, times] : arrivals) EXPECT_EQ(times, 1) << number;
  }

  Wire wire;
  std::vector<Timestamp> sentAt;
  int abandonedTooEarly = 0;
};

INSTANTIATE_TEST_SUITE_P(Engines, PartialReliabilityTest,
                         ::testing::Values(Engines{Engine::Native, Engine::Native},
                                           Engines{Engine::Native, Engine::UsrSctp}),
                         nameOf);

TEST_P(PartialReliabilityTest, NothingIsSentMoreOftenOrLessOftenThanItsLimit) {
  for (const uint16_t limit : {0, 1, 2, 5}) {
    for (const bool unordered : {false, true}) {
      transfer(limit % 2 == 0, 0.2, {.unordered = unordered, .maxRetransmits = limit},
               limit * 2u + unordered + 1);
      EXPECT_LE(wire.mostTransmissions(), limit + 1);
      // Given up only when a chunk had its last chance: as many as there are.
      uint64_t exhausted = 0;
      for (const auto& [tsn, c] : wire.chunks) exhausted += c.transmissions == limit + 1;
      EXPECT_LE(a->association->stats().messagesAbandoned, exhausted) << limit;
      if (limit < 2) EXPECT_GT(a->association->stats().messagesAbandoned, 3u) << limit;
    }
  }
}

TEST_P(PartialReliabilityTest, NothingIsSentBeyondItsLifetimeNorGivenUpWithinIt) {
  for (const int millis : {40, 120, 500}) {
    for (const bool unordered : {false, true}) {
      const Duration lifetime = Duration::millis(millis);
      transfer(unordered, 0.2, {.unordered = unordered, .lifetime = lifetime},
               static_cast<uint64_t>(millis) + unordered);
      EXPECT_EQ(abandonedTooEarly, 0) << millis;
      for (const auto& [tsn, c] : wire.chunks) {
        if (c.first) EXPECT_LE(c.lastSent, sentAt[c.message] + lifetime) << millis;
      }
      if (millis < 100) EXPECT_GT(a->association->stats().messagesAbandoned, 3u);
    }
  }
}

// RFC 3758 section 3.5: not a single one is missing where the limit leaves time enough.
TEST_P(PartialReliabilityTest, GenerousLimitsLoseNothing) {
  transfer(true, 0.1, {.maxRetransmits = uint16_t{30}}, 4);
  EXPECT_EQ(b->inbound.size(), 150u);
  EXPECT_EQ(a->association->stats().messagesAbandoned, 0u);
  transfer(false, 0.1, {.lifetime = Duration::seconds(30)}, 5);
  EXPECT_EQ(b->inbound.size(), 150u);
  EXPECT_EQ(a->association->stats().messagesAbandoned, 0u);
}

}  // namespace
}  // namespace parley::sctp
