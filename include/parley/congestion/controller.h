#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/base/units.h"

// Congestion control: how fast one transport may send. A controller is told what happened, one
// message at a time, each carrying its own time, and answers with what should change. It has no
// clock, sends nothing and keeps no queue, so a recorded log of messages can be replayed through
// it.
//
// Path of a packet: media::RtpSession stamps a transport sequence number from FeedbackAdapter ->
// onSentPacket; the peer's feedback -> FeedbackAdapter -> onTransportFeedback -> ControlUpdate ->
// pacer and encoders.

namespace parley::congestion {

/// A packet that left. `sequence` is the transport-wide one, unwrapped.
struct SentPacket {
  int64_t sequence = 0;
  Timestamp sendTime;
  uint32_t size = 0;     ///< bytes of the RTP packet
  int32_t probeId = -1;  ///< cluster it belongs to, or -1
  bool audio = false;
  int64_t bytesInFlight = 0;  ///< after this packet
};

/// What became of a packet, as far as one report knows.
struct PacketResult {
  SentPacket sent;
  /// On the receiver's clock, whose origin is unknown: only differences mean anything. never() =
  /// not received so far.
  Timestamp receiveTime = Timestamp::never();
  bool ecnCe = false;  ///< arrived with the congestion mark of RFC 3168
  /// An earlier report said that it had not arrived.
  bool wasReportedLost = false;
  uint32_t ssrc = 0;         ///< FeedbackAdapter::Outgoing::ssrc
  Ecn sentAs = Ecn::NotEct;  ///< how it was marked when it left
  /// And when it arrived, where feedback tells (RFC 8888).
  Ecn arrivedAs = Ecn::NotEct;

  bool received() const { return !receiveTime.isNever(); }
};

/// One report of arrivals (transport-wide feedback or RFC 8888), matched with what was sent.
struct TransportFeedbackReport {
  Timestamp time;  ///< when the report arrived
  std::span<const PacketResult>
      packets;                ///< in ascending sequence, each sent packet lost at most once
  int64_t bytesInFlight = 0;  ///< not yet covered by any report
};

/// As reports of RTCP have shown it (RFC 3550 section 6.4.1).
struct RoundTripTimeReport {
  Timestamp time;
  Duration rtt;
};

/// Data channels share the path with media but are acknowledged by SCTP.
struct DataTransferReport {
  Timestamp time;
  int64_t bytesSent = 0;   ///< since the former report, SCTP packets
  int64_t bytesAcked = 0;  ///< the same
  bool waiting = false;    ///< more would be sent if it were allowed
};

/// From receiver reports (RFC 3550 section 6.4.1): counts since the former report, all streams.
struct LossReport {
  Timestamp time;
  uint64_t packetsLost = 0;
  uint64_t packetsReceived = 0;
};

/// draft-alvestrand-rmcat-remb. Ignored once transport feedback is seen.
struct RemoteBitrateReport {
  Timestamp time;
  DataRate rate;
};

/// Time has passed (Controller::nextDeadline).
struct ProcessInterval {
  Timestamp time;
  int64_t pacerQueueBytes = 0;
};

/// The bounds that the application and the peer set.
struct RateConstraints {
  Timestamp time;
  DataRate min = DataRate::kbps(30);
  DataRate max = DataRate::kbps(2500);
  /// Where to start; nullopt keeps the present estimate.
  std::optional<DataRate> start;
};

/// The path changed: everything learnt about the old one is void.
struct RouteChange {
  Timestamp time;
  RateConstraints constraints;
};

/// Whether packets can leave at all.
struct NetworkAvailability {
  Timestamp time;
  bool available = false;
};

/// What the streams want.
struct StreamsConfig {
  Timestamp time;
  DataRate minTotal;          ///< never pace below this
  DataRate maxTotal;          ///< all encoders at their best; zero = unknown
  DataRate maxPadding;        ///< how much padding may keep the estimate alive
  double pacingFactor = 2.5;  ///< pacing rate over target rate
  bool probeWhenApplicationLimited = false;
};

/// A burst at a given rate that measures whether the path carries it.
struct ProbeCluster {
  int32_t id = -1;
  DataRate rate;
  Duration duration = Duration::millis(15);
  int minPackets = 5;
  int64_t minBytes() const { return rate.bytesIn(duration); }
};

/// What the encoders may produce, and what it is derived from.
struct TargetRate {
  DataRate target;          ///< for all encoders together
  DataRate bandwidth;       ///< the estimate before back-pressure from unacknowledged data
  double lossFraction = 0;  ///< recent, 0..1
  Duration rtt;
  bool operator==(const TargetRate&) const = default;
};

/// How quickly packets leave.
struct PacerRates {
  DataRate pacing;   ///< of what waits
  DataRate padding;  ///< sent where nothing waits; zero: none
  bool operator==(const PacerRates&) const = default;
};

/// What the path's delay says.
enum class DelaySignal : uint8_t { Normal, Underusing, Overusing };

/// How an estimate came about, for statistics and graphs.
struct EstimatorState {
  DataRate delayBased = DataRate::infinite();  ///< infinite: no such bound
  DataRate lossBased = DataRate::infinite();
  DataRate remote = DataRate::infinite();  ///< what the peer allows (REMB), where that counts
  DataRate acknowledged;                   ///< what arrives at the peer; zero: not known
  DelaySignal signal = DelaySignal::Normal;
  Duration queueDelay;  ///< how much longer packets take than the quickest of late
  bool applicationLimited = false;
  uint32_t probes = 0;  ///< clusters asked for so far
};

/// What to change. Absent members stay as they are.
struct ControlUpdate {
  static constexpr size_t kMaxProbes = 4;

