#include "parley/congestion/feedback_adapter.h"

#include <gtest/gtest.h>

namespace parley::congestion {
namespace {

using Arrival = FeedbackAdapter::Arrival;

class Adapter : public testing::Test {
 protected:
  void send(int count, uint32_t size = 100) {
    for (int i = 0; i < count; ++i) adapter_.onSent({size, -1, false}, now_ += Duration::millis(1));
  }
  std::optional<TransportFeedbackReport> feed(uint16_t base, uint16_t count,
                                              std::vector<Arrival> arrivals,
                                              uint32_t reference = 100) {
    arrivals_ = std::move(arrivals);
    return adapter_.onFeedback({base, count, reference, arrivals_}, now_);
  }
  FeedbackAdapter adapter_;
  Timestamp now_ = Timestamp::seconds(5);
  std::vector<Arrival> arrivals_;
};

TEST_F(Adapter, NumbersCountUpAndWrap) {
  const uint16_t first = adapter_.nextSequence();
  send(70'000);
  EXPECT_EQ(adapter_.nextSequence(), static_cast<uint16_t>(first + 70'000));
}

TEST_F(Adapter, ArrivalsAndLossesAreTold) {
  send(4);
  const auto report = feed(1, 4, {{1, 4}, {2, 8}, {4, -2}});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->packets.size(), 4u);
  EXPECT_EQ(report->packets[1].receiveTime - report->packets[0].receiveTime, Duration::millis(2));
  EXPECT_FALSE(report->packets[2].received());
  EXPECT_EQ(report->packets[3].receiveTime - report->packets[1].receiveTime,
            Duration::micros(-500));
  EXPECT_EQ(report->bytesInFlight, 0);
}

TEST_F(Adapter, BytesInFlightEndAtTheLastReportedPacket) {
  send(10);
  EXPECT_EQ(adapter_.bytesInFlight(), 1000);
  feed(1, 6, {{1, 0}, {6, 1}});
  EXPECT_EQ(adapter_.bytesInFlight(), 400);
}

TEST_F(Adapter, APacketIsLostOnceAndMayStillArrive) {
  send(3);
  EXPECT_EQ(feed(1, 3, {{1, 0}, {3, 1}})->packets.size(), 3u);
  EXPECT_FALSE(feed(1, 3, {{1, 0}, {3, 1}}));
  const auto late = feed(2, 1, {{2, 5}});
  ASSERT_TRUE(late);
  EXPECT_TRUE(late->packets[0].received());
}

TEST_F(Adapter, ReportsAboutPacketsNeverSentAreIgnored) {
  EXPECT_FALSE(feed(1, 65535, {{1, 0}, {2, 0}}));
  send(3);
  EXPECT_FALSE(feed(4, 100, {{4, 0}, {50, 0}}));
  EXPECT_FALSE(feed(60'000, 10, {{60'001, 0}}));
  EXPECT_FALSE(feed(1, 0, {}));
  const auto wide = feed(2, 65535, {{2, 0}, {3, 0}, {4, 0}, {9, 0}});
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->packets.size(), 2u);
}

TEST_F(Adapter, SequenceWrapIsFollowed) {
  send(65'530);
  feed(65'520, 11, {{65'530, 0}});
  send(20);
  const auto report = feed(65'531, 20, {{65'535, 0}, {0, 4}, {14, 4}});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->packets.size(), 20u);
  EXPECT_TRUE(report->packets[5].received());
  EXPECT_EQ(adapter_.bytesInFlight(), 0);
}

TEST_F(Adapter, ReferenceTimeWraps) {
  send(2);
  const Timestamp first = feed(1, 1, {{1, 0}}, 0xffffff)->packets[0].receiveTime;
  const Timestamp second = feed(2, 1, {{2, 0}}, 1)->packets[0].receiveTime;
  EXPECT_EQ(second - first, Duration::millis(128));
}

TEST_F(Adapter, B39AClockThatRunsAwayStaysWithinAnHourOfOurs) {
  uint32_t reference = 0;
  for (uint16_t i = 1; i < 20'000; ++i) {
    send(1);
    const auto report = feed(i, 1, {{i, 0}}, reference += 0x7fffff);
    ASSERT_TRUE(report);
    ASSERT_LE(report->packets[0].receiveTime - now_, Duration::seconds(3600));
    ASSERT_GE(report->packets[0].receiveTime - now_, Duration::seconds(-3600));
  }
}

TEST_F(Adapter, WhatWasSettledLongAgoIsNotLookedAtAgain) {
  send(10'000);
  feed(5'000, 5'001, {{5'000, 0}, {10'000, 1}});
  EXPECT_FALSE(feed(1, 100, {{1, 0}, {100, 1}}));
  EXPECT_TRUE(feed(9'000, 10, {{9'000, 0}})) << "a report that was overtaken";
}

