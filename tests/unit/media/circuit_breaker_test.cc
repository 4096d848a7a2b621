// RFC 8083: the breaker by itself, and what a session does when one trips.

#include "media/circuit_breaker.h"

#include <gtest/gtest.h>

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

constexpr Duration kRtt = Duration::millis(100);

class Breaker : public testing::Test {
 protected:
  /// Packets of 1000 bytes for `duration`, so many a second.
  void send(Duration duration, int perSecond = 50) {
    const Timestamp end = now_ + duration;
    for (; now_ < end; now_ += Duration::seconds(1) / perSecond) breaker_.onSent(1000, now_);
  }
  std::optional<CircuitBreakerReason> report(uint32_t highest, double lost = 0,
                                             bool controlled = false, Duration rtt = kRtt) {
    rtp::rtcp::ReportBlock block;
    block.extendedHighestSequence = highest;
    block.fractionLost = static_cast<uint8_t>(lost * 256);
    return breaker_.onReport(block, rtt, controlled, now_);
  }
  Timestamp now_ = Timestamp::seconds(100);
  CircuitBreaker breaker_;
};

TEST_F(Breaker, WithoutReportsAStreamEndsAfterThreeIntervals) {
  EXPECT_TRUE(breaker_.nextDeadline().isNever());
  send(Duration::seconds(14));
  EXPECT_FALSE(breaker_.check(now_));
  EXPECT_EQ(breaker_.nextDeadline(), Timestamp::seconds(115));
  send(Duration::seconds(1));
  EXPECT_EQ(breaker_.check(now_), CircuitBreakerReason::RtcpTimeout);
  EXPECT_TRUE(breaker_.nextDeadline().isNever());
}

TEST_F(Breaker, EachReportGivesItTimeAnew) {
  for (uint32_t i = 0; i < 5; ++i) {
    send(Duration::seconds(10));
    EXPECT_FALSE(breaker_.check(now_));
    EXPECT_FALSE(report(i * 500));
  }
  send(Duration::seconds(15));
  EXPECT_EQ(breaker_.check(now_), CircuitBreakerReason::RtcpTimeout);
}

TEST_F(Breaker, AStreamThatPausesNeedsNoReports) {
  send(Duration::seconds(3));
  now_ += Duration::seconds(20);
  EXPECT_FALSE(breaker_.check(now_));
  EXPECT_TRUE(breaker_.nextDeadline().isNever());
  send(Duration::seconds(10));
  EXPECT_FALSE(breaker_.check(now_)) << "its time begins with its packets";
}

TEST_F(Breaker, ReportsThatNothingArrivesEndIt) {
  send(Duration::seconds(1));
  EXPECT_FALSE(report(77));
  int reports = 0;
  for (;;) {
    send(Duration::seconds(1));
    ASSERT_LT(++reports, 10);
    if (const auto reason = report(77)) {
      EXPECT_EQ(*reason, CircuitBreakerReason::MediaTimeout);
      break;
    }
  }
  EXPECT_EQ(reports, 3) << "CB_INTERVAL with a report per second";
}

TEST_F(Breaker, ALongRoundTripGivesItMoreTime) {
  const Duration far = Duration::seconds(1);
  send(Duration::seconds(1));
  EXPECT_FALSE(report(77, 0, false, far));
  for (int i = 0; i < 9; ++i) {
    send(Duration::seconds(1));
    EXPECT_FALSE(report(77, 0, false, far)) << i;
  }
  send(Duration::seconds(1));
  EXPECT_EQ(report(77, 0, false, far), CircuitBreakerReason::MediaTimeout);
}

TEST_F(Breaker, NothingSentIsNothingMissed) {
  send(Duration::seconds(1));
  report(77);
  for (int i = 0; i < 10; ++i) {
    now_ += Duration::seconds(1);
    EXPECT_FALSE(report(77));
  }
}

TEST_F(Breaker, LossesForWhichTcpWouldSendATenthEndIt) {
  // X = 1028 / (0.1 * sqrt(2 * 0.5 / 3)) = 17.8 kB/s; 200 packets a second are 205 kB/s.
  send(Duration::seconds(1), 200);
  EXPECT_FALSE(report(200));
  int reports = 0;
  for (;;) {
    send(Duration::seconds(1), 200);
    ASSERT_LT(++reports, 10);
    if (const auto reason = report(static_cast<uint32_t>(200 + reports * 200), 0.5)) {
      EXPECT_EQ(*reason, CircuitBreakerReason::Congestion);
      break;
    }
  }
  EXPECT_EQ(reports, 3);
}

