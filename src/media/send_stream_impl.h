#pragma once

#include <memory>
#include <optional>
#include <span>

#include "parley/base/environment.h"
#include "parley/base/ring_queue.h"
#include "parley/base/seq_num.h"
#include "parley/codec/encoded_frame.h"
#include "parley/media/prepared_packet.h"
#include "parley/media/send_stream.h"
#include "parley/rtp/extensions/dependency_writer.h"
#include "parley/rtp/extensions/video_layers_allocation.h"
#include "parley/rtp/extensions/video_timing.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/payload_format/payload_format.h"
#include "parley/rtp/rtcp/report_block.h"
#include "parley/rtp/rtcp/sender_report.h"

#include "media/audio_redundancy.h"
#include "media/circuit_breaker.h"
#include "media/fec_encoder.h"
#include "media/foreign_numbers.h"
#include "media/frame_references.h"
#include "media/history.h"
#include "media/pacer.h"
#include "media/protection_plan.h"
#include "media/rate_limits.h"
#include "media/ssrc_patience.h"
#include "media/tone_sender.h"

namespace parley::media {

/// Where the numbers of a source and of its repairs stand.
struct SendNumbers {
  uint16_t sequence = 0;
  uint16_t rtx = 0;
  uint16_t fec = 0;
  uint32_t timestampOffset = 0;
};

/// One outgoing RTP stream: cuts frames into packets with their content extensions, remembers what
/// was sent and repeats it. The way of a packet:
///
///     sendVideo: packetize -> Pacer::push          (content extensions written, send-time ones
///     zero) Pacer::pop -> RtpSession egress: history keeps the packet, a copy is stamped and
///     leaves onNack -> Pacer::push (no bytes) -> Pacer::pop -> buildRetransmission
class SendStream {
 public:
  SendStream(const Environment& environment, SendStreamId id, SendStreamConfig config,
             size_t maxPacketSize);

  SendStreamId id() const { return id_; }
  const SendStreamConfig& config() const { return config_; }
  uint32_t timestampOffset() const { return timestampOffset_; }
  /// SSRCs stay; everything else follows the new configuration.
  void update(const SendStreamConfig& config);
  /// Goes on as another source: numbers, reports and statistics start again, with a key frame; time
  /// goes on. RTX and FEC follow as far as they are agreed.
  void begin(uint32_t ssrc, uint32_t rtxSsrc, uint32_t fecSsrc);
  /// Whether this is one of the packets that left last, by its numbers.
  bool hasSentLately(const rtp::PacketView& packet) const;
  /// The next ones.
  SendNumbers numbers() const {
    return {static_cast<uint16_t>(nextSequence_), nextRtxSequence_, nextFecSequence_,
            timestampOffset_};
  }
  /// Before the first packet: its SSRCs have been sent under before, up to these.
  void goOnFrom(const SendNumbers& numbers);
  void setMaxPacketSize(size_t bytes) { maxPacketSize_ = bytes; }
  /// Frames were lost before they reached us.
  void skipToKeyFrame() { awaitingKeyFrame_ = true; }
  bool awaitsKeyFrame() const { return awaitingKeyFrame_; }
  /// What the sender sends of all its layers, to be told to the peer.
  void setLayersAllocation(const rtp::VideoLayersAllocationValue& layers) {
    if (layers == layers_) return;
    layers_ = layers;
    layersTold_.reset();
  }
  bool usable() const { return packetizer_ != nullptr || config_.takesPackets; }

  // --- frames in
  enum class Accepted : uint8_t { Yes, NoRoom, Unfit, AwaitingKeyFrame };
  Accepted sendVideo(const codec::EncodedVideoFrame& frame, Pacer& pacer, Timestamp now);
  Accepted sendAudio(const codec::EncodedAudioFrame& frame, Pacer& pacer, Timestamp now);

  /// A packet of a forwarder's with this stream's SSRC, payload type and extensions. A repetition
  /// leaves as RTX; without RTX it is refused.
  Accepted sendPacket(PacketBuf packet, bool isRepetition, Pacer& pacer, Timestamp now);
  /// Whether a packet of a forwarder's is of this stream and can leave as it is.
  bool fits(const PreparedPacket& packet) const;
  /// Books one that left so.
  void onSentPrepared(const PreparedPacket& packet, Timestamp now);

  /// A packet that was made elsewhere, as one of this stream's (send_stream_foreign.cc).
  enum class Foreign : uint8_t { Yes, NoRoom, TooLarge, Late, NoEvents };
  Foreign sendForeign(const ForeignPacket& foreign, Pacer& pacer, Timestamp now);

  /// In place of sound until it is over.
  void startTone(uint8_t event, Duration duration, Timestamp now);
  void sendTones(Pacer& pacer, Timestamp now);
  /// Repetitions that go out twice.
  void sendSecondCopies(Pacer& pacer, Timestamp now);
  Timestamp nextDeadline() const {
    return earliest(tone_.nextDeadline(),
                    secondCopies_.empty() ? Timestamp::never() : secondCopies_.front().due);
  }

