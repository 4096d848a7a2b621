#pragma once

#include <optional>

#include "parley/congestion/controller.h"

#include "congestion/foreign_queue.h"
#include "congestion/gcc/acked_bitrate.h"
#include "congestion/gcc/queue_delay.h"

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
    int lost = 0;
  };
  void setLimits(const RateConstraints& constraints);
  void restart(DataRate start);
  Tally count(const TransportFeedbackReport& report);
  void measureRtt(const TransportFeedbackReport& report);
  void updateAlpha(const Tally& tally, Timestamp now);
  /// Whether the window was lowered.
  bool reduce(const Tally& tally, Timestamp now);
  void grow(const Tally& tally, Timestamp now);
  void onSilence(Timestamp now);
  int64_t minWindow() const;
  int64_t maxWindow() const;
  /// Round trips shorter than this count as this long: on short paths the rate would grow by the
  /// square.
  Duration pace() const;
  DataRate rate() const;
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
  Timestamp roundStart_;
  int64_t maxInFlight_ = 0;  ///< of this and the former round
  int64_t formerMaxInFlight_ = 0;
  std::optional<Timestamp> lastCongestion_;
  std::optional<Timestamp> lastReduction_;
  int64_t recoverySequence_ = 0;
  int64_t lastSequence_ = 0;

  gcc::QueueDelay queue_;
  ForeignQueue foreign_;
  Duration queueAverage_;
  gcc::AckedBitrate acked_;
  Duration srtt_ = Duration::millis(100);
  bool rttKnown_ = false;
  double lossAverage_ = 0;
  int64_t bytesInFlight_ = 0;

  std::optional<Timestamp> lastFeedback_;
  std::optional<Timestamp> lastSent_;
  std::optional<Timestamp> lastSilence_;
  Timestamp nextProcess_ = Timestamp::never();
  std::optional<TargetRate> sentTarget_;
  std::optional<PacerRates> sentPacer_;
};

}  // namespace parley::congestion::scream
