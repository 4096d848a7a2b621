// How much gets through, and how long small messages wait meanwhile, on paths with a bottleneck.

#include <algorithm>

#include <gtest/gtest.h>

#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

struct Path {
  double megabits = 20;
  Duration rtt = Duration::millis(40);
  double loss = 0;
  Duration jitter = Duration::zero();
  size_t queue = 256 * 1024;
};

/// A sender that always has something to send, its receiver, and what is between them.
struct Transfer {
  explicit Transfer(const Path& path, Engine engine = Engine::Native, uint64_t seed = 1)
      : a(seed, {}, engine),
        b(seed + 1, {}, engine),
        pair(*a.association, *b.association,
             {.delay = path.rtt / 2,
              .jitter = path.jitter,
              .loss = path.loss,
              .rate = path.megabits * 125'000,
              .queue = path.queue},
             seed + 2) {
    pair.onStep([this] { step(); });
    a.association->connect(pair.now());
    b.association->connect(pair.now());
    EXPECT_TRUE(pair.runUntil([this] {
      return a.association->state() == AssociationState::Connected &&
             b.association->state() == AssociationState::Connected;
    }));
  }
  void step() {
    while (sending && a.association->bufferedAmount() < 512 * 1024 &&
           a.association->send(1, 53, message, {.priority = 128}, pair.now())) {
    }
    AssociationEvent event;
    while (a.association->pollEvent(event)) {
    }
    while (b.association->pollEvent(event)) {
    }
    while (b.association->pollInbound(in)) {
      if (in.stream == 1) received += in.data.size();
      if (in.stream == 2) {
        const int64_t sentAt = static_cast<int64_t>(loadU64(in.data.data()));
        small.push_back(pair.now() - Timestamp::nanos(sentAt));
      }
    }
  }
  /// Mb/s over so long.
  double run(Duration d) {
    const uint64_t before = received;
    pair.run(d);
    return static_cast<double>(received - before) * 8e-6 / d.seconds();
  }
  /// The 95th percentile of the delay of `count` messages of 100 bytes, sent at odd moments.
  Duration delayOfSmall(int count) {
    small.clear();
    for (int i = 0; i < count; ++i) {
      Bytes hundred(100);
      storeU64(hundred.data(), static_cast<uint64_t>(pair.now().nanos()));
      EXPECT_TRUE(a.association->send(2, 53, hundred, {.priority = 1024}, pair.now()));
      pair.run(Duration::micros(9'000 + 1'700 * (i % 7)));
    }
    pair.run(Duration::seconds(1));
    EXPECT_EQ(small.size(), static_cast<size_t>(count));
    std::sort(small.begin(), small.end());
    return small.at(small.size() * 95 / 100);
  }

  AssociationPeer a, b;
  Pair<Association> pair;
  Inbound in;
  Bytes message = pattern(64 * 1024, 3);
  bool sending = true;
  uint64_t received = 0;
  std::vector<Duration> small;
};

/// Of the link's rate, what DTLS, UDP, IP and SCTP leave for payload.
constexpr double kPayloadShare = 1116.0 / (1148 + 85);

TEST(Goodput, UrgentMessagesPassABulkTransfer) {
  for (const int rtt : {40, 80}) {
    Transfer t({.megabits = 20, .rtt = Duration::millis(rtt)});
    t.sending = false;
    const Duration idle = t.delayOfSmall(20);
    t.sending = true;
    t.run(Duration::millis(500));
    const uint64_t before = t.received;
    const Duration busy = t.delayOfSmall(60);
    EXPECT_GT(t.received - before, 1'000'000u) << "the bulk goes on";
    EXPECT_LE(busy.micros(), idle.micros() * 12 / 10) << rtt << " ms: idle " << idle.micros();
  }
}

TEST(Goodput, RandomLossCostsLittleMoreThanItsRepetition) {
  struct Row {
    double loss;
    int rtt;
    double least;
  };
  for (const Row& row :
       {Row{0, 75, 0.9}, Row{0.01, 75, 0.85}, Row{0.05, 150, 0.8}, Row{0.1, 75, 0.7}}) {
    Transfer t({.megabits = 10, .rtt = Duration::millis(row.rtt), .loss = row.loss});
    t.run(Duration::seconds(2));
    const double rate = t.run(Duration::seconds(3));
    EXPECT_GT(rate, row.least * 10 * kPayloadShare) << row.loss << " at " << row.rtt << " ms";
  }
}

TEST(Goodput, JitterAndReorderingDoNotLookLikeLoss) {
  Transfer t({.megabits = 10, .rtt = Duration::millis(40), .jitter = Duration::millis(8)});
  t.run(Duration::seconds(2));
  const uint64_t before = t.a.association->stats().retransmittedChunks;
  const double rate = t.run(Duration::seconds(3));
  EXPECT_GT(rate, 0.75 * 10 * kPayloadShare);
  EXPECT_LT(t.a.association->stats().retransmittedChunks - before, 100u);
}

TEST(Goodput, JitterAsLongAsTheRoundTripLeavesMostOfTheRate) {
  for (const int rtt : {20, 40}) {
    Transfer t({.megabits = 20, .rtt = Duration::millis(rtt), .jitter = Duration::millis(rtt)});
    t.run(Duration::seconds(3));
    EXPECT_GT(t.run(Duration::seconds(5)), 0.75 * 20 * kPayloadShare) << rtt << " ms";
  }
}

TEST(Goodput, ALongFatPathFills) {
  // 12.5 MB in flight: windows and buffers grow to that.
  Transfer t({.megabits = 1000, .rtt = Duration::millis(100), .queue = 4u << 20});
  t.message = Bytes(256 * 1024);
  t.run(Duration::millis(1800));
  const double rate = t.run(Duration::millis(300));
  EXPECT_GT(rate, 0.8 * 1000 * kPayloadShare);
  EXPECT_GT(t.a.association->stats().bytesInFlight, 10'000'000u);
}

TEST(Goodput, TheLinksQueueStaysShort) {
  Transfer t({.megabits = 10, .rtt = Duration::millis(30), .queue = 1u << 20});
  t.run(Duration::seconds(2));
  EXPECT_LT(t.a.association->stats().smoothedRtt, Duration::millis(40));
  EXPECT_EQ(t.a.association->stats().retransmittedChunks, 0u);
}

TEST(Goodput, ANewRateIsFoundBothWays) {
  Transfer t({.megabits = 5, .rtt = Duration::millis(40)});
  t.run(Duration::seconds(2));
  t.pair.setLink({.delay = Duration::millis(20), .rate = 40 * 125'000.0});
  t.run(Duration::seconds(3));
  EXPECT_GT(t.run(Duration::seconds(1)), 0.8 * 40 * kPayloadShare);
  t.pair.setLink({.delay = Duration::millis(20), .rate = 2 * 125'000.0});
  t.run(Duration::seconds(3));
  EXPECT_GT(t.run(Duration::seconds(1)), 0.7 * 2 * kPayloadShare);
  EXPECT_LT(t.a.association->stats().smoothedRtt, Duration::millis(120));
  // A longer way is no queue.
  t.pair.setLink({.delay = Duration::millis(100), .rate = 5 * 125'000.0});
  t.run(Duration::seconds(8));
  EXPECT_GT(t.run(Duration::seconds(2)), 0.7 * 5 * kPayloadShare);
}

}  // namespace
}  // namespace parley::sctp
