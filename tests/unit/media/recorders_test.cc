#include <set>

#include <gtest/gtest.h>

#include "parley/base/random.h"

#include "media/ccfb_recorder.h"
#include "media/twcc_recorder.h"

namespace parley::media {
namespace {

Timestamp ms(int64_t t) {
  return Timestamp::millis(t);
}

std::vector<rtp::rtcp::TransportFeedback> drain(TwccRecorder& recorder, Timestamp now,
                                                size_t maxBytes = 1200) {
  std::vector<rtp::rtcp::TransportFeedback> out;
  for (;;) {
    uint8_t buffer[1500];
    ByteWriter w(buffer);
    if (recorder.write(w, 1, 2, maxBytes, now) == 0) return out;
    rtp::rtcp::CompoundReader reader(w.written());
    rtp::rtcp::Block block;
    EXPECT_TRUE(reader.next(block));
    out.emplace_back();
    EXPECT_TRUE(rtp::rtcp::TransportFeedback::parse(block, out.back()));
  }
}

TEST(TwccRecorder, ReportsWithinAHundredMillisecondsAndCountsReports) {
  TwccRecorder recorder;
  EXPECT_EQ(recorder.nextDeadline(), Timestamp::never());
  for (int i = 0; i < 3; ++i) recorder.handlePacket(static_cast<uint16_t>(i), 10, ms(i));
  EXPECT_TRUE(drain(recorder, ms(20)).empty());
  EXPECT_LE(recorder.nextDeadline(), ms(100)) << "the first report is early";
  auto reports = drain(recorder, ms(100));
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].feedbackCount, 0);
  EXPECT_EQ(reports[0].received.size(), 3u);
  EXPECT_EQ(recorder.nextDeadline(), Timestamp::never());
  recorder.handlePacket(3, 10, ms(150));
  reports = drain(recorder, ms(650));
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].feedbackCount, 1);
}

TEST(TwccRecorder, AHigherRateIsReportedSooner) {
  TwccRecorder slow;
  slow.handlePacket(0, 50, ms(0));
  drain(slow, ms(500));
  slow.handlePacket(1, 50, ms(1000));
  EXPECT_EQ(slow.nextDeadline(), ms(1500));
  TwccRecorder fast;
  for (int i = 0; i < 40; ++i) fast.handlePacket(static_cast<uint16_t>(i), 1200, ms(i));
  EXPECT_EQ(fast.nextDeadline(), ms(50));
}

TEST(TwccRecorder, EveryPacketIsReportedOnceThroughLossReorderingAndWrap) {
  SeededRandom random(3);
  TwccRecorder recorder;
  std::set<uint16_t> sent;
  std::multiset<uint16_t> reported;
  uint16_t next = 65'000;
  Timestamp now = ms(0);
  std::vector<uint16_t> late;
  for (int i = 0; i < 3000; ++i) {
    const uint16_t s = next++;
    now += Duration::millis(2);
    if (random.below(20) == 0) {
      late.push_back(s);
    } else if (random.below(20) != 0) {
      recorder.handlePacket(s, 100, now);
      sent.insert(s);
    }
    if (!late.empty() && random.below(10) == 0) {
      recorder.handlePacket(late.back(), 100, now);
      sent.insert(late.back());
      late.pop_back();
    }
    if (recorder.isDue(now)) {
      for (const auto& r : drain(recorder, now)) {
        std::set<uint16_t> here;
        for (const auto& p : r.received) {
          reported.insert(p.sequence);
          here.insert(p.sequence);
        }
        for (uint32_t k = 0; k < r.statusCount; ++k) {
          const uint16_t n = static_cast<uint16_t>(r.baseSequence + k);
          EXPECT_TRUE(here.count(n) || !reported.count(n)) << "taken back: " << n;
        }
      }
    }
  }
  for (const auto& r : drain(recorder, now + Duration::millis(100))) {
    for (const auto& p : r.received) reported.insert(p.sequence);
  }
  EXPECT_EQ(reported.size(), sent.size());
  for (uint16_t s : sent) EXPECT_EQ(reported.count(s), 1u);
}