  std::optional<TargetRate> target;
  std::optional<PacerRates> pacer;
  /// How many bytes may be in flight: above it media waits in the pacer, all but sound.
  std::optional<int64_t> congestionWindow;
  std::array<ProbeCluster, kMaxProbes> probeStore{};
  size_t probeCount = 0;

  std::span<const ProbeCluster> probes() const { return {probeStore.data(), probeCount}; }
  void addProbe(const ProbeCluster& probe) {
    if (probeCount < kMaxProbes) probeStore[probeCount++] = probe;
  }
};

/// Decides how fast one transport sends. Thread-compatible; no method calls back.
class PARLEY_EXPORT Controller {
 public:
  virtual ~Controller() = default;
  virtual ControlUpdate onNetworkAvailability(const NetworkAvailability& message) = 0;
  virtual ControlUpdate onRouteChange(const RouteChange& message) = 0;
  virtual ControlUpdate onConstraints(const RateConstraints& message) = 0;
  virtual ControlUpdate onStreamsConfig(const StreamsConfig& message) = 0;
  virtual ControlUpdate onSentPacket(const SentPacket& packet) = 0;
  virtual ControlUpdate onTransportFeedback(const TransportFeedbackReport& report) = 0;
  virtual ControlUpdate onRoundTripTime(const RoundTripTimeReport& message) = 0;
  virtual ControlUpdate onLossReport(const LossReport& message) = 0;
  virtual ControlUpdate onRemoteBitrate(const RemoteBitrateReport& message) = 0;
  virtual ControlUpdate onDataTransfer(const DataTransferReport& message) = 0;
  virtual ControlUpdate onProcess(const ProcessInterval& message) = 0;
  /// When onProcess is due; never() while nothing is sent, so that an idle transport sleeps.
  virtual Timestamp nextDeadline() const = 0;
  virtual EstimatorState state() const = 0;
  /// Whether packets are to leave as ECT(1), so that L4S queues mark them early (RFC 9331), where
  /// the peer reports the marks.
  virtual bool wantsEarlyMarks() const { return false; }
};

/// Makes one controller per transport.
class PARLEY_EXPORT ControllerFactory {
 public:
  virtual ~ControllerFactory() = default;
  virtual std::unique_ptr<Controller> create(const RateConstraints& constraints) const = 0;
};

}  // namespace parley::congestion
