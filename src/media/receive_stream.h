#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/seq_num.h"
#include "parley/base/time.h"
#include "parley/media/receive_types.h"
#include "parley/rtp/extensions/abs_capture_time.h"
#include "parley/rtp/fec/fec_packet.h"
#include "parley/rtp/packet_view.h"

#include "media/fec_decoder.h"
#include "media/held_share.h"
#include "media/nack_tracker.h"
#include "media/reception_statistics.h"
#include "media/recycling_queue.h"

namespace parley::media {

/// How a packet came.
enum class Arrival : uint8_t {
  Direct,
  Repeated,  ///< as a retransmission (RFC 4588)
  Restored,  ///< from FEC: it never came itself
};

/// One source (SSRC) of a receiver. Its owner, the hub, has sorted packets by source and undone
/// retransmission; what differs between audio and video is in the derived classes.
class ReceiveStream {
 public:
  ReceiveStream(const Environment& environment, const ReceiveConfig& config, uint32_t ssrc,
                HeldTotals& held);
  virtual ~ReceiveStream() = default;

  /// `config` is the owner's current one and holds `codec`.
  void handlePacket(PacketBuf packet, const rtp::PacketView& view, const ReceiveConfig& config,
                    const ReceiveCodec& codec, Arrival arrival, Timestamp now);
  /// A FEC packet that repairs this source. `fec` was parsed from `packet`.
  virtual void handleFec(PacketBuf, const rtp::FecPacket&, Timestamp) {}
  /// The next packet that FEC has restored: it is to be handled as Arrival::Restored.
  bool pollRestored(PacketBuf& out) { return fec_ && fec_->poll(out); }
  void noteMalformed() { ++counters_.malformedPackets; }
  void handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now) {
    statistics_.handleSenderReport(report, now);
  }
  void noteEcn(Ecn ecn) {
    if (ecn == Ecn::Ect1) ++counters_.packetsReceivedWithEct1;
    if (ecn == Ecn::Ce) ++counters_.packetsReceivedWithCe;
  }
  /// Of a report of RFC 8888 that was written.
  void noteReported(uint64_t lost, uint64_t recovered) {
    counters_.packetsReportedAsLost = counters_.packetsReportedAsLost.value_or(0) + lost;
    counters_.packetsReportedAsLostButRecovered =
        counters_.packetsReportedAsLostButRecovered.value_or(0) + recovered;
  }
  /// How long a receiver report to this sender and its answer took together (RFC 3611 section 4.5).
  void noteRoundTrip(Duration rtt) {
    counters_.roundTripTime = rtt;
    counters_.totalRoundTripTime += rtt;
    ++counters_.roundTripTimeMeasurements;
  }
  /// A ForwardReceiveStream; else one of the receiver's kind.
  virtual bool handsOnPackets() const { return false; }
  virtual void advance(Timestamp now) = 0;
  virtual Timestamp nextDeadline() const = 0;
  virtual void setRtt(Duration rtt);
  /// The same, but known: not what is assumed before the first measurement.
  void noteMeasuredRtt(Duration rtt) { measuredRtt_ = rtt; }
  virtual void setMinimumDelay(Duration delay) = 0;
  /// Extra delay that keeps this source in step with another one.
  virtual void setSyncDelay(Duration delay) = 0;
  virtual void requestKeyFrame(Timestamp) {}
  virtual void decoderLostState(Timestamp) {}
  /// How much later than its capture (by the sender's clock) a sample is played, without the sync
  /// delay. Only differences between sources of one sender mean anything.
  virtual std::optional<Duration> captureToPlayout() const = 0;

  /// The session holds too much, and most of it is ours: gives up what waits.
  virtual void shed(Timestamp now) = 0;
  size_t heldPackets() const { return heldPackets_.value(); }
  size_t heldFrameBytes() const { return heldFrameBytes_.value(); }

  bool pollFeedback(FeedbackRequest& out) { return feedback_.pop(out); }
  void fillStats(InboundStats& out) const;

  uint32_t ssrc() const { return ssrc_; }
  ReceiverId receiver() const { return receiver_; }
  MediaKind kind() const { return kind_; }
  const std::string& rid() const { return rid_; }
  void setRid(std::string_view rid) { rid_ = rid; }
  /// By its rid, or because a description says so.
  bool isLayer() const { return layer_ || !rid_.empty(); }
  void setLayer(bool layer) { layer_ = layer; }
  std::optional<uint32_t> rtxSsrc() const { return rtxSsrc_; }
  void setRtxSsrc(uint32_t ssrc) { rtxSsrc_ = ssrc; }
  std::optional<uint32_t> fecSsrc() const { return fecSsrc_; }
  void setFecSsrc(uint32_t ssrc) { fecSsrc_ = ssrc; }
  NackTracker& nack() { return nack_; }
  ReceptionStatistics& statistics() { return statistics_; }
  Timestamp lastHeard() const { return lastHeard_; }