TEST(TwccRecorder, AWildJumpStartsAnew) {
  TwccRecorder recorder;
  recorder.handlePacket(1, 100, ms(0));
  drain(recorder, ms(100));
  recorder.handlePacket(32'000, 100, ms(110));
  recorder.handlePacket(64'000, 100, ms(111));
  size_t received = 0;
  for (const auto& r : drain(recorder, ms(700))) received += r.received.size();
  EXPECT_EQ(received, 2u);
}

TEST(TwccRecorder, NumbersThatJumpAboutMakeFewReports) {
  TwccRecorder recorder;
  size_t reports = 0;
  size_t statuses = 0;
  Timestamp now = ms(0);
  uint16_t number = 0;
  for (int i = 0; i < 4000; ++i) {
    recorder.handlePacket(number, 21, now);
    number = static_cast<uint16_t>(number + 32'767);
    now += Duration::micros(250);
    if (recorder.isDue(now)) {
      for (const auto& r : drain(recorder, now)) {
        ++reports;
        statuses += r.statusCount;
      }
      EXPECT_FALSE(recorder.isDue(now));
    }
  }
  EXPECT_GT(reports, 5u);
  EXPECT_LE(reports, 20u * 16) << "twenty rounds in a second";
  EXPECT_LE(statuses, 1000u) << "what lies between was never sent";
  // Ordinary numbers are reported as ever.
  now += Duration::seconds(1);
  drain(recorder, now);
  for (int i = 0; i < 100; ++i) recorder.handlePacket(number++, 1000, now);
  size_t received = 0;
  for (const auto& r : drain(recorder, now + Duration::millis(500))) received += r.received.size();
  EXPECT_EQ(received, 100u);
}

TEST(TwccRecorder, StaysBoundedWithoutBeingPolled) {
  TwccRecorder recorder;
  for (int i = 0; i < 20'000; ++i) recorder.handlePacket(static_cast<uint16_t>(i), 100, ms(i / 10));
  size_t received = 0;
  for (const auto& r : drain(recorder, ms(2100))) received += r.received.size();
  EXPECT_LE(received, 4096u);
  EXPECT_GT(received, 3000u);
}

std::vector<rtp::rtcp::CongestionFeedback> drain(CcfbRecorder& recorder, Timestamp now,
                                                 size_t maxBytes = 1200) {
  std::vector<rtp::rtcp::CongestionFeedback> out;
  for (;;) {
    uint8_t buffer[1500];
    ByteWriter w(buffer);
    if (recorder.write(w, 1, maxBytes, NtpTime{uint64_t{77} << 32}, now) == 0) return out;
    EXPECT_LE(w.size(), maxBytes);
    rtp::rtcp::CompoundReader reader(w.written());
    rtp::rtcp::Block block;
    EXPECT_TRUE(reader.next(block));
    out.emplace_back();
    EXPECT_TRUE(rtp::rtcp::CongestionFeedback::parse(block, out.back()));
  }
}

TEST(CcfbRecorder, ReportsGapsEcnAndAges) {
  CcfbRecorder recorder(4);
  recorder.handlePacket(10, 65'534, 100, Ecn::Ect1, ms(0));
  recorder.handlePacket(10, 0, 100, Ecn::Ect1, ms(10));
  recorder.handlePacket(10, 0, 100, Ecn::Ce, ms(11));
  recorder.handlePacket(20, 5, 100, Ecn::NotEct, ms(20));
  EXPECT_EQ(recorder.nextDeadline(), ms(25)) << "the first report is early";
  const auto reports = drain(recorder, ms(50));
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].reportTimestamp, 77u << 16);
  ASSERT_EQ(reports[0].streams.size(), 2u);
  EXPECT_EQ(reports[0].streams[0].beginSequence, 65'534);
  const auto first = reports[0].reportsOf(reports[0].streams[0]);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_TRUE(first[0].received);
  EXPECT_EQ(first[0].arrivalOffset, 51);
  EXPECT_FALSE(first[1].received);
  EXPECT_EQ(first[2].ecn, Ecn::Ce) << "of duplicates the marked one counts";
  EXPECT_TRUE(drain(recorder, ms(60)).empty());
}

TEST(CcfbRecorder, SplitsOverPacketsAndLosesNothing) {
  CcfbRecorder recorder(8);
  for (int i = 0; i < 1000; ++i) {
    recorder.handlePacket(static_cast<uint32_t>(i % 5), static_cast<uint16_t>(i / 5), 100,
                          Ecn::NotEct, ms(i / 50));
  }
  size_t received = 0;
  for (const auto& r : drain(recorder, ms(100), 200)) {
    for (const auto& p : r.reports) received += p.received;
  }
  EXPECT_EQ(received, 1000u);
  EXPECT_EQ(recorder.nextDeadline(), Timestamp::never());
}

TEST(CcfbRecorder, SourcesAndArrivalsAreBounded) {
  CcfbRecorder recorder(4);
  for (uint32_t i = 0; i < 10'000; ++i) {
    recorder.handlePacket(i, static_cast<uint16_t>(i * 7), 100, Ecn::NotEct, ms(1));
  }
  size_t streams = 0;
  for (const auto& r : drain(recorder, ms(100))) streams += r.streams.size();
  EXPECT_EQ(streams, 4u);
  recorder.handlePacket(99, 1, 100, Ecn::NotEct, ms(200));
  EXPECT_EQ(drain(recorder, ms(700)).size(), 1u) << "an idle source made room";
}

TEST(CcfbRecorder, AHugeJumpIsNotSpelledOut) {
  CcfbRecorder recorder(4);
  recorder.handlePacket(1, 0, 100, Ecn::NotEct, ms(0));
  drain(recorder, ms(60));
  recorder.handlePacket(1, 30'000, 100, Ecn::NotEct, ms(70));
  const auto reports = drain(recorder, ms(600));
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].reports.size(), 1u);
}

TEST(CcfbRecorder, NumbersThatJumpAboutMakeFewReports) {
  CcfbRecorder recorder(4);
  size_t bytes = 0;
  Timestamp now = ms(0);
  for (int i = 0; i < 200; ++i) {
    recorder.handlePacket(1, static_cast<uint16_t>(i * 16'000), 100, Ecn::NotEct, now);
    now += Duration::millis(1);
    for (;;) {
      uint8_t buffer[1500];
      ByteWriter w(buffer);
      const size_t wrote = recorder.write(w, 9, 1200, NtpTime{}, now);
      if (wrote == 0) break;
      bytes += wrote;
    }
    EXPECT_FALSE(recorder.isDue(now));
  }
  EXPECT_LE(bytes, 200u * 40);
}

// Twenty seconds of a stream, each report taken when it is due.
struct Reported {
  size_t bytes = 0;
  size_t count = 0;
};
Reported reportOf(CcfbRecorder& recorder, Duration interval, size_t size) {
  Reported out;
  uint16_t number = 0;
  for (Timestamp now = ms(0); now < ms(20'000); now += interval) {
    recorder.handlePacket(7, number++, size, Ecn::NotEct, now);
    for (;;) {
      uint8_t buffer[1500];
      ByteWriter w(buffer);
      const size_t wrote = recorder.write(w, 9, 1200, NtpTime{}, now);
      if (wrote == 0) break;
      out.bytes += wrote + 48;  // UDP, IP, SRTCP
      ++out.count;
    }
  }
  return out;
}

TEST(TwccRecorder, ReportsTakeFivePercentOfTheRate) {
  TwccRecorder recorder;
  size_t bytes = 0;
  uint16_t number = 0;
  for (Timestamp now = ms(0); now < ms(20'000); now += Duration::millis(20)) {
    recorder.handlePacket(number++, 75, now);
    uint8_t buffer[1500];
    ByteWriter w(buffer);
    if (recorder.write(w, 1, 2, 1200, now) > 0) bytes += w.size() + 48;
  }
  EXPECT_LT(static_cast<double>(bytes), 0.055 * 1000 * (75 + 28)) << "a call of sound, 30 kb/s";
}

TEST(CcfbRecorder, ReportsTakeFivePercentOfTheRate) {
  struct Rate {
    Duration interval;
    size_t bytes;
    double most;
  };
  for (const Rate rate :
       {Rate{Duration::millis(20), 75, 0.055}, Rate{Duration::millis(8), 1000, 0.052},
        Rate{Duration::millis(2), 1200, 0.052}}) {
    CcfbRecorder recorder(4);
    const auto reports = reportOf(recorder, rate.interval, rate.bytes);
    const double seconds = 20;
    const double media = static_cast<double>(rate.bytes + 28) * seconds / rate.interval.seconds();
    EXPECT_LT(static_cast<double>(reports.bytes) / media, rate.most) << rate.bytes;
    EXPECT_GE(reports.count, 2u * 20) << "nobody is blind for longer than half a second";
    EXPECT_LE(reports.count, 40u * 20);
  }
}

TEST(CcfbRecorder, APacketThatOvertookAReportIsReportedLate) {
  CcfbRecorder recorder(4);
  for (const uint16_t n : std::initializer_list<uint16_t>{10, 11, 13, 14})
    recorder.handlePacket(1, n, 1200, Ecn::Ect1, ms(n));
  auto reports = drain(recorder, ms(600));
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_FALSE(reports[0].reports[2].received);
  recorder.handlePacket(1, 12, 1200, Ecn::Ect1, ms(601));
  recorder.handlePacket(1, 15, 1200, Ecn::Ect1, ms(602));
  reports = drain(recorder, ms(1200));
  ASSERT_EQ(reports.size(), 1u);
  ASSERT_EQ(reports[0].streams.size(), 1u) << "a source is named once";
  EXPECT_EQ(reports[0].streams[0].beginSequence, 12);
  ASSERT_EQ(reports[0].streams[0].count, 4u);
  // RFC 8888 section 3.1: what was reported as received stays so in overlapping reports.
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(reports[0].reports[i].received) << i;
  EXPECT_TRUE(drain(recorder, ms(2000)).empty());
}

/// Sums of what the reports written at `now` have news of.
CcfbRecorder::Told toldAt(CcfbRecorder& recorder, Timestamp now, size_t maxBytes = 1200) {
  CcfbRecorder::Told out;
  for (;;) {
    uint8_t buffer[1500];
    ByteWriter w(buffer);
    if (recorder.write(w, 1, maxBytes, NtpTime{}, now) == 0) return out;
    for (const auto& told : recorder.told()) {
      out.ssrc = told.ssrc;
      out.lost += told.lost;
      out.recovered += told.recovered;
    }
  }
}

TEST(CcfbRecorder, CountsWhatItCallsMissingAndWhatCameBack) {
  CcfbRecorder recorder(4);
  for (const uint16_t n : std::initializer_list<uint16_t>{65'534, 65'535, 2, 5})
    recorder.handlePacket(7, n, 1200, Ecn::NotEct, ms(1));
  auto told = toldAt(recorder, ms(600));
  EXPECT_EQ(told.ssrc, 7u);
  EXPECT_EQ(told.lost, 4u) << "0, 1, 3 and 4";
  EXPECT_EQ(told.recovered, 0u);
  // The report goes back to 1 and has 3 and 4 as missing again.
  recorder.handlePacket(7, 1, 1200, Ecn::NotEct, ms(601));
  recorder.handlePacket(7, 6, 1200, Ecn::NotEct, ms(601));
  told = toldAt(recorder, ms(1200));
  EXPECT_EQ(told.lost, 0u) << "each is lost once";
  EXPECT_EQ(told.recovered, 1u);
  recorder.handlePacket(7, 0, 1200, Ecn::NotEct, ms(1201));
  EXPECT_EQ(toldAt(recorder, ms(1800)).recovered, 1u) << "and comes back once";
  EXPECT_EQ(toldAt(recorder, ms(2400)).lost, 0u);
  EXPECT_TRUE(recorder.told().empty());
}

TEST(CcfbRecorder, WhatNoReportHasCalledMissingDoesNotComeBack) {
  CcfbRecorder recorder(4);
  // Before the first one that came: not known to have been sent.
  recorder.handlePacket(7, 10, 1200, Ecn::NotEct, ms(1));
  EXPECT_EQ(toldAt(recorder, ms(600)).lost, 0u);
  recorder.handlePacket(7, 7, 1200, Ecn::NotEct, ms(601));
  recorder.handlePacket(7, 11, 1200, Ecn::NotEct, ms(601));
  auto told = toldAt(recorder, ms(1200));
  EXPECT_EQ(told.recovered, 0u);
  EXPECT_EQ(told.lost, 2u) << "8 and 9, now that a report spans them";
  // A jump is not spelled out (kMaxGap), so what lies before its end was never missing.
  recorder.handlePacket(7, 5000, 1200, Ecn::NotEct, ms(1201));
  EXPECT_EQ(toldAt(recorder, ms(1800)).lost, 0u);
  recorder.handlePacket(7, 4999, 1200, Ecn::NotEct, ms(1801));
  told = toldAt(recorder, ms(2400));
  EXPECT_EQ(told.recovered, 0u);
}

TEST(CcfbRecorder, WhatIsSplitOverPacketsIsCountedOnce) {
  CcfbRecorder recorder(4);
  for (int n = 0; n < 900; n += 3)
    recorder.handlePacket(7, static_cast<uint16_t>(n), 1200, Ecn::NotEct, ms(n));
  EXPECT_EQ(toldAt(recorder, ms(1500), 100).lost, 2u * 299);
  for (int n = 700; n < 900; ++n) {
    if (n % 3 == 1) recorder.handlePacket(7, static_cast<uint16_t>(n), 1200, Ecn::NotEct, ms(1600));
  }
  const auto told = toldAt(recorder, ms(2200), 100);
  EXPECT_EQ(told.recovered, 66u) << "700, 703 ... 895; 898 comes after all that was told";
  EXPECT_EQ(told.lost, 0u);
}

TEST(CcfbRecorder, EveryPacketIsReportedThroughLossReorderingAndWrap) {
  SeededRandom random(3);
  CcfbRecorder recorder(4);
  std::set<uint16_t> arrived;
  std::set<uint16_t> reported;
  std::vector<uint16_t> late;
  uint16_t next = 65'000;
  Timestamp now = ms(0);
  const auto take = [&] {
    for (const auto& r : drain(recorder, now)) {
      for (const auto& stream : r.streams) {
        for (size_t i = 0; i < stream.count; ++i) {
          const auto n = static_cast<uint16_t>(stream.beginSequence + i);
          const bool received = r.reports[stream.firstReport + i].received;
          EXPECT_TRUE(received || !reported.count(n)) << "taken back: " << n;
          if (received) reported.insert(n);
        }
      }
    }
  };
  for (int i = 0; i < 3000; ++i) {
    const uint16_t s = next++;
    now += Duration::millis(2);
    if (random.below(20) == 0) {
      late.push_back(s);
    } else if (random.below(20) != 0) {
      recorder.handlePacket(5, s, 1000, Ecn::NotEct, now);
      arrived.insert(s);
    }
    if (!late.empty() && random.below(10) == 0) {
      recorder.handlePacket(5, late.back(), 1000, Ecn::NotEct, now);
      arrived.insert(late.back());
      late.pop_back();
    }
    if (recorder.isDue(now)) take();
  }
  now += Duration::seconds(1);
  take();
  EXPECT_EQ(reported, arrived);
}

TEST(CcfbRecorder, MoreSourcesThanFitAreReportedSooner) {
  CcfbRecorder recorder(4);
  std::set<uint32_t> told;
  for (int round = 0; round < 200; ++round) {
    for (uint32_t ssrc = 1; ssrc <= 7; ++ssrc) {
      const Timestamp now = ms(round * 30 + static_cast<int>(ssrc));
      recorder.handlePacket(ssrc, static_cast<uint16_t>(round), 1200, Ecn::NotEct, now);
      if (!recorder.isDue(now)) continue;
      for (const auto& r : drain(recorder, now)) {
        for (const auto& stream : r.streams) told.insert(stream.ssrc);
      }
    }
  }
  EXPECT_EQ(told.size(), 7u);
}

// Packets so small that reports on them would cost more than they: turns are taken.
TEST(CcfbRecorder, SourcesTakeTurnsWhereReportsWouldCostTooMuch) {
  CcfbRecorder recorder(4);
  std::set<uint32_t> told;
  for (int round = 0; round < 400; ++round) {
    for (uint32_t ssrc = 1; ssrc <= 7; ++ssrc) {
      const Timestamp now = ms(round * 30 + static_cast<int>(ssrc));
      recorder.handlePacket(ssrc, static_cast<uint16_t>(round), 13, Ecn::NotEct, now);
      if (!recorder.isDue(now)) continue;
      for (const auto& r : drain(recorder, now)) {
        for (const auto& stream : r.streams) told.insert(stream.ssrc);
      }
    }
  }
  EXPECT_EQ(told.size(), 7u);
}

}  // namespace
}  // namespace parley::media
