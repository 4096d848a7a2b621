#pragma once

#include <optional>

#include "parley/congestion/controller.h"

#include "congestion/foreign_queue.h"
#include "congestion/gcc/acked_bitrate.h"
#include "congestion/gcc/queue_delay.h"
#include "congestion/scream/loss_detector.h"

namespace parley::congestion::scream {

/// Names as in the draft, where it has one.
class ScreamController final : public Controller {
 public:
  explicit ScreamController(const RateConstraints& constraints);

  ControlUpdate onNetworkAvailability(const NetworkAvailability& message) override;
  ControlUpdate onRouteChange(const RouteChange& message) override;
  ControlUpdate onConstraints(const RateConstraints& message) override;
  ControlUpdate onStreamsConfig(const StreamsConfig& message) override;
  ControlUpdate onSentPacket(const SentPacket& packet) override;
  ControlUpdate onTransportFeedback(const TransportFeedbackReport& report) override;
  ControlUpdate onRoundTripTime(const RoundTripTimeReport& message) override;
  ControlUpdate onLossReport(const LossReport& message) override;
  ControlUpdate onRemoteBitrate(const RemoteBitrateReport& message) override;
  ControlUpdate onDataTransfer(const DataTransferReport& message) override;
  ControlUpdate onProcess(const ProcessInterval& message) override;
  Timestamp nextDeadline() const override { return nextProcess_; }
  EstimatorState state() const override;
  bool wantsEarlyMarks() const override { return true; }

 private:
  /// What a report says in sum.
  struct Tally {
    int64_t acked = 0;
    int64_t marked = 0;
    int packets = 0;
    int markedPackets = 0;
    bool lost = false;
  };
  void setLimits(const RateConstraints& constraints);
  void restart(DataRate start);
  /// The media's maximum; data channels have none.
  DataRate ceiling() const;
  Tally count(const TransportFeedbackReport& report);
  void measureRtt(const TransportFeedbackReport& report);
  void takeRtt(Duration rtt);
  void updateQueueAverage(Timestamp now);
  void updateAlpha(const Tally& tally, Timestamp now);
  void updateRound(Timestamp now);
  /// How close the window is to where congestion was met last: 0 there, 1 far from it.
  double distanceToInflexion() const;
  /// Whether the window was lowered.
  bool reduce(const Tally& tally, Timestamp now);
  double afterMarks(Timestamp now) const;
  double afterDelay() const;
  double acknowledgedWindow() const;
  void grow(const Tally& tally, Timestamp now);
  void onSilence(Timestamp now);
  void updatePushback(Timestamp now);
  double minWindow() const;
  double maxWindow() const;
  bool marksSeen() const { return l4sAlpha_ > 0.0001; }
  DataRate rate() const;
  int64_t sendWindow() const;
  int64_t inFlight() const { return bytesInFlight_ + dataInFlight_; }
  void emit(ControlUpdate& out);

  RateConstraints constraints_;
  StreamsConfig streams_;
  bool available_ = false;
  Timestamp now_;

  double refWnd_ = 0;   ///< ref_wnd, bytes
  double refWndI_ = 1;  ///< ref_wnd_i: where congestion was met last
  std::optional<Timestamp> inflexionSet_;
  double l4sAlpha_ = 0;
  int markedInRound_ = 0;
  int packetsInRound_ = 0;
  Timestamp alphaUpdated_;
  Timestamp roundStart_;
  int64_t maxInFlight_ = 0;  ///< of this and the former round
  int64_t formerMaxInFlight_ = 0;
  std::optional<Timestamp> lastCongestion_;  ///< last_congestion_detected_time
  std::optional<Timestamp> lastReduction_;   ///< last_reaction_to_congestion_time
  std::optional<Timestamp> lastDelayReduction_;
  int64_t recoverySequence_ = 0;
  int64_t lastSequence_ = 0;

  gcc::QueueDelay queue_;
  ForeignQueue foreign_;
  Duration queueAverage_;  ///< qdelay_avg
  Timestamp queueAverageUpdated_;
  LossDetector losses_;
  gcc::AckedBitrate acked_;
  Duration srtt_ = Duration::millis(100);
  bool rttKnown_ = false;
  Duration feedbackInterval_ = Duration::millis(50);
  double lossAverage_ = 0;
  int64_t bytesInFlight_ = 0;
  int64_t pacerQueueBytes_ = 0;
  double pushback_ = 1;

  // Data channels, of which SCTP tells.
  bool dataWaiting_ = false;
  int64_t dataInFlight_ = 0;
  int64_t dataAckedSinceReport_ = 0;
  gcc::AckedBitrate dataAcked_;
  std::optional<Timestamp> lastDataAcked_;

  std::optional<Timestamp> lastFeedback_;
  std::optional<Timestamp> lastSent_;
  std::optional<Timestamp> lastSilence_;
  Timestamp nextProcess_ = Timestamp::never();
  std::optional<TargetRate> sentTarget_;
  std::optional<PacerRates> sentPacer_;
  std::optional<int64_t> sentWindow_;
};

}  // namespace parley::congestion::scream
