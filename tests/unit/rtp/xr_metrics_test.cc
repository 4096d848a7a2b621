#include "parley/rtp/rtcp/xr_metrics.h"

#include <gtest/gtest.h>

#include "parley/rtp/rtcp/extended_report.h"

#include "support/hex.h"

namespace parley::rtp::rtcp {
namespace {

using parley::test::fromHex;

constexpr const char* kSummary =
    "11223344"
    "000a0014"
    "00000003"
    "00000001"
    "00000002"
    "00000009"
    "00000004"
    "00000001"
    "30403802";
constexpr const char* kMetrics =
    "11223344"
    "40200080"
    "03e80bb8"
    "00640032"
    "f6ba2810"
    "5c7f2b7f"
    "a5000028"
    "005000c8";

TEST(StatisticsSummary, TellsWhatItsFlagsSay) {
  const auto all = StatisticsSummary::parse(0xe8, fromHex(kSummary));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->ssrc, 0x11223344u);
  EXPECT_EQ(all->beginSequence, 10);
  EXPECT_EQ(all->endSequence, 20);
  EXPECT_EQ(all->lostPackets, 3u);
  EXPECT_EQ(all->duplicatePackets, 1u);
  EXPECT_EQ(all->jitter, (StatisticsSummary::Jitter{2, 9, 4, 1}));
  EXPECT_EQ(all->hopLimits, (StatisticsSummary::HopLimits{false, 48, 64, 56, 2}));
  const auto none = StatisticsSummary::parse(0, fromHex(kSummary));
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->lostPackets || none->duplicatePackets || none->jitter || none->hopLimits);
  EXPECT_TRUE(StatisticsSummary::parse(0x10, fromHex(kSummary))->hopLimits->ipv6);
  EXPECT_FALSE(StatisticsSummary::parse(0x18, fromHex(kSummary))) << "reserved";
  EXPECT_FALSE(StatisticsSummary::parse(0xe8, fromHex("11223344")));
}

TEST(VoipMetrics, ReadsScoresAndWhatIsUnavailable) {
  const auto m = VoipMetrics::parse(fromHex(kMetrics));
  ASSERT_TRUE(m);
  EXPECT_EQ(m->ssrc, 0x11223344u);
  EXPECT_DOUBLE_EQ(m->lossRate, 0.25);
  EXPECT_DOUBLE_EQ(m->discardRate, 0.125);
  EXPECT_DOUBLE_EQ(m->gapDensity, 0.5);
  EXPECT_EQ(m->burstDuration, 1000);
  EXPECT_EQ(m->roundTripDelay, 100);
  EXPECT_EQ(m->signalLevel, -10);
  EXPECT_EQ(m->noiseLevel, -70);
  EXPECT_EQ(m->echoLoss, 40);
  EXPECT_EQ(m->rFactor, 92);
  EXPECT_FALSE(m->externalRFactor);
  EXPECT_DOUBLE_EQ(*m->mosListening, 4.3);
  EXPECT_FALSE(m->mosConversational);
  EXPECT_EQ(m->nominalBufferDelay, 40);
  EXPECT_EQ(m->absoluteMaximumBufferDelay, 200);
  EXPECT_FALSE(VoipMetrics::parse(fromHex("1122334455")));
}

TEST(ExtendedReport, FindsBothAmongOtherBlocks) {
  Bytes packet = fromHex("80cf0000aabbccdd");
  const auto add = [&](const char* header, const char* body) {
    for (const char* part : {header, body}) {
      const Bytes bytes = fromHex(part);
      packet.insert(packet.end(), bytes.begin(), bytes.end());
    }
  };
  add("01000001", "11223344");  // loss RLE, cut short
  add("06e80009", kSummary);
  add("07000008", kMetrics);
  storeU16(&packet[2], static_cast<uint16_t>(packet.size() / 4 - 1));
  Block block;
  block.type = kExtendedReport;
  block.body = ByteSpan(packet).subspan(4);
  const auto report = ExtendedReport::parse(block);
  ASSERT_TRUE(report);
  ASSERT_TRUE(report->summary && report->voip);
  EXPECT_EQ(report->summary->lostPackets, 3u);
  EXPECT_EQ(report->voip->rFactor, 92);
}

}  // namespace
}  // namespace parley::rtp::rtcp
