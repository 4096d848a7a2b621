#include <ctime>
#include <map>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/rtp/rtcp/congestion_feedback.h"
#include "parley/rtp/rtcp/transport_feedback.h"

#include "support/hex.h"

namespace parley::rtp::rtcp {
namespace {

using test::fromHex;
using test::toHex;

bool parse(const Bytes& bytes, TransportFeedback& out) {
  CompoundReader reader(bytes);
  Block block;
  return CompoundReader::isWellFormed(bytes) && reader.next(block) &&
         TransportFeedback::parse(block, out);
}

// Sequence (as sent) -> arrival in microseconds since reference time zero.
std::map<uint16_t, int64_t> arrivalsOf(const TransportFeedback& f) {
  std::map<uint16_t, int64_t> out;
  int64_t us = static_cast<int64_t>(f.referenceTime) * 64'000;
  for (const auto& r : f.received) out[r.sequence] = us += r.delta * 250;
  return out;
}

TEST(TransportFeedback, BaseSequenceWrapsAndDeltasMayBeNegative) {
  const Bytes bytes = fromHex("afcd00060000000100000002fffe0004000005ffd1800008fffc0002");
  TransportFeedback f;
  ASSERT_TRUE(parse(bytes, f));
  EXPECT_EQ(f.baseSequence, 65534);
  EXPECT_EQ(f.statusCount, 4);
  EXPECT_EQ(f.referenceTime, 5u);
  EXPECT_EQ(f.feedbackCount, 255);
  const std::vector<TransportFeedback::Received> expected = {{65534, 0}, {0, 8}, {1, -4}};
  EXPECT_EQ(f.received, expected);
}

TEST(TransportFeedback, ReferenceTimeIsModular) {
  TransportFeedback first;
  TransportFeedback second;
  ASSERT_TRUE(parse(fromHex("afcd0005000000010000000200010001ffffff00d0000401"), first));
  ASSERT_TRUE(parse(fromHex("afcd000500000001000000020002000100000001d0000401"), second));
  EXPECT_EQ((second.referenceTime - first.referenceTime) & 0xffffff, 1u);
}

TEST(TransportFeedback, RefusesMalformed) {
  TransportFeedback f;
  EXPECT_FALSE(parse(fromHex("8fcd0003000000010000000200010001"), f)) << "too short";
  EXPECT_FALSE(parse(fromHex("8fcd000400000001000000020001000000000100"), f)) << "count 0";
  EXPECT_FALSE(parse(fromHex("8fcd00050000000100000002000100050000010020050000"), f))
      << "deltas missing";
  EXPECT_FALSE(parse(fromHex("8fcd00050000000100000002000100010000010060010000"), f)) << "symbol 3";
  EXPECT_FALSE(parse(fromHex("8fcd000500000001000000020001ffff000001003fff0000"), f))
      << "count 65535 with few chunks";
  EXPECT_LT(f.received.capacity(), 1000u) << "no memory on the word of the count";
}

TEST(TransportFeedback, LastRunMayExceedTheCount) {
  // Count 1, run of 2 small deltas announced: only one delta belongs to it.
  TransportFeedback f;
  ASSERT_TRUE(parse(fromHex("afcd000500000001000000020063000100000100200204"
                            "01"),
                    f));
  ASSERT_EQ(f.received.size(), 1u);
  EXPECT_EQ(f.received[0].delta, 4);
}

// Builds reports until all arrivals are taken, parses them, and gives back all arrivals.
std::map<int64_t, Timestamp> roundTrip(const std::vector<PacketArrival>& arrivals, size_t maxBytes,
                                       size_t* reports = nullptr) {
  std::map<int64_t, Timestamp> out;
  std::span<const PacketArrival> rest(arrivals);
  size_t count = 0;
  while (!rest.empty()) {
    uint8_t buffer[3000];
    ByteWriter w(buffer);
    const size_t taken = writeTransportFeedback(w, 1, 2, static_cast<uint8_t>(count),
                                                rest[0].sequence, rest, maxBytes);
    EXPECT_GT(taken, 0u);
    if (taken == 0) break;
    EXPECT_LE(w.size(), maxBytes);
    TransportFeedback f;
    EXPECT_TRUE(parse(toBytes(w.written()), f));
    EXPECT_EQ(f.received.size(), taken);
    int64_t units = static_cast<int64_t>(f.referenceTime) * 256;
    for (size_t i = 0; i < f.received.size(); ++i) {
      units += f.received[i].delta;
      EXPECT_EQ(f.received[i].sequence, static_cast<uint16_t>(rest[i].sequence));
      out[rest[i].sequence] = Timestamp::micros(units * 250);
    }
    rest = rest.subspan(taken);
    ++count;
  }
  if (reports) *reports = count;
  return out;
}

TEST(TransportFeedback, WhatIsWrittenIsReadBackWithinHalfAUnit) {
  SeededRandom random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<PacketArrival> arrivals;
    int64_t sequence = static_cast<int64_t>(random.below(70'000));
    int64_t us = static_cast<int64_t>(random.below(1'000'000'000));
    const uint64_t lossPercent = random.below(60);
    const uint64_t spread = 1 + random.below(200'000);
    for (int i = 0; i < 200; ++i) {
      ++sequence;
      if (random.below(100) < lossPercent) continue;
      us += static_cast<int64_t>(random.below(spread)) - static_cast<int64_t>(spread / 8);
      arrivals.push_back({sequence, Timestamp::micros(us)});
    }
    const auto result = roundTrip(arrivals, 1200);
    ASSERT_EQ(result.size(), arrivals.size());
    for (const PacketArrival& a : arrivals) {
      const int64_t error = (result.at(a.sequence) - a.time).micros();
      EXPECT_LE(std::abs(error), 125);
    }
  }
}

TEST(TransportFeedback, SteadyStreamTakesOneRunChunk) {
  std::vector<PacketArrival> arrivals;
  for (int i = 0; i < 100; ++i) arrivals.push_back({i, Timestamp::millis(i * 10)});
  uint8_t buffer[400];
  ByteWriter w(buffer);
  EXPECT_EQ(writeTransportFeedback(w, 1, 2, 0, 0, arrivals, 400), 100u);
  EXPECT_EQ(w.size(), (20u + 2 + 100 + 3) / 4 * 4);
}

TEST(TransportFeedback, SplitsByBytesAndByDeltaRange) {
  std::vector<PacketArrival> arrivals;
  for (int i = 0; i < 300; ++i) arrivals.push_back({i, Timestamp::millis(i)});
  size_t reports = 0;
  EXPECT_EQ(roundTrip(arrivals, 100, &reports).size(), 300u);
  EXPECT_GT(reports, 3u);

  const std::vector<PacketArrival> gap = {{1, Timestamp::seconds(1)}, {2, Timestamp::seconds(10)}};
  EXPECT_EQ(roundTrip(gap, 1200, &reports).size(), 2u);
  EXPECT_EQ(reports, 2u) << "9 s is beyond a 16-bit delta";

  const std::vector<PacketArrival> far = {{1, Timestamp::seconds(1)},
                                          {100'000, Timestamp::seconds(1)}};
  EXPECT_EQ(roundTrip(far, 1200, &reports).size(), 2u);
  EXPECT_EQ(reports, 2u) << "the status count has 16 bits";
}

TEST(TransportFeedback, GapsOfEverySizeAreReadBack) {
  for (const int64_t before : {1, 2, 6, 7, 8, 13, 14, 15, 29}) {
    for (const int64_t gap : {1, 6, 7, 8, 13, 14, 15, 8190, 8191, 8192, 30'000, 60'000}) {
      for (const int64_t step : {1, 300}) {  // small and large deltas
        std::vector<PacketArrival> arrivals;
        int64_t sequence = 5;
        for (int part = 0; part < 3; ++part) {
          for (int64_t i = 0; i < before; ++i) {
            arrivals.push_back({++sequence, Timestamp::millis(100 + sequence % 1000 * step / 4)});
          }
          sequence += gap;
        }
        ASSERT_EQ(roundTrip(arrivals, 1200).size(), arrivals.size()) << before << " " << gap;
      }
    }
  }
}

// A peer chooses the numbers, so the work must not depend on the distance between two of them.
TEST(TransportFeedback, AGapCostsNoMoreThanItsChunks) {
  const std::vector<PacketArrival> arrivals = {{0, Timestamp::millis(1)},
                                               {65'000, Timestamp::millis(2)}};
  const std::clock_t begin = std::clock();
  for (int i = 0; i < 5000; ++i) {
    uint8_t buffer[100];
    ByteWriter w(buffer);
    ASSERT_EQ(writeTransportFeedback(w, 1, 2, 0, 0, arrivals, 100), 2u);
    ASSERT_LE(w.size(), 20u + 24);
  }
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.4) << "one by one it takes a second with optimization, and ten without";
}

TEST(TransportFeedback, LeadingLossesAreNamed) {
  const PacketArrival arrivals[] = {{10, Timestamp::millis(64)}};
  uint8_t buffer[100];
  ByteWriter w(buffer);
  ASSERT_EQ(writeTransportFeedback(w, 1, 2, 0, 5, arrivals, 100), 1u);
  TransportFeedback f;
  ASSERT_TRUE(parse(toBytes(w.written()), f));
  EXPECT_EQ(f.baseSequence, 5);
  EXPECT_EQ(f.statusCount, 6);
  EXPECT_EQ(arrivalsOf(f), (std::map<uint16_t, int64_t>{{10, 64'000}}));
  EXPECT_EQ(writeTransportFeedback(w, 1, 2, 0, 11, arrivals, 100), 0u) << "base above the first";
  EXPECT_EQ(writeTransportFeedback(w, 1, 2, 0, 5, arrivals, 20), 0u) << "no room";
}

bool parse(const Bytes& bytes, CongestionFeedback& out) {
  CompoundReader reader(bytes);
  Block block;
  return CompoundReader::isWellFormed(bytes) && reader.next(block) &&
         CongestionFeedback::parse(block, out);
}

TEST(CongestionFeedback, ReadsAnOddNumberOfReports) {
  const std::string hex = "8bcd0006000000010000000afffe00039ffd0000a002000000010000";
  CongestionFeedback f;
  ASSERT_TRUE(parse(fromHex(hex), f));
  EXPECT_EQ(f.senderSsrc, 1u);
  EXPECT_EQ(f.reportTimestamp, 65'536u);
  ASSERT_EQ(f.streams.size(), 1u);
  EXPECT_EQ(f.streams[0].ssrc, 10u);
  EXPECT_EQ(f.streams[0].beginSequence, 65534);
  const auto reports = f.reportsOf(f.streams[0]);
  ASSERT_EQ(reports.size(), 3u);
  EXPECT_EQ(reports[0], (CongestionFeedback::Report{true, Ecn::NotEct, 8189}));
  EXPECT_FALSE(reports[1].received);
  EXPECT_EQ(reports[2], (CongestionFeedback::Report{true, Ecn::Ect1, 2}));
  uint8_t buffer[100];
  ByteWriter w(buffer);
  f.write(w);
  EXPECT_EQ(w.size(), f.size());
  EXPECT_EQ(toHex(w.written()), hex);
}

TEST(CongestionFeedback, BitsOfAMissingPacketAreIgnored) {
  CongestionFeedback f;
  ASSERT_TRUE(parse(fromHex("8bcd0005000000010000000a000100016200000000000000"), f));
  EXPECT_EQ(f.reports[0], CongestionFeedback::Report{});
}

TEST(CongestionFeedback, EmptyReportIsLegalAndShortOnesAreNot) {
  CongestionFeedback f;
  ASSERT_TRUE(parse(fromHex("8bcd00020000000700000009"), f));
  EXPECT_TRUE(f.streams.empty());
  EXPECT_EQ(f.reportTimestamp, 9u);
  EXPECT_FALSE(parse(fromHex("8bcd000100000007"), f));
  EXPECT_FALSE(parse(fromHex("8bcd00060000000100000001000200099ffd9ffc0000000000000001"), f))
      << "more reports announced than present";
  EXPECT_FALSE(parse(fromHex("8bcd0004000000010000000100024001"
                             "00000001"),
                     f))
      << "above 16384";
}

}  // namespace
}  // namespace parley::rtp::rtcp