TEST_F(Adapter, UnreportedPacketsLeaveTheBooksInTheEnd) {
  send(200'000);
  EXPECT_LE(adapter_.bytesInFlight(), 16'384 * 100);
  adapter_.reset();
  EXPECT_EQ(adapter_.bytesInFlight(), 0);
  EXPECT_FALSE(feed(static_cast<uint16_t>(adapter_.nextSequence() - 5), 5,
                    {{static_cast<uint16_t>(adapter_.nextSequence() - 1), 0}}));
}

class RtpAdapter : public testing::Test {
 protected:
  using Packet = FeedbackAdapter::RtpArrival;
  void send(uint32_t ssrc, uint16_t sequence) {
    adapter_.onSent({100, -1, false, ssrc, sequence}, now_ += Duration::millis(1));
  }
  std::optional<TransportFeedbackReport> feed(uint32_t ssrc, uint16_t begin,
                                              std::vector<Packet> packets, uint32_t time = 65'536) {
    packets_ = std::move(packets);
    const FeedbackAdapter::RtpArrivals stream{ssrc, begin, packets_};
    return adapter_.onRtpFeedback(time, {&stream, 1}, now_);
  }
  FeedbackAdapter adapter_;
  Timestamp now_ = Timestamp::seconds(5);
  std::vector<Packet> packets_;
};

TEST_F(RtpAdapter, PacketsAreFoundByTheirRtpNumbers) {
  send(1, 65'535);
  send(2, 7);
  send(1, 0);
  const auto report = feed(1, 65'535, {{true, Ecn::NotEct, 1024}, {true, Ecn::Ce, 512}});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->packets.size(), 2u);
  EXPECT_EQ(report->packets[1].receiveTime - report->packets[0].receiveTime, Duration::millis(500));
  EXPECT_FALSE(report->packets[0].ecnCe);
  EXPECT_TRUE(report->packets[1].ecnCe);
  EXPECT_FALSE(feed(1, 65'535, {{true, Ecn::NotEct, 0}})) << "it was told before";
}

TEST_F(RtpAdapter, WhatIsNotTheirsIsIgnored) {
  send(1, 10);
  EXPECT_FALSE(feed(3, 10, {{true, Ecn::NotEct, 0}}));
  EXPECT_FALSE(feed(1, 11, {{true, Ecn::NotEct, 0}, {false, Ecn::NotEct, 0}}));
  EXPECT_FALSE(adapter_.onRtpFeedback(0, {}, now_));
  EXPECT_EQ(adapter_.bytesInFlight(), 100);
}

TEST_F(RtpAdapter, LossIsToldOnceAndALatePacketTakesItBack) {
  send(1, 10);
  send(1, 11);
  const auto first = feed(1, 10, {{false, Ecn::NotEct, 0}, {true, Ecn::NotEct, 0}});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->packets.size(), 2u);
  EXPECT_FALSE(first->packets[0].received());
  EXPECT_EQ(first->bytesInFlight, 0);
  EXPECT_FALSE(feed(1, 10, {{false, Ecn::NotEct, 0}}));
  const auto late = feed(1, 10, {{true, Ecn::NotEct, 0}});
  ASSERT_TRUE(late);
  EXPECT_TRUE(late->packets[0].received());
}

TEST_F(RtpAdapter, ResultsSayWhatBecameOfThePacketAndItsMark) {
  adapter_.onSent({100, -1, false, 1, 10, Ecn::Ect1}, now_);
  adapter_.onSent({100, -1, false, 1, 11, Ecn::NotEct}, now_);
  const auto first = feed(1, 10, {{false, Ecn::NotEct, 0}, {true, Ecn::Ce, 0}});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->packets.size(), 2u);
  EXPECT_FALSE(first->packets[0].wasReportedLost);
  EXPECT_EQ(first->packets[1].ssrc, 1u);
  EXPECT_EQ(first->packets[1].sentAs, Ecn::NotEct);
  EXPECT_EQ(first->packets[1].arrivedAs, Ecn::Ce);
  const auto late = feed(1, 10, {{true, Ecn::Ect1, 0}});
  ASSERT_TRUE(late);
  EXPECT_TRUE(late->packets[0].wasReportedLost);
  EXPECT_EQ(late->packets[0].sentAs, Ecn::Ect1);
  EXPECT_EQ(late->packets[0].arrivedAs, Ecn::Ect1);
}

TEST_F(RtpAdapter, TheReportTimeWraps) {
  send(1, 1);
  send(1, 2);
  const Timestamp first =
      feed(1, 1, {{true, Ecn::NotEct, 0}}, 0xffffffff - 32'767)->packets[0].receiveTime;
  const Timestamp second = feed(1, 2, {{true, Ecn::NotEct, 0}}, 32'768)->packets[0].receiveTime;
  EXPECT_EQ(second - first, Duration::seconds(1));
}

TEST_F(RtpAdapter, B39AClockThatRunsAwayStaysWithinAnHourOfOurs) {
  uint32_t time = 0;
  for (int i = 1; i < 300'000; ++i) {
    const auto sequence = static_cast<uint16_t>(i);
    send(1, sequence);
    const auto report = feed(1, sequence, {{true, Ecn::NotEct, 0}}, time += 0x7fffffff);
    ASSERT_TRUE(report);
    ASSERT_LE(report->packets[0].receiveTime - now_, Duration::seconds(3600));
  }
}

}  // namespace
}  // namespace parley::congestion
