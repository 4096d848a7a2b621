#include "parley/congestion/arrival_estimator.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "parley/base/random.h"

namespace parley::congestion {
namespace {

/// A sender that obeys what it is told once a second, and at once when it falls, over a link with a
/// queue.
class Path {
 public:
  enum class Times : uint8_t { AbsSendTime, Offset, RtpTimestamp };
  explicit Path(Times times) : times_(times) {}

  DataRate link = DataRate::kbps(1000);
  Duration delay = Duration::millis(25);
  DataRate sending = DataRate::kbps(300);
  DataRate most = DataRate::infinite();
  // Since the last run().
  int64_t delivered = 0;
  Duration longestQueue;
  int told = 0;

  void run(Duration duration) {
    const Timestamp end = now_ + duration;
    delivered = 0;
    longestQueue = Duration::zero();
    told = 0;
    for (; now_ < end; now_ += Duration::millis(1)) {
      if (frameAt_ <= now_) {
        frameAt_ += Duration::micros(33'333);
        timestamp_ += 3000;
        waiting_ += std::min(sending, most).bytesIn(Duration::micros(33'333));
        frameSent_ = now_;
      }
      // Two and a half times as fast as it is made.
      const DataRate pace = std::min(sending, most) * 2.5;
      budget_ = std::min(budget_ + static_cast<double>(pace.bps()) / 8000, 3000.0);
      while (waiting_ > 0 && budget_ >= 0) {
        const int64_t size = std::min<int64_t>(waiting_, 1200);
        waiting_ -= size;
        budget_ -= static_cast<double>(size);
        send(size);
      }
    }
  }
  DataRate throughput(Duration of) const {
    return DataRate::bps(static_cast<int64_t>(static_cast<double>(delivered) * 8 / of.seconds()));
  }
  std::optional<DataRate> rate() const { return estimator_.rate(); }

 private:
  void send(int64_t size) {
    const Duration queue = std::max(free_ - now_, Duration::zero());
    longestQueue = std::max(longestQueue, queue);
    if (queue > Duration::millis(300)) return;
    free_ = std::max(free_, now_) + link.timeFor(size);
    ArrivedPacket packet;
    packet.arrival = free_ + delay;
    packet.size = static_cast<uint32_t>(size);
    packet.ssrc = 7;
    packet.rtpTimestamp = timestamp_;
    if (times_ == Times::AbsSendTime) {
      const int64_t ticks = now_.nanos() / 1000 * (1 << 18) / 1'000'000;
      packet.absSendTime = static_cast<uint32_t>(ticks) & 0xffffff;
    } else if (times_ == Times::Offset) {
      packet.transmissionOffset = static_cast<int32_t>((now_ - frameSent_).seconds() * 90'000);
    }
    delivered += size;
    estimator_.onPacket(packet);
    const auto rate = estimator_.rate();
    if (!rate) return;
    if (toldAt_ && packet.arrival - *toldAt_ < Duration::seconds(1) && *rate >= told_ * 0.97)
      return;
    toldAt_ = packet.arrival;
    told_ = *rate;
    sending = *rate;
    ++told;
  }

  Times times_;
  ArrivalEstimator estimator_;
  Timestamp now_ = Timestamp::seconds(62);  // shortly before the send time wraps
  Timestamp frameAt_ = now_;
  Timestamp frameSent_;
  Timestamp free_;
  uint32_t timestamp_ = 0xffff'0000;
  int64_t waiting_ = 0;
  double budget_ = 0;
  std::optional<Timestamp> toldAt_;
  DataRate told_;
};

class ArrivalEstimates : public testing::TestWithParam<Path::Times> {};

TEST_P(ArrivalEstimates, ANarrowPathIsFilledAndNotFlooded) {
  Path path(GetParam());
  path.run(Duration::seconds(8));
  const Duration measured = Duration::seconds(30);
  path.run(measured);
  EXPECT_GT(path.throughput(measured), DataRate::kbps(750));
  EXPECT_LT(path.longestQueue, Duration::millis(250));
  EXPECT_LT(path.told, 30 * 4) << "that is no flood of reports";
}

TEST_P(ArrivalEstimates, AHalvedPathIsNoticed) {
  Path path(GetParam());
  path.run(Duration::seconds(15));
  path.link = DataRate::kbps(500);
  path.run(Duration::seconds(4));
  path.run(Duration::seconds(15));
  EXPECT_GT(path.throughput(Duration::seconds(15)), DataRate::kbps(330));
  EXPECT_LT(path.longestQueue, Duration::millis(280));
}

TEST_P(ArrivalEstimates, WhatIsNotUsedIsNotPromised) {
  Path path(GetParam());
  path.most = DataRate::kbps(200);
  path.run(Duration::seconds(20));
  ASSERT_TRUE(path.rate());
  EXPECT_GT(*path.rate(), DataRate::kbps(200));
  EXPECT_LT(*path.rate(), DataRate::kbps(700));
}

INSTANTIATE_TEST_SUITE_P(Times, ArrivalEstimates,
                         testing::Values(Path::Times::AbsSendTime, Path::Times::Offset,
                                         Path::Times::RtpTimestamp));

TEST(ArrivalEstimator, KnowsNothingBeforeHalfASecond) {
  ArrivalEstimator estimator;
  EXPECT_FALSE(estimator.rate());
  ArrivedPacket packet;
  packet.arrival = Timestamp::seconds(5);
  packet.size = 1000;
  packet.absSendTime = 5;
  estimator.onPacket(packet);
  EXPECT_FALSE(estimator.rate());
}

TEST(ArrivalEstimator, AfterAPauseItBeginsAnew) {
  Path path(Path::Times::AbsSendTime);
  ArrivalEstimator estimator;
  ArrivedPacket packet;
  packet.arrival = Timestamp::seconds(5);
  packet.size = 1000;
  for (int i = 0; i < 200; ++i) {
    packet.arrival += Duration::millis(10);
    packet.absSendTime = static_cast<uint32_t>(packet.arrival.nanos() / 1'000'000 * 262) & 0xffffff;
    estimator.onPacket(packet);
  }
  EXPECT_TRUE(estimator.rate());
  packet.arrival += Duration::seconds(3);
  estimator.onPacket(packet);
  EXPECT_FALSE(estimator.rate());
}

TEST(ArrivalEstimator, RtpTimestampsThatRunAwayEndSomewhere) {
  ArrivalEstimator estimator;
  ArrivedPacket packet;
  packet.arrival = Timestamp::seconds(1);
  packet.size = 1000;
  packet.clockRate = 8000;
  packet.rtpTimestamp = 0;
  for (int i = 0; i < 50'000; ++i) {
    packet.arrival += Duration::millis(1);
    *packet.rtpTimestamp += 0x7fffffff;
    estimator.onPacket(packet);
  }
  ASSERT_TRUE(estimator.rate());
  EXPECT_GE(*estimator.rate(), DataRate::kbps(30));
}

TEST(ArrivalEstimator, NonsenseStaysWithinItsBounds) {
  SeededRandom random(3);
  ArrivalEstimator estimator;
  ArrivedPacket packet;
  packet.arrival = Timestamp::seconds(1);
  for (int i = 0; i < 20'000; ++i) {
    packet.arrival += Duration::micros(static_cast<int64_t>(random.below(5000)));
    packet.size = static_cast<uint32_t>(random.below(1500));
    packet.ssrc = random.u32();
    packet.absSendTime.reset();
    packet.rtpTimestamp.reset();
    packet.transmissionOffset.reset();
    if (random.below(3) == 0) packet.absSendTime = random.u32() & 0xffffff;
    if (random.below(2) == 0) packet.rtpTimestamp = random.u32();
    if (random.below(4) == 0) packet.transmissionOffset = static_cast<int32_t>(random.u32()) >> 8;
    packet.clockRate = random.below(4) == 0 ? 0 : random.u32();
    estimator.onPacket(packet);
    if (random.below(1000) == 0) estimator.setRtt(Duration::seconds(1'000'000));
    if (const auto rate = estimator.rate()) {
      EXPECT_GE(*rate, DataRate::kbps(30));
      EXPECT_LE(*rate, DataRate::kbps(100'000'000));
    }
  }
}

}  // namespace
}  // namespace parley::congestion
