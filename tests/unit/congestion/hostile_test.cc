// What a peer may claim about rates, times and arrivals, and what it cannot achieve by it.

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/congestion/gcc.h"
#include "parley/congestion/scream.h"

namespace parley::congestion {
namespace {

constexpr DataRate kMin = DataRate::kbps(50);
constexpr DataRate kMax = DataRate::kbps(2000);

struct Kind {
  const char* name;
  std::unique_ptr<Controller> (*make)(const RateConstraints&);
};

class HostilePeer : public testing::TestWithParam<Kind> {
 protected:
  HostilePeer() : controller_(GetParam().make(limits())) {
    take(controller_->onNetworkAvailability({now_, true}));
  }
  static RateConstraints limits() {
    RateConstraints c;
    c.min = kMin;
    c.max = kMax;
    c.start = DataRate::kbps(300);
    return c;
  }
  void take(const ControlUpdate& update) {
    if (update.target) target_ = update.target->target;
    if (update.pacer) pacing_ = update.pacer->pacing;
    EXPECT_GE(target_, kMin);
    EXPECT_LE(target_, kMax);
    EXPECT_LE(pacing_, kMax * 10);
    for (const ProbeCluster& p : update.probes()) EXPECT_LE(p.rate, kMax);
  }
  /// Sends for a second and hears of it what `arrival` says.
  template <class Arrival>
  void second(Arrival&& arrival) {
    std::vector<PacketResult> results;
    for (int i = 0; i < 100; ++i) {
      now_ += Duration::millis(10);
      SentPacket sent;
      sent.sequence = sequence_++;
      sent.sendTime = now_ - Duration::millis(60);
      sent.size = 1200;
      sent.bytesInFlight = 20'000;
      take(controller_->onSentPacket(sent));
      results.push_back({sent, Timestamp::never(), false});
      if (results.size() < 5) continue;
      for (PacketResult& r : results) arrival(r);
      take(controller_->onTransportFeedback({now_, results, 10'000}));
      if (controller_->nextDeadline() <= now_) take(controller_->onProcess({now_, 0}));
      EXPECT_GT(controller_->nextDeadline(), now_);
      results.clear();
    }
  }

  Timestamp now_ = Timestamp::seconds(100);
  std::unique_ptr<Controller> controller_;
  int64_t sequence_ = 0;
  DataRate target_ = DataRate::kbps(300);
  DataRate pacing_;
};

// Bad-input rule: REMB carries 18 bits and an exponent of up to 63.
TEST_P(HostilePeer, ReportedRatesBeyondAllBoundsAreClamped) {
  for (const Duration rtt : {Duration::zero(), Duration::seconds(60), Duration::seconds(70'000)}) {
    take(controller_->onRoundTripTime({now_, rtt}));
    for (const DataRate rate : {DataRate::zero(), DataRate::bps(1), DataRate::bps(int64_t{1} << 62),
                                DataRate::infinite(), DataRate::bps(-1)}) {
      now_ += Duration::millis(100);
      take(controller_->onRemoteBitrate({now_, rate}));
      take(controller_->onProcess({now_, 0}));
    }
  }
  take(controller_->onRemoteBitrate({now_, DataRate::infinite()}));
  EXPECT_LE(target_, kMax);
}

TEST_P(HostilePeer, NoLimitIsALimitToo) {
  RateConstraints none;
  none.min = DataRate::zero();
  none.max = DataRate::infinite();
  none.start = DataRate::infinite();
  const auto controller = GetParam().make(none);
  StreamsConfig streams;
  streams.maxTotal = streams.maxPadding = DataRate::infinite();
  (void)controller->onStreamsConfig(streams);
  const ControlUpdate update = controller->onNetworkAvailability({now_, true});
  ASSERT_TRUE(update.target);
  EXPECT_GT(update.target->target, DataRate::zero());
  EXPECT_FALSE(update.target->target.isInfinite());
}

TEST_P(HostilePeer, AReceiverThatClaimsEverythingCameAtOnceGetsTheMaximumAndNoMore) {
  for (int i = 0; i < 20; ++i) second([&](PacketResult& r) { r.receiveTime = r.sent.sendTime; });
  for (int i = 0; i < 5; ++i)
    second([&](PacketResult& r) { r.receiveTime = Timestamp::seconds(1); });
}

TEST_P(HostilePeer, ReceiveTimesThatRunBackwardsOrJumpLeaveTheRateInItsBounds) {
  for (int i = 0; i < 5; ++i) {
    second([&](PacketResult& r) {
      r.receiveTime = Timestamp::seconds(1'000'000) - Duration::seconds(r.sent.sequence);
    });
  }
  for (int i = 0; i < 5; ++i) {
    second([&](PacketResult& r) {
      r.receiveTime = Timestamp::seconds(r.sent.sequence % 2 == 0 ? 1 : 16'000'000);
    });
  }
}

TEST_P(HostilePeer, TotalLossAndMarksOnEverythingEndAtTheMinimumAndItRecovers) {
  for (int i = 0; i < 10; ++i) second([](PacketResult&) {});
  for (int i = 0; i < 20; ++i) {
    second([&](PacketResult& r) {
      r.receiveTime = r.sent.sendTime + Duration::millis(30);
      r.ecnCe = true;
    });
  }
  const DataRate low = target_;
  for (int i = 0; i < 30; ++i)
    second([&](PacketResult& r) { r.receiveTime = r.sent.sendTime + Duration::millis(30); });
  EXPECT_GT(target_, low);
}

TEST_P(HostilePeer, LossReportsOfAnySizeAreOnlyAShare) {
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  for (int i = 0; i < 50; ++i) {
    now_ += Duration::seconds(1);
    take(controller_->onLossReport({now_, i % 2 == 0 ? kMost : 0, i % 3 == 0 ? kMost : 0}));
  }
}

INSTANTIATE_TEST_SUITE_P(Controllers, HostilePeer,
                         testing::Values(Kind{"Gcc", &createGcc}, Kind{"Scream", &createScream}),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace parley::congestion
