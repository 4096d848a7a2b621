#include "sctp/engine/congestion.h"

#include <gtest/gtest.h>

namespace parley::sctp {
namespace {

constexpr size_t kMtu = 1185;

/// A path without a bottleneck: the whole window leaves at once, and is acknowledged as one after
/// the round trip. Rests for `idle` before the next.
void exchange(CongestionControl& control, Timestamp& now, Duration roundTrip, Duration idle = {}) {
  size_t inFlight = 0;
  DeliveryStamp stamp;
  while (inFlight + kMtu <= control.window()) {
    stamp = control.onSend(kMtu, inFlight, now);
    inFlight += kMtu;
  }
  now += roundTrip;
  control.onAck({.acked = inFlight, .stamp = stamp, .rtt = roundTrip}, now);
  now += idle;
}

TEST(Congestion, AWindowThatIsSpentAndAcknowledgedAsOneGrows) {
  CongestionControl control(kMtu);
  Timestamp now = Timestamp::seconds(1);
  control.hintRtt(Duration::micros(160), now);
  const size_t first = control.window();
  const Timestamp end = now + Duration::millis(200);
  while (now < end) exchange(control, now, Duration::micros(160));
  EXPECT_GT(control.bandwidth(), 0);
  EXPECT_GT(control.window(), 4 * first);
}

TEST(Congestion, TheTimeInWhichNothingWasOnItsWayIsNotMeasured) {
  CongestionControl control(kMtu);
  Timestamp now = Timestamp::seconds(1);
  const Duration roundTrip = Duration::millis(50);
  control.hintRtt(roundTrip, now);
  for (int i = 0; i < 10; ++i) exchange(control, now, roundTrip, Duration::seconds(1));
  // With the rests the rate would be a twentieth: less than a window in half a second.
  EXPECT_GT(control.bandwidth(), 10.0 * kMtu / 0.5);
}

/// Question and answer, one message at a time, tells how long the path is and not how wide.
TEST(Congestion, AnExchangeOfSingleMessagesIsNotTakenForTheRate) {
  for (const Duration roundTrip : {Duration::micros(200), Duration::millis(5)}) {
    CongestionControl control(kMtu);
    Timestamp now = Timestamp::seconds(1);
    control.hintRtt(roundTrip, now);
    for (int i = 0; i < 500; ++i) {
      const DeliveryStamp stamp = control.onSend(100, 0, now);
      control.onAppLimited(100);
      now += roundTrip;
      control.onAck({.acked = 100, .stamp = stamp, .rtt = roundTrip}, now);
    }
    EXPECT_EQ(control.bandwidth(), 0) << "nothing was measured";
    EXPECT_GE(control.window(), 10 * kMtu);
  }
}

}  // namespace
}  // namespace parley::sctp
