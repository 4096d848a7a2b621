#include "media/pacer.h"

#include <gtest/gtest.h>

namespace parley::media {
namespace {

class PacerTest : public testing::Test {
 protected:
  PacerTest() {
    pacer_.setRates({DataRate::kbps(800), DataRate::zero()}, now_);
  }  // 100 bytes per ms

  void push(PacketType type, uint32_t size = 1000, int64_t sequence = 0, uint32_t stream = 1) {
    PacedPacket packet;
    packet.type = type;
    packet.size = size;
    packet.sequence = sequence;
    packet.stream = stream;
    packet.queued = now_;
    EXPECT_TRUE(pacer_.push(std::move(packet)));
  }
  /// Bytes that leave now.
  int64_t drain() {
    int64_t bytes = 0;
    while (pacer_.pop(out_, probe_, now_)) bytes += out_.size;
    return bytes;
  }
  Timestamp now_ = Timestamp::seconds(1);
  Pacer pacer_{100};
  PacedPacket out_;
  int32_t probe_ = -1;
};

TEST_F(PacerTest, PassesWhatItWouldNotHold) {
  int64_t sent = 0;
  while (pacer_.pass(PacketType::Video, 100, now_)) sent += 100;
  // 5 ms and the packet that crosses them.
  EXPECT_EQ(sent, 600);
  EXPECT_TRUE(pacer_.pass(PacketType::Audio, 100, now_));
  push(PacketType::Video);
  now_ += Duration::seconds(1);
  EXPECT_FALSE(pacer_.pass(PacketType::Video, 100, now_)) << "past one that waits";
  EXPECT_EQ(drain(), 1000);
  pacer_.addProbe({.id = 1, .rate = DataRate::kbps(900)}, now_);
  EXPECT_FALSE(pacer_.pass(PacketType::Video, 100, now_)) << "what a probe is made of";
}

TEST_F(PacerTest, AFullWindowHoldsBackAllButSound) {
  pacer_.setWindow(5000);
  pacer_.setInFlight(4999);
  push(PacketType::Video);
  EXPECT_EQ(drain(), 1000);
  pacer_.setInFlight(5999);
  for (int i = 0; i < 5; ++i) push(PacketType::Video);
  push(PacketType::Retransmission);
  push(PacketType::Audio, 100);
  now_ += Duration::millis(100);
  EXPECT_EQ(drain(), 100);
  EXPECT_FALSE(pacer_.pass(PacketType::Video, 100, now_));
  EXPECT_GT(pacer_.nextDeadline(), now_);
  // Reports, which open the window, need arrivals: now and then one packet leaves.
  int64_t sent = 0;
  for (int i = 0; i < 5; ++i) {
    now_ = pacer_.nextDeadline();
    sent += drain();
    ASSERT_GT(pacer_.nextDeadline(), now_);
  }
  EXPECT_EQ(sent, 5000);
  EXPECT_EQ(now_, Timestamp::seconds(1) + DataRate::kbps(50).timeFor(5000));
  pacer_.setInFlight(1000);
  now_ += Duration::millis(10);
  EXPECT_EQ(drain(), 1000);
}

TEST_F(PacerTest, SpreadsVideoAtTheRate) {
  for (int i = 0; i < 50; ++i) push(PacketType::Video);
  int64_t sent = 0;
  const Timestamp start = now_;
  while (pacer_.queuedBytes() > 0) {
    const int64_t burst = drain();
    EXPECT_LE(burst, 2000);
    sent += burst;
    if (pacer_.queuedBytes() == 0) break;
    EXPECT_GT(pacer_.nextDeadline(), now_);
    now_ = pacer_.nextDeadline();
  }
  EXPECT_EQ(sent, 50'000);
  // 50 kB at 100 kB/s, less the last burst.
  EXPECT_NEAR((now_ - start).seconds(), 0.49, 0.02);
  EXPECT_TRUE(pacer_.nextDeadline().isNever());
}

TEST_F(PacerTest, AudioNeverWaitsAndRepetitionsGoFirst) {
  for (int i = 0; i < 10; ++i) push(PacketType::Video);
  drain();
  push(PacketType::Video, 1000, 77);
  push(PacketType::Retransmission);
  push(PacketType::Audio, 100);
  ASSERT_TRUE(pacer_.pop(out_, probe_, now_));
  EXPECT_EQ(out_.type, PacketType::Audio);
  EXPECT_FALSE(pacer_.pop(out_, probe_, now_));
  now_ = pacer_.nextDeadline();
  ASSERT_TRUE(pacer_.pop(out_, probe_, now_));
  EXPECT_EQ(out_.type, PacketType::Retransmission);
}

TEST_F(PacerTest, AnOverlongQueueIsSentFaster) {
  pacer_.setRates({DataRate::kbps(80), DataRate::zero()}, now_);
  for (int i = 0; i < 100; ++i) push(PacketType::Video);  // 10 s at the rate
  const Timestamp start = now_;
  while (pacer_.queuedBytes() > 50'000) {
    drain();
    now_ = pacer_.nextDeadline();
  }
  EXPECT_LT((now_ - start).seconds(), 2.0);
}

TEST_F(PacerTest, WithoutARateOnlyAudioLeaves) {
  pacer_.setRates({}, now_);
  push(PacketType::Video);
  push(PacketType::Audio);
  EXPECT_EQ(drain(), 1000);
  EXPECT_TRUE(pacer_.nextDeadline().isNever());
  pacer_.setRates({DataRate::kbps(800), DataRate::zero()}, now_);
  EXPECT_LE(pacer_.nextDeadline(), now_ + Duration::millis(10));
}

TEST_F(PacerTest, DebtIsKeptInBytesWhenTheRateChanges) {
  for (int i = 0; i < 3; ++i) push(PacketType::Video, 1200);
  drain();
  const Duration owed = pacer_.nextDeadline() - now_;
  pacer_.setRates({DataRate::kbps(1600), DataRate::zero()}, now_);
  EXPECT_NEAR((pacer_.nextDeadline() - now_).seconds(), owed.seconds() / 2, 1e-6);
}

TEST_F(PacerTest, AProbeGoesOutAtItsOwnRateWithMediaThenPadding) {
  pacer_.setPaddingPossible(true);
  congestion::ProbeCluster cluster;
  cluster.id = 7;
  cluster.rate = DataRate::kbps(2400);  // 300 bytes per ms, 4500 bytes in all
  pacer_.addProbe(cluster, now_);
  EXPECT_TRUE(pacer_.nextDeadline().isNever());  // nothing to probe with yet
  push(PacketType::Video);
  push(PacketType::Video);
  const Timestamp start = now_;
  int64_t media = 0;
  int64_t padding = 0;
  int packets = 0;
  for (;;) {
    if (pacer_.pop(out_, probe_, now_)) {
      EXPECT_EQ(probe_, 7);
      media += out_.size;
      ++packets;
      continue;
    }
    if (const size_t want = pacer_.paddingDue(probe_, now_)) {
      EXPECT_EQ(probe_, 7);
      pacer_.onPaddingSent(want, probe_, now_);
      padding += static_cast<int64_t>(want);
      ++packets;
      continue;
    }
    if (pacer_.nextDeadline().isNever()) break;
    ASSERT_GT(pacer_.nextDeadline(), now_);
    now_ = pacer_.nextDeadline();
  }
  EXPECT_EQ(media, 2000);
  EXPECT_GE(media + padding, 4500);
  EXPECT_LE(media + padding, 5500);
  EXPECT_GE(packets, 5);
  EXPECT_NEAR((now_ - start).seconds(), 0.015, 0.004);
}

TEST_F(PacerTest, AProbeWithoutMediaExpires) {
  congestion::ProbeCluster cluster;
  cluster.id = 1;
  cluster.rate = DataRate::kbps(2400);
  pacer_.addProbe(cluster, now_);
  now_ += Duration::seconds(6);
  push(PacketType::Video);
  ASSERT_TRUE(pacer_.pop(out_, probe_, now_));
  EXPECT_EQ(probe_, -1);
}

TEST_F(PacerTest, AProbeWithoutPaddingDoesNotSpin) {
  congestion::ProbeCluster cluster;
  cluster.id = 1;
  cluster.rate = DataRate::kbps(2400);
  pacer_.addProbe(cluster, now_);
  push(PacketType::Video);
  ASSERT_TRUE(pacer_.pop(out_, probe_, now_));
  EXPECT_FALSE(pacer_.pop(out_, probe_, now_));
  EXPECT_EQ(pacer_.paddingDue(probe_, now_), 0u);
  EXPECT_TRUE(pacer_.nextDeadline().isNever());
}

TEST_F(PacerTest, AProbeInAFullWindowKeepsItsPace) {
  pacer_.setRates({DataRate::kbps(80'000), DataRate::zero()}, now_);
  congestion::ProbeCluster cluster;
  cluster.id = 1;
  cluster.rate = DataRate::kbps(40);  // below what leaves despite the window
  pacer_.addProbe(cluster, now_);
  for (int i = 0; i < 3; ++i) push(PacketType::Video);
  pacer_.setWindow(500);
  ASSERT_TRUE(pacer_.pop(out_, probe_, now_));
  EXPECT_EQ(probe_, 1);
  EXPECT_EQ(drain(), 0);
  pacer_.setInFlight(1000);
  for (int left = 2; left > 0; --left) {
    ASSERT_GT(pacer_.nextDeadline(), now_);
    now_ = pacer_.nextDeadline();
    EXPECT_EQ(drain(), 1000) << "nobody is woken in vain";
  }
}

TEST_F(PacerTest, PaddingFillsUpToItsRateWhenNothingElseIsSent) {
  pacer_.setRates({DataRate::kbps(800), DataRate::kbps(80)}, now_);
  pacer_.setPaddingPossible(true);
  push(PacketType::Video);
  drain();
  int64_t padding = 0;
  const Timestamp end = now_ + Duration::seconds(1);
  while (now_ < end) {
    while (const size_t want = pacer_.paddingDue(probe_, now_)) {
      pacer_.onPaddingSent(want, probe_, now_);
      padding += static_cast<int64_t>(want);
    }
    ASSERT_GT(pacer_.nextDeadline(), now_);
    now_ = pacer_.nextDeadline();
  }
  EXPECT_NEAR(static_cast<double>(padding), 9000, 300);
}

TEST_F(PacerTest, AFullQueueRefusesAndARemovedStreamLeavesNothing) {
  for (int i = 0; i < 100; ++i) push(PacketType::Video, 10, i, static_cast<uint32_t>(i % 2));
  EXPECT_EQ(pacer_.room(PacketType::Video), 0u);
  PacedPacket more;
  EXPECT_FALSE(pacer_.push(std::move(more)));
  pacer_.removeStream(0);
  EXPECT_EQ(pacer_.queuedBytes(), 500);
  int64_t last = -1;
  now_ += Duration::seconds(10);
  while (pacer_.queuedBytes() > 0) {
    while (pacer_.pop(out_, probe_, now_)) {
      EXPECT_EQ(out_.stream, 1u);
      EXPECT_GT(out_.sequence, last);
      last = out_.sequence;
    }
    now_ += Duration::seconds(1);
  }
}

}  // namespace
}  // namespace parley::media
