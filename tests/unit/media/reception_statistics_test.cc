#include "media/reception_statistics.h"

#include <gtest/gtest.h>

namespace parley::media {
namespace {

Timestamp ms(int64_t t) {
  return Timestamp::millis(t);
}

TEST(ReceptionStatistics, FractionIsOfTheIntervalAndLossIsCumulative) {
  ReceptionStatistics s;
  for (int64_t i = 0; i < 100; ++i) {
    if (i % 4 != 3) s.handlePacket(i, static_cast<uint32_t>(i) * 960, 48'000, ms(20 * i));
  }
  s.handlePacket(100, 100 * 960, 48'000, ms(2000));
  auto block = s.makeReport(7, ms(2000));
  EXPECT_EQ(block.ssrc, 7u);
  EXPECT_EQ(block.cumulativeLost, 25);
  EXPECT_EQ(block.fractionLost, 25 * 256 / 101);
  EXPECT_EQ(block.extendedHighestSequence, 100u);
  s.handlePacket(101, 101 * 960, 48'000, ms(2020));
  block = s.makeReport(7, ms(3000));
  EXPECT_EQ(block.fractionLost, 0);
  EXPECT_EQ(block.cumulativeLost, 25);
  EXPECT_EQ(s.packetsLost(), 25);
}

TEST(ReceptionStatistics, DuplicatesMakeTheLossNegativeButNotTheFraction) {
  ReceptionStatistics s;
  for (int i = 0; i < 3; ++i) s.handlePacket(5, 100, 8000, ms(i));
  const auto block = s.makeReport(1, ms(10));
  EXPECT_EQ(block.cumulativeLost, -2);
  EXPECT_EQ(block.fractionLost, 0);
}

TEST(ReceptionStatistics, ARestartKeepsTheTotals) {
  ReceptionStatistics s;
  for (const int64_t i : {1000, 1002, 1005}) s.handlePacket(i, 0, 8000, ms(i));
  s.handleSenderReport({}, ms(2000));
  s.restart();
  EXPECT_EQ(s.packetsLost(), 3);
  EXPECT_EQ(s.reportsReceived(), 1u);
  EXPECT_FALSE(s.lastSenderReport()) << "its clock may be another one";
  for (const int64_t i : {1, 3}) s.handlePacket(i, 0, 8000, ms(3000 + i));
  EXPECT_EQ(s.packetsLost(), 4);
  EXPECT_EQ(s.makeReport(1, ms(3010)).cumulativeLost, 1);
}

TEST(ReceptionStatistics, AStrayPacketFromBeforeTheFirstIsNoLoss) {
  ReceptionStatistics s;
  for (int64_t i = 0; i < 10; ++i) s.handlePacket(40'000 + i, 0, 8000, ms(i));
  s.handlePacket(40'000 - 20'000, 0, 8000, ms(20));
  EXPECT_EQ(s.packetsLost(), 0);
  s.handlePacket(39'998, 0, 8000, ms(21));
  EXPECT_EQ(s.packetsLost(), 1) << "reordered at the start";
  EXPECT_EQ(s.makeReport(1, ms(30)).cumulativeLost, 1);
}

TEST(ReceptionStatistics, ExtendedSequenceCountsWraps) {
  ReceptionStatistics s;
  s.handlePacket(65'535, 0, 8000, ms(0));
  s.handlePacket(65'536, 160, 8000, ms(20));
  EXPECT_EQ(s.makeReport(1, ms(20)).extendedHighestSequence, 0x10000u);
}

TEST(ReceptionStatistics, JitterFollowsTheFormula) {
  ReceptionStatistics s;
  // Packets 20 ms apart by timestamp, arriving alternately 10 ms early and late: |D| = 20 ms = 160.
  double expected = 0;
  for (int64_t i = 0; i < 50; ++i) {
    s.handlePacket(i, static_cast<uint32_t>(i) * 160, 8000, ms(1000 + 20 * i + (i % 2 ? 10 : -10)));
    if (i > 0) expected += (160 - expected) / 16;
  }
  EXPECT_NEAR(s.jitterSeconds() * 8000, expected, 0.01);
  EXPECT_EQ(s.makeReport(1, ms(3000)).jitter, static_cast<uint32_t>(expected));
}

TEST(ReceptionStatistics, JitterIgnoresTimestampJumpsAndClockChanges) {
  ReceptionStatistics s;
  s.handlePacket(0, 0, 8000, ms(0));
  s.handlePacket(1, 0x7fffffff, 8000, ms(20));
  EXPECT_EQ(s.jitterSeconds(), 0);
  s.handlePacket(2, 5, 48'000, ms(40));
  EXPECT_EQ(s.jitterSeconds(), 0);
}

TEST(ReceptionStatistics, ReportsAnswerTheLastSenderReport) {
  ReceptionStatistics s;
  EXPECT_EQ(s.makeReport(1, ms(0)).lastSr, 0u);
  s.handlePacket(0, 48'000, 48'000, ms(0));
  rtp::rtcp::SenderReport sr;
  sr.ntp.value = 0xe8fe6f8080000000;  // RFC 3550's compact form of it: 6f808000
  sr.rtpTimestamp = 48'000;
  s.handleSenderReport(sr, ms(1000));
  const auto block = s.makeReport(1, ms(1000) + Duration::millis(5250));
  EXPECT_EQ(block.lastSr, 0x6f808000u);
  EXPECT_EQ(block.delaySinceLastSr, 344'064u) << "RFC 3550 figure 2: 5.25 s";
  EXPECT_EQ(s.ntpOf(48'000 + 24'000)->value, sr.ntp.value + 0x80000000u);
  EXPECT_EQ(s.ntpOf(24'000)->value, sr.ntp.value - 0x80000000u);
}

}  // namespace
}  // namespace parley::media
