#include "dtls/retransmit_timer.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace parley::dtls {
namespace {

// Newer OpenSSL hands its BIO a copy of the expiry time. Then nothing of ours may be written later,
// and the machine must still make progress when OpenSSL's clock lags behind.
TEST(RetransmitTimer, RecognisesThatTheExpiryTimeIsACopy) {
  SSL_CTX* context = SSL_CTX_new(DTLS_method());
  SSL* ssl = SSL_new(context);  // no timer runs in it, so the copy cannot have reached it
  {
    RetransmitTimer timer;
    const Timestamp start = Timestamp::seconds(10);
    timer.setNow(start);
    EXPECT_EQ(timer.durationFor(0), 1'000'000u);
    timeval copy{1'700'000'000, 0};
    timer.onNextTimeout(&copy);
    timer.settle(ssl);
    EXPECT_EQ(timer.deadline(), start + Duration::seconds(1));
    copy = {77, 77};

    timer.setNow(timer.deadline());
    EXPECT_EQ(timer.fire(ssl, RetransmitTimer::Backoff::Double), 0);
    EXPECT_EQ(copy.tv_sec, 77);
    EXPECT_GT(timer.deadline(), start + Duration::seconds(1));
    EXPECT_LE(timer.deadline(), start + Duration::millis(1100));

    // OpenSSL's own timer has fired meanwhile, inside a read.
    EXPECT_EQ(timer.durationFor(1'000'000), 2'000'000u);
    timer.onNextTimeout(&copy);
    EXPECT_EQ(copy.tv_sec, 77);
    EXPECT_EQ(timer.deadline(), start + Duration::seconds(3));
    EXPECT_EQ(timer.retransmissions(), 1u);

    timeval stopped{0, 0};
    timer.onNextTimeout(&stopped);
    EXPECT_TRUE(timer.deadline().isNever());
    EXPECT_EQ(timer.fire(ssl, RetransmitTimer::Backoff::Restart), 0);
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
}

TEST(RetransmitTimer, DoublesUpToThreeSecondsAndThenRests) {
  RetransmitTimer timer;
  timer.setRttHint(Duration::millis(200));
  timeval expiry{1, 0};
  EXPECT_EQ(timer.durationFor(0), 400'000u);
  unsigned last = 400'000;
  for (unsigned i = 1; i <= RetransmitTimer::kMaxAttempts; ++i) {
    EXPECT_FALSE(timer.deadline().isNever() && i > 1);
    const unsigned next = timer.durationFor(last);
    EXPECT_EQ(next, std::min(last * 2, 3'000'000u));
    last = next;
    timer.onNextTimeout(&expiry);
  }
  EXPECT_TRUE(timer.deadline().isNever());
  EXPECT_FALSE(timer.mayRepeatEarly());
  EXPECT_EQ(timer.durationFor(0), 400'000u);  // a new flight
  EXPECT_EQ(timer.flights(), 2u);
}

// OpenSSL allows twelve repetitions: whatever the round trip, they last until the end.
TEST(RetransmitTimer, AttemptsLastUntilTheEndOfTheHandshake) {
  for (const Duration rtt : {Duration::millis(1), Duration::millis(40), Duration::millis(600)}) {
    RetransmitTimer timer;
    timeval expiry{1, 0};
    Timestamp now = Timestamp::seconds(100);
    const Timestamp end = now + Duration::seconds(30);
    timer.setEnd(end);
    timer.setRttHint(rtt);
    timer.setNow(now);
    unsigned last = timer.durationFor(0);
    timer.onNextTimeout(&expiry);
    Duration longest;
    unsigned attempts = 0;
    while (!timer.deadline().isNever() && timer.deadline() < end) {
      longest = std::max(longest, timer.deadline() - now);
      now = timer.deadline();
      timer.setNow(now);
      last = timer.durationFor(last);
      timer.onNextTimeout(&expiry);
      ++attempts;
    }
    EXPECT_GT(now, end - Duration::seconds(5)) << rtt.millis();
    EXPECT_LE(longest, Duration::millis(4500)) << rtt.millis();
    EXPECT_GE(attempts, 9u) << rtt.millis();
  }
}

TEST(RetransmitTimer, ALateHintShortensAlsoALaterWait) {
  RetransmitTimer timer;
  timeval expiry{1, 0};
  const Timestamp start = Timestamp::seconds(10);
  timer.setNow(start);
  (void)timer.durationFor(0);
  timer.onNextTimeout(&expiry);
  timer.setNow(start + Duration::seconds(1));
  EXPECT_EQ(timer.durationFor(1'000'000), 2'000'000u);
  timer.onNextTimeout(&expiry);
  timer.setNow(start + Duration::millis(1010));
  timer.setRttHint(Duration::millis(50));
  EXPECT_EQ(timer.deadline(), start + Duration::millis(1200));
  timer.setRttHint(Duration::millis(500));
  EXPECT_EQ(timer.deadline(), start + Duration::millis(1200));
}

}  // namespace
}  // namespace parley::dtls