  /// A BYE was received; cleared by the next packet.
  std::optional<Timestamp> endedAt;
  /// When a report block was last made; the zero time if never.
  Timestamp lastReport;

 protected:
  /// A media packet, after the bookkeeping that all have in common. `sequence` and `rtp` are
  /// unwrapped.
  virtual void receive(PacketBuf packet, const rtp::PacketView& view, const ReceiveConfig& config,
                       const ReceiveCodec& codec, int64_t sequence, int64_t rtp, Arrival arrival,
                       Timestamp now) = 0;
  /// The sender started a new sequence with the same SSRC: forget everything.
  virtual void restart() = 0;
  virtual void fillKindStats(InboundStats& out) const = 0;
  /// To be told after every change.
  void noteHeld(size_t packets, size_t frameBytes) {
    heldPackets_.set(packets);
    heldFrameBytes_.set(frameBytes);
  }
  /// A FEC packet is to restore what is lost of this source. Others are kept for it while such
  /// come.
  void addFec(PacketBuf packet, const rtp::FecPacket& fec, Timestamp now);
  /// What FEC may need to restore others.
  void keepForFec(const rtp::PacketView& view, const ReceiveConfig& config, int64_t sequence,
                  Arrival arrival);
  /// Keeps nothing more once no FEC has come for long, or nothing at all (`silent`).
  void expireFec(bool silent, Timestamp now);
  void clearFec() {
    if (fec_) fec_->clear();
  }
  /// After so long without FEC packets are not kept for it any more.
  static constexpr Duration kFecMemory = Duration::seconds(10);
  size_t heldForFec() const { return fec_ ? fec_->held() : 0; }
  Timestamp lastFec() const { return fec_ ? fec_->lastFec() : Timestamp::never(); }
  Duration rtt() const { return rtt_; }
  /// Queues requests for missing packets that are due.
  void collectNacks(Timestamp now);
  /// Queues a request for a key frame: a PLI, or a FIR where only that was agreed.
  void pushKeyFrameRequest();
  /// M4: while nobody polls the requests, no time is worth waking up for.
  Timestamp nackDeadline() const {
    return feedback_.full() || !nackEnabled_ ? Timestamp::never() : nack_.nextDeadline();
  }
  /// By the sender's clock, as its reports tell. Only differences mean anything.
  std::optional<Timestamp> captureBySender(uint32_t rtpTimestamp) const;
  struct Captured {
    std::optional<NtpTime> time;
    std::optional<int64_t> clockOffset;  ///< see ReceivedFrame::captureClockOffset
    std::optional<Timestamp> here;       ///< by our own clock, as far as that can be estimated
  };
  /// As abs-capture-time told lately, carried on by the RTP clock; else by the reports. Not for
  /// playing sources in step: behind a server the two clocks differ, and not all sources tell.
  Captured capturedAt(uint32_t rtpTimestamp) const;

  const Environment& environment_;
  InboundStats counters_;
  NackTracker nack_;
  ReceptionStatistics statistics_;
  RecyclingQueue<FeedbackRequest> feedback_{8};
  bool nackEnabled_ = false;
  bool pli_ = false;
  bool fir_ = false;
  Timestamp lastHeard_;

 private:
  enum class Order : uint8_t { Normal, Suspect, Restart };
  Order orderOf(uint16_t sequence);

  uint8_t firSequence_ = 0;
  ReceiverId receiver_;
  MediaKind kind_;
  uint32_t ssrc_;
  std::string mid_;
  std::string rid_;
  bool layer_ = false;
  std::optional<uint32_t> rtxSsrc_;
  std::optional<uint32_t> fecSsrc_;
  SeqUnwrapper<uint16_t> sequences_;
  SeqUnwrapper<uint32_t> timestamps_;
  /// The newest capture time that was told.
  struct Capture {
    uint32_t rtp = 0;
    rtp::AbsCaptureTimeValue value;
    uint32_t clockRate = 0;
  };
  std::optional<Capture> capture_;
  std::optional<Duration> measuredRtt_;
  std::optional<uint16_t> suspectSequence_;
  Duration rtt_ = Duration::millis(100);
  std::unique_ptr<FecDecoder> fec_;  // while FEC comes
  HeldShare heldPackets_;
  HeldShare heldFrameBytes_;
  NackTracker::Sequences due_;
};

}  // namespace parley::media
