// REMB: a sender that has no other word of what arrives.

#include <gtest/gtest.h>

#include "parley/rtp/rtcp/all.h"

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

namespace rtcp = rtp::rtcp;

struct Reports {
  int count = 0;
  std::vector<uint32_t> ssrcs;
  std::vector<DataRate> rates;
  std::vector<Timestamp> times;

  void note(const OutgoingPacket& packet, Timestamp now) {
    if (!packet.isRtcp) return;
    rtcp::CompoundReader reader(packet.data.span());
    rtcp::Block block;
    while (reader.next(block)) {
      const auto remb = rtcp::Remb::parse(block);
      if (!remb) continue;
      ++count;
      ssrcs.assign(remb->ssrcs.begin(), remb->ssrcs.end());
      rates.push_back(remb->bitrate);
      times.push_back(now);
    }
  }
};

SessionPair::Options byRateReports() {
  SessionPair::Options options;
  options.transportFeedback = false;
  options.rateReports = true;
  return options;
}

void watch(SessionPair& pair, Reports& reports) {
  pair.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (!fromA) reports.note(p, pair.now());
    return true;
  };
}

/// How packets tell when they left.
enum class Told { BySendTime, ByOffset, ByTimestampsAlone };

class RateReports : public testing::TestWithParam<Told> {};

TEST_P(RateReports, ASenderFollowsThemOverOneMegabit) {
  SessionPair::Options options = byRateReports();
  options.sendTimes = GetParam() == Told::BySendTime;
  options.sendOffsets = GetParam() == Told::ByOffset;
  SessionPair pair(options);
  Reports reports;
  watch(pair, reports);
  pair.link.rate = DataRate::kbps(1000);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(10));
  const uint64_t lostBefore =
      static_cast<uint64_t>(std::max<int64_t>(pair.received().packetsLost, 0));
  pair.run(Duration::seconds(20));
  EXPECT_GT(pair.bytesToB, 1'000'000 / 8 * 20 * 0.7);
  EXPECT_LT(pair.received().packetsLost - static_cast<int64_t>(lostBefore), 40);
  EXPECT_GT(pair.decodedInRun, 550);
  EXPECT_EQ(reports.ssrcs, std::vector<uint32_t>{pair.a->sendStream(pair.video)->ssrc});
  EXPECT_GE(reports.count, 25);
  EXPECT_LT(reports.count, 150);
  EXPECT_NEAR(pair.a->bandwidth().estimator.remote.kbps(), reports.rates.back().kbps(), 1);
}

INSTANTIATE_TEST_SUITE_P(Departures, RateReports,
                         testing::Values(Told::BySendTime, Told::ByOffset,
                                         Told::ByTimestampsAlone));

TEST(RateReport, OnceASecondAndAtOnceWhenItFalls) {
  SessionPair pair(byRateReports());
  Reports reports;
  watch(pair, reports);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(10));
  EXPECT_NEAR(reports.count, 10, 1);
  pair.link.rate = DataRate::kbps(400);
  reports = {};
  pair.run(Duration::seconds(5));
  ASSERT_GE(reports.rates.size(), 2u);
  for (size_t i = 1; i < reports.rates.size(); ++i) {
    const bool fell = reports.rates[i] < reports.rates[i - 1] * 0.98;
    EXPECT_TRUE(fell || reports.times[i] - reports.times[i - 1] >= Duration::millis(990));
  }
  EXPECT_LT(*std::min_element(reports.rates.begin(), reports.rates.end()), DataRate::kbps(420));
}

TEST(RateReport, NoneWhereItWasNotAgreedOrArrivalsAreReported) {
  for (const bool arrivals : {false, true}) {
    SessionPair::Options options;
    options.transportFeedback = arrivals;
    SessionPair pair(options);
    Reports reports;
    watch(pair, reports);
    pair.addVideo();
    pair.connect();
    pair.run(Duration::seconds(3));
    EXPECT_EQ(reports.count, 0);
    EXPECT_TRUE(pair.a->bandwidth().estimator.remote.isInfinite());
  }
}

TEST(RateReport, NoneWhileNothingComes) {
  SessionPair pair(byRateReports());
  Reports reports;
  watch(pair, reports);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(3));
  pair.sending = false;
  pair.run(Duration::seconds(1));
  reports = {};
  pair.run(Duration::seconds(20));
  EXPECT_EQ(reports.count, 0);
  pair.sending = true;
  pair.run(Duration::seconds(3));
  EXPECT_GT(reports.count, 0);
}

}  // namespace
}  // namespace parley::media
