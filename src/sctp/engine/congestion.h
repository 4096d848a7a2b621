#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/time.h"

namespace parley::sctp {

/// What had been delivered when a chunk left: when it is acknowledged, a round trip's worth of
/// deliveries has been seen.
struct DeliveryStamp {
  uint64_t delivered = 0;
  bool appLimited = false;
};

/// How much may be in flight, and how fast it leaves.
///
/// A model of the path, not a reaction to losses: the highest delivery rate seen lately, and the
/// shortest round trip. What is sent is paced at that rate, so the queue at the bottleneck stays
/// short and other channels' messages pass quickly; and random loss, which says nothing about
/// the rate, costs no more than the repetition. Every few round trips the rate is probed, gently at
/// first, doubling its steps while it keeps paying off. A queue that stands nevertheless is
/// drained; one that does not go away when we hold back is somebody else's, or a longer path, and
/// becomes the new measure.
///
/// The parts are known from BBR (draft-ietf-ccwg-bbr) and Copa; the numbers are ours, chosen in the
/// simulator for a short queue. RFC 9260 section 7 allows other congestion control than its own if
/// it is no more aggressive: loss that goes on while we hold back is not ours and, up to a tenth,
/// made up for; sustained losses of more than that bring the rate down, a timeout brings the window
/// down to one packet.
class CongestionControl {
 public:
  explicit CongestionControl(size_t mtu);

  struct Ack {
    size_t acked = 0;  ///< bytes newly acknowledged
    size_t lost = 0;   ///< bytes newly found lost
    size_t inFlight = 0;
    std::optional<DeliveryStamp> stamp;  ///< of the newest-sent chunk acknowledged
    std::optional<Duration> rtt;
  };

  /// The first round trip known, from the handshake.
  void hintRtt(Duration rtt, Timestamp now);
  DeliveryStamp onSend(size_t bytes, size_t inFlight, Timestamp now);
  void onAck(const Ack& ack, Timestamp now);
  void onTimeout(size_t inFlight);
  /// Nothing was left to send although more was allowed.
  void onAppLimited(size_t inFlight) { appLimitedUntil_ = delivered_ + inFlight + 1; }

  /// Bytes that may be in flight.
  size_t window() const;
  /// The next packet may leave at this time.
  Timestamp nextSendAt() const { return nextSendAt_; }
  bool mayPace(Timestamp now) const { return now >= nextSendAt_; }
  /// When it is worth waking up for: half a burst has gathered by then.
  Timestamp nextBurstAt() const { return nextSendAt_ + quantumTime() / 2; }
  /// Bytes per second; 0: not paced.
  double pacingRate() const;
  /// Bytes per second at most, whatever the path would take; 0: no such limit.
  void setRateLimit(double limit) { rateLimit_ = limit; }

  double bandwidth() const { return bandwidth_; }  ///< bytes per second, 0 if unknown
  Duration minRtt() const { return minRtt_; }

 private:
  enum class Mode : uint8_t { Startup, Drain, Cruise, Up, Down };
  static constexpr size_t kRounds = 10;

  double bdp() const;
  double pathRate() const;
  double firstProbe() const;
  Duration queueTarget() const;
  Duration quantumTime() const;
  Duration longestRound() const;
  void sampleRtt(Duration rtt, Timestamp now);
  void sampleRate(Timestamp now);
  void sampleJitter();
  void endRound(size_t inFlight, Timestamp now);
  void startupRound(bool appLimited);
  bool queueGrows(Duration rtt);
  void steadyRound(size_t inFlight, Timestamp now);
  void checkQueue(Timestamp now);
  void enter(Mode mode);

  size_t mtu_;
  Mode mode_ = Mode::Startup;
  Timestamp modeSince_;

  // Delivery rate: the average of each round, which jitter distorts less than single samples, and
  // of these the highest of the last few.
  uint64_t delivered_ = 0;
  uint64_t appLimitedUntil_ = 0;
  std::array<double, kRounds> roundRates_{};
  size_t roundIndex_ = 0;
  double bandwidth_ = 0;
  double lastRate_ = 0;

  // Rounds: one round trip, at least some milliseconds.
  uint64_t roundEnd_ = 0;
  Timestamp roundSince_;
  Timestamp lastAckAt_;
  Duration roundMinRtt_ = Duration::infinite();
  Duration roundRttSum_;
  int roundRtts_ = 0;
  uint64_t roundAcked_ = 0;
  uint64_t roundLost_ = 0;
  bool roundAppLimited_ = false;
  std::array<double, kRounds> roundLosses_{};
  size_t lossIndex_ = 0;
  double steadyLoss_ = 0;   ///< the least of them
  double lossAverage_ = 0;  ///< over the last few rounds
  size_t roundMaxInFlight_ = 0;

  Duration minRtt_ = Duration::infinite();
  Duration nextMinRtt_ = Duration::infinite();
  Timestamp minRttSince_;
  /// How much longer than the shortest a round trip of the same round is: jitter, not a queue.
  Duration jitter_;

  Duration recentRtts_[8] = {};
  size_t recentRttIndex_ = 0;
  double fullRate_ = 0;
  int flatRounds_ = 0;
  int cruiseRounds_ = 0;
  double probeGain_ = 1.0;
  double rateBeforeProbe_ = 0;
  bool probeSucceeds_ = false;
  // A standing queue is being drained: how much of the rate seen then is sent, how much should be
  // gone by now, and the shortest round trip meanwhile.
  bool drainQueue_ = false;
  double drainRate_ = 0;
  double drainShare_ = 1;
  Duration drainExpected_;
  Duration drainFloor_ = Duration::infinite();
  bool afterTimeout_ = false;
  double rateLimit_ = 0;
  double inFlightBound_ = 0;  ///< 0: none; short paths lose what exceeds a socket's buffer

  Timestamp nextSendAt_;
};

}  // namespace parley::sctp
