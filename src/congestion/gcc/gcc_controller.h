#pragma once

#include <vector>

#include "parley/congestion/controller.h"

#include "congestion/foreign_queue.h"
#include "congestion/gcc/acked_bitrate.h"
#include "congestion/gcc/aimd.h"
#include "congestion/gcc/alr_detector.h"
#include "congestion/gcc/loss_based.h"
#include "congestion/gcc/probe_controller.h"
#include "congestion/gcc/probe_estimator.h"
#include "congestion/gcc/queue_delay.h"
#include "congestion/gcc/trendline.h"

namespace parley::congestion::gcc {

class GccController final : public Controller {
 public:
  explicit GccController(const RateConstraints& constraints);

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
  EstimatorState state() const override;
  Timestamp nextDeadline() const override { return nextProcess_; }

 private:
  void applyLimits();
  /// The media's maximum; data channels have none.
  DataRate ceiling() const;
  DataRate clamp(DataRate rate) const;
  /// Of media and data together.
  std::optional<DataRate> acknowledged() const;
  void restart(DataRate start);
  void measureRtt(const TransportFeedbackReport& report);
  std::optional<DataRate> takeArrivals(const TransportFeedbackReport& report);
  void updateDelayBased(std::optional<DataRate> probe, bool lost, Timestamp now);
  bool queueStands(bool lost, Timestamp now);
  void onSilence(Timestamp now);
  bool backlogged() const;
  void updateStall(Timestamp now);
  void updatePushback();
  int64_t sendWindow() const;
  DataRate bandwidth() const;
  double pacingFactor() const;
  void updateHolding();
  /// Adds what changed since the last answer.
  void emit(ControlUpdate& out);

  RateConstraints constraints_;
  StreamsConfig streams_;
  bool available_ = false;

  PacketGroups groups_;
  TrendlineEstimator trendline_;
  AckedBitrate acked_;
  QueueDelay queue_;
  /// Since when it has been long.
  std::optional<Timestamp> queueLongSince_;
  ForeignQueue foreign_;
  /// The same for data channels, by our own clock.
  AckedBitrate dataAcked_;
  std::optional<Timestamp> lastDataAcked_;
  bool dataWaiting_ = false;
  Timestamp now_;
  AimdRateControl aimd_;
  LossBasedEstimator loss_;
  ProbeEstimator probeEstimator_;
  ProbeController probes_;
  AlrDetector alr_;
  std::vector<PacketResult> byArrival_;

  // Without transport feedback: the loss rule of section 6 on receiver reports, and REMB.
  bool feedbackSeen_ = false;
  DataRate reportBased_;
  std::optional<Timestamp> lastReportDecrease_;
  std::optional<Timestamp> lastReport_;
  double reportLoss_ = 0;
  DataRate remote_ = DataRate::infinite();

  Duration rtt_ = Duration::millis(200);
  Duration baseRtt_ = Duration::millis(200);  ///< without what packets wait on the path
  bool rttKnown_ = false;
  int64_t bytesInFlight_ = 0;
  int64_t pacerQueueBytes_ = 0;  ///< what is held back here has not reached the path yet
  double pushback_ = 1;
  bool stalled_ = false;  ///< from a gap in the reports until what waits is gone
  Timestamp silentAt_;    ///< the last time that reports stayed away
  bool holding_ = false;  ///< from a long queue until what waits here because of it is gone
  Duration feedbackInterval_ = Duration::millis(50);
  std::optional<Timestamp> lastFeedback_;
  std::optional<Timestamp> lastSent_;
  std::optional<Timestamp> firstUnansweredSent_;
  std::optional<Timestamp> lastSilenceDecrease_;
  Timestamp nextProcess_ = Timestamp::never();

  std::optional<TargetRate> sentTarget_;
  std::optional<PacerRates> sentPacer_;
  std::optional<int64_t> sentWindow_;
};

}  // namespace parley::congestion::gcc