  // --- packets out
  bool keepsHistory() const { return config_.nack && !config_.takesPackets; }
  void remember(int64_t sequence, PacketBuf packet, Timestamp now);
  /// A repetition of a packet of the history, as RTX if there is one; false if it is gone.
  bool buildRetransmission(int64_t sequence, PacketBuf& out, Timestamp now);
  /// Whether repetitions have a source and numbers of their own (RFC 4588).
  bool repeatsAsRtx() const { return config_.rtxSsrc && config_.rtxPayloadType; }
  bool canPad() const;
  /// Something of about `bytes` that does the peer no harm: a repetition, or pure padding.
  bool buildPadding(size_t bytes, PacketBuf& out, Timestamp now);
  /// Books a packet that left.
  void onSent(const PacketBuf& packet, PacketType type, Timestamp queued, Timestamp now);

  // --- feedback in
  void onNack(std::span<const uint16_t> sequences, Pacer& pacer, Duration rtt, Timestamp now);
  /// What the path loses and how long an answer takes; decides how much is sent more than once.
  /// True if what the encoder is given must change with it.
  bool setPath(const LossEstimate& loss, Duration rtt);
  /// How much of what is sent is the encoder's: the rest repairs losses.
  double encoderShare() const { return 1 - repairShare_; }
  /// How much of what was sent lately was sent again because it was asked for; zero while each
  /// repetition goes out once.
  double repetitionShare() const { return repeatsTwice() ? repetitionShare_ : 0; }
  /// How many times its encoder's rate a stream of sound sends.
  size_t copiesOfSound() const { return config_.red ? copies_ : 0; }

  /// True if the application should make a key frame now.
  bool onPli(Timestamp now);
  bool onFir(uint8_t sequence, Timestamp now);
  /// The same, where it is not the peer who asks.
  bool wantKeyFrame(Timestamp now);
  void onReportBlock(const rtp::rtcp::ReportBlock& block, std::optional<Duration> rtt,
                     Timestamp now);
  RateLimits& limits() { return limits_; }
  /// What it may send at most: as configured, but not above what its receivers ask for; who asks
  /// for less than the least it can do gets that.
  DataRate mostAllowed() const;
  /// What they ask for; nothing where none does.
  std::optional<DataRate> requestedLimit() const;
  void cull(Timestamp now, Duration rtt) { history_.cull(now, rtt); }
  void setRetransmissionRate(DataRate rate) { retransmissionRate_ = rate; }

  CircuitBreaker& breaker() { return breaker_; }
  const CircuitBreaker& breaker() const { return breaker_; }
  std::optional<CircuitBreakerReason> stopped() const { return stats_.stopped; }
  /// Sends nothing more, not even what waits.
  void stop(CircuitBreakerReason reason, Pacer& pacer);
  /// Goes on, with a key frame.
  void startAgain();

  // --- reports out
  bool sentSince(Timestamp time) const { return lastSent_ && *lastSent_ >= time; }
  std::optional<Timestamp> lastSent() const { return lastSent_; }
  std::optional<SentPosition> position(Timestamp now) const;
  /// How much later than its timestamp says a packet is sent, in ticks (RFC 5450).
  int32_t transmissionOffset(uint32_t timestamp, Timestamp now) const;
  bool everSent() const { return lastSent_.has_value(); }
  rtp::rtcp::SenderReport senderReport(const WallClock& clock, Timestamp now) const;
  void noteReported(const congestion::PacketResult& packet) {
    if (!stats_.congestionReports) stats_.congestionReports.emplace();
    stats_.congestionReports->add(packet);
  }
  SendStreamStats& stats() { return stats_; }
  const SendStreamStats& stats() const { return stats_; }

  std::optional<DataRate> pendingTarget;  ///< not yet polled
  DataRate given;                         ///< of the bitrate, with repairs
  bool ssrcChanged = false;               ///< and not yet polled
  SsrcPatience ssrcPatience;
  bool noticeDue = false;  ///< a receiver's request is to be answered