TEST_F(Breaker, AControllerThatSeesEachPacketIsTrusted) {
  send(Duration::seconds(1), 200);
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_FALSE(report(200 + i * 200, 0.5, true));
    send(Duration::seconds(1), 200);
  }
}

TEST_F(Breaker, LessThanTenTimesTcpIsNoReason) {
  send(Duration::seconds(1), 100);
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_FALSE(report(100 + i * 100, 0.2));
    send(Duration::seconds(1), 100);
  }
}

/// A pair whose sending side hears no RTCP from some time on.
class StoppedStream : public testing::Test {
 protected:
  StoppedStream() : pair_({}) {
    pair_.addVideo();
    pair_.connect();
    pair_.run(Duration::seconds(3));
    pair_.filter = [this](bool fromA, const OutgoingPacket& p) {
      if (!fromA) return !deaf_ || !p.isRtcp;
      if (deaf_ && !p.isRtcp) ++sent_;
      return true;
    };
  }
  std::optional<CircuitBreakerReason> stopped() { return pair_.sent().stopped; }

  SessionPair pair_;
  bool deaf_ = false;
  int sent_ = 0;
};

TEST_F(StoppedStream, SendsNothingAndRefusesFrames) {
  deaf_ = true;
  pair_.run(Duration::seconds(14));
  EXPECT_FALSE(stopped());
  pair_.run(Duration::seconds(3));
  EXPECT_EQ(stopped(), CircuitBreakerReason::RtcpTimeout);
  EXPECT_TRUE(pair_.target.isZero()) << "its encoder is to pause";
  sent_ = 0;
  pair_.run(Duration::seconds(5));
  EXPECT_EQ(sent_, 0);
  codec::EncodedVideoFrame frame;
  frame.data.assign(100, 0x10);
  frame.keyFrame = true;
  const auto refused = pair_.a->sendVideo(pair_.video, frame, pair_.now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidState);
  EXPECT_NE(refused.error().message.find("rtcp-timeout"), std::string::npos);
}

TEST_F(StoppedStream, GoesOnWhenAPeerThatReportedIsHeardAgain) {
  deaf_ = true;
  pair_.run(Duration::seconds(18));
  ASSERT_TRUE(stopped());
  deaf_ = false;
  pair_.run(Duration::seconds(8));
  EXPECT_FALSE(stopped());
  // Pictures came late while nothing was heard of them; the player takes its time to believe that
  // they are quick again.
  pair_.run(Duration::seconds(30));
  pair_.run(Duration::seconds(2));
  EXPECT_GT(pair_.decodedInRun, 50);
}

TEST_F(StoppedStream, GoesOnOnAnotherPath) {
  deaf_ = true;
  pair_.run(Duration::seconds(18));
  ASSERT_TRUE(stopped());
  pair_.a->onRouteChange(pair_.now());
  EXPECT_FALSE(stopped());
  EXPECT_EQ(pair_.sent().pliCount, 0u) << "the key frame is not the peer's wish";
  sent_ = 0;
  pair_.run(Duration::seconds(2));
  EXPECT_GT(sent_, 20);
}

TEST_F(StoppedStream, TellsOnceThatItStoppedAndOnceThatItGoesOn) {
  int stops = 0;
  int starts = 0;
  deaf_ = true;
  pair_.onEvent = [&](const RtpEvent& event) {
    const auto* change = std::get_if<SendStreamStopped>(&event);
    if (change == nullptr) return;
    EXPECT_EQ(change->stream, pair_.video);
    ++(change->reason ? stops : starts);
  };
  pair_.run(Duration::seconds(40));
  EXPECT_EQ(stops, 1);
  EXPECT_EQ(starts, 0);
  deaf_ = false;
  pair_.run(Duration::seconds(10));
  EXPECT_EQ(stops, 1);
  EXPECT_EQ(starts, 1);
}

}  // namespace
}  // namespace parley::media