 private:
  struct PacketPlan {
    bool first = false;
    bool last = false;
    bool marker = false;
    bool red = false;  ///< wrapped into RED
    uint32_t timestamp = 0;
    rtp::DependencyFrame dependencies;
    const codec::EncodedVideoFrame* video = nullptr;
    const codec::EncodedAudioFrame* audio = nullptr;
    Timestamp now;
  };
  /// So much an element of the one-byte form holds (RFC 8285 section 4.2).
  static constexpr size_t kOneByteMax = 16;
  rtp::PacketHeader header(const PacketPlan& plan, uint16_t sequence) const;
  void addExtensions(rtp::PacketWriter& writer, const PacketPlan& plan) const;
  void addLayers(rtp::PacketWriter& writer, const PacketPlan& plan) const;
  void prepareLayers(PacketPlan& plan, Timestamp now);
  void prepareTiming(const codec::EncodedVideoFrame& frame);
  rtp::VideoTimingValue timingOf(const codec::EncodedVideoFrame& frame) const;
  /// The two-byte form where an element needs it and the peer takes both.
  rtp::ExtensionForm formOf(const PacketPlan& plan) const;
  size_t headerSizeFor(PacketBuf& scratch, const PacketPlan& plan) const;
  rtp::FrameDescription describe(const codec::EncodedVideoFrame& frame);
  rtp::Vp8Descriptor describeVp8(const codec::EncodedVideoFrame& frame, const codec::Vp8Info& info);
  rtp::Vp9Descriptor describeVp9(const codec::EncodedVideoFrame& frame, const codec::Vp9Info& info);
  bool enqueue(PacketBuf packet, int64_t sequence, PacketType type, Pacer& pacer, Timestamp now);
  void buildRtx(const rtp::PacketView& original, PacketBuf& out);
  /// Extrapolated from the last frame.
  uint32_t timestampAt(Timestamp now) const;
  // send_stream_fec.cc
  bool beginProtection(Timestamp now);
  size_t protectionOverhead() const;
  void protect(int64_t sequence, const PacketBuf& packet, size_t headerSize, bool red);
  void finishFrame(const PacketPlan& plan, Pacer& pacer, Timestamp now);
  void sendFec(const PacketPlan& plan, size_t repairs, Pacer& pacer, Timestamp now);
  bool buildFec(size_t index, const PacketPlan& plan, PacketBuf& out);
  size_t writeSound(uint32_t timestamp, ByteSpan frame, MutableByteSpan room, bool red);
  void noteRepairShare(size_t media, size_t repair);
  bool isRed(const rtp::PacketView& packet) const;

  /// RFC 3550 section 5.1: random starts.
  void drawNumbers();
  bool takeRetransmissionBudget(size_t bytes, Timestamp now);
  bool repeatsTwice() const;
  void noteFrameSize(size_t bytes);
  void noteRepetitionShare(size_t bytes, bool repetition);
  void notePreparedTime(uint32_t timestamp, Timestamp now);
  void noteSequence(uint16_t sequence) {
    if (!newestSequence_ || isNewer(sequence, *newestSequence_)) newestSequence_ = sequence;
  }

  const Environment& environment_;
  SendStreamId id_;
  SendStreamConfig config_;
  size_t maxPacketSize_;
  rtp::ExtensionForm form_ = rtp::ExtensionForm::OneByte;
  std::unique_ptr<rtp::Packetizer> packetizer_;
  SendHistory history_;

  int64_t firstSequence_;
  int64_t nextSequence_;
  uint16_t nextRtxSequence_;
  uint32_t timestampOffset_;
  uint16_t pictureId_;
  uint8_t tl0PicIdx_;
  bool awaitingKeyFrame_ = false;
  codec::VideoRotation lastRotation_ = codec::VideoRotation::None;
  std::optional<Timestamp> lastCaptureTimeSent_;
  bool captureTimeDue_ = false;
  std::optional<Timestamp> lastTiming_;      ///< capture time of the last frame that told its times
  uint8_t timingFlags_ = 0;                  ///< why the current one does; 0: it does not
  std::optional<int64_t> playoutDelayFrom_;  ///< the first packet that told the present wish
  bool playoutDelayKnown_ = false;           ///< the peer has reported it, or a later one
  FrameReferences references_;
  rtp::DependencyWriter dependencies_;
  rtp::VideoLayersAllocationValue layers_;
  std::optional<Timestamp> layersTold_;
  bool layersDue_ = false;
  /// The peer has told a report about the SSRC, so it needs no mid and rid any more (RFC 8852).
  bool acknowledged_ = false;

  RateLimits limits_;
  ForeignNumbers foreign_;
  ToneSender tone_;
  uint32_t lastTimestamp_ = 0;  ///< of the last frame, with offset
  Timestamp lastFrameTime_;     ///< its capture time
  std::optional<Timestamp> lastSent_;
  std::optional<uint16_t> newestSequence_;
  bool lastWasMarker_ = false;

  std::optional<Timestamp> lastKeyFrameEvent_;
  std::optional<uint8_t> lastFirSequence_;
  DataRate retransmissionRate_ = DataRate::kbps(300);
  double retransmissionBudget_ = 0;
  std::optional<Timestamp> budgetTime_;
  struct SecondCopy {
    int64_t sequence = 0;
    Timestamp due;
  };
  RingQueue<SecondCopy> secondCopies_{256};
  double repeatedBytes_ = 0;
  double sentBytes_ = 0;  ///< with them
  double repetitionShare_ = 0;
  uint64_t reportPackets_ = 0;
  uint64_t reportOctets_ = 0;
  std::unique_ptr<FecEncoder> fec_;
  uint16_t nextFecSequence_ = 0;
  LossEstimate loss_;
  Duration rtt_;
  std::optional<Timestamp> blockStart_;  // of packets that no FEC packet covers yet
  Timestamp lastVideo_;
  double mediaBytes_ = 0;
  double repairBytes_ = 0;
  double repairShare_ = 0;
  AudioRedundancy earlierSound_;
  size_t copies_ = 0;
  CircuitBreaker breaker_;
  uint64_t frames_ = 0;
  uint64_t frameBytes_ = 0;
  SendStreamStats stats_;
};

}  // namespace parley::media
