#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "parley/base/inline_vector.h"
#include "parley/base/ring_queue.h"
#include "parley/congestion/controller.h"
#include "parley/congestion/feedback_adapter.h"
#include "parley/media/rtp_session.h"
#include "parley/rtp/rtcp/all.h"

#include "media/bitrate_allocator.h"
#include "media/pacer.h"
#include "media/protection_plan.h"
#include "media/rtcp_schedule.h"
#include "media/rtt_tracker.h"
#include "media/send_stream_impl.h"

namespace parley::media {

/// The owner of everything. rtp_session.cc: control and the way of RTP packets.
/// rtp_session_handle.cc: what RtpSession passes on.
/// rtp_session_rtcp.cc: both directions of RTCP.
/// rtp_session_limits.cc: rates that receivers ask for.
/// rtp_session_collision.cc: what to do when the peer uses an SSRC of ours.
class RtpSession::Impl {
 public:
  Impl(const Environment& environment, const RtpSessionConfig& config);

  void reconfigure(const RtpSessionConfig& config, Timestamp now);
  Result<SendStreamId> addSendStream(const SendStreamConfig& config, Timestamp now);
  Result<void> updateSendStream(SendStreamId id, const SendStreamConfig& config, Timestamp now);
  void removeSendStream(SendStreamId id, Timestamp now);
  void setReceiver(const ReceiveConfig& config, Timestamp now);
  void removeReceiver(ReceiverId id, Timestamp now);
  void setNetworkAvailable(bool available, Timestamp now);
  void onRouteChange(Timestamp now, std::optional<DataRate> known);
  void onDataTransfer(int64_t bytesSent, int64_t bytesAcked, bool waiting, Timestamp now);
  DataRate dataRate(Timestamp now) const;
  void reportEstimates(bool wanted) { estimatesWanted_ = wanted; }
  void setMaxPacketSize(size_t bytes);
  void close(Timestamp now);
  Result<void> sendVideo(SendStreamId id, const codec::EncodedVideoFrame& frame, Timestamp now);
  Result<void> sendAudio(SendStreamId id, const codec::EncodedAudioFrame& frame, Timestamp now);
  Result<void> sendTone(SendStreamId id, uint8_t event, Duration duration, Timestamp now);
  Result<void> sendForeign(SendStreamId id, const ForeignPacket& packet, Timestamp now);
  void sendPackets(SendStreamId id, std::span<PreparedPacket> packets, Timestamp now);
  bool pollMissing(MissingPacket& out);
  void requestKeyFrame(ReceiverId id, Timestamp now);
  void requestKeyFrameOf(uint32_t ssrc, Timestamp now);
  void decoderLostState(ReceiverId id, Timestamp now);
  void handleRtp(PacketBuf packet, Timestamp now, Ecn ecn);
  void handleRtcp(ByteSpan packet, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool pollTransmit(OutgoingPacket& out);
  bool pollEvent(RtpEvent& out);
  BandwidthStats bandwidth() const;
  SendStream* find(uint32_t id) const;

  ReceiveHub& hub() { return hub_; }
  const ReceiveHub& hub() const { return hub_; }
  const RtpSessionDrops& drops() const { return drops_; }
  bool peerReportsRfc8888() const { return config_.peerReportsRfc8888; }
  const std::vector<std::unique_ptr<SendStream>>& streams() const { return streams_; }

 private:
  // Control
  bool ssrcInUse(uint32_t ssrc) const { return ownerOf(ssrc) != nullptr; }
  /// The stream that sends under this SSRC, be it media or repair.
  SendStream* ownerOf(uint32_t ssrc) const;
  SendStream* findBySsrc(uint32_t ssrc) const;
  void applyUpdate(const congestion::ControlUpdate& update, Timestamp now);
  void allocate();
  /// What the encoders may produce together: data channels that wait keep a part.
  DataRate mediaBudget() const;
  void describeStreams(Timestamp now);
  BitrateDemand demandOf(const SendStream& stream) const;
  /// Tells the streams of simulcast what all of them send.
  void describeLayers();
  void updateReporting(Timestamp now);
  bool receivesVideo() const;
  Result<void> refuse(SendStream& stream, SendStream::Accepted accepted, Timestamp now);
  /// For a reason of our own, about which the peer has said nothing.
  void wantKeyFrame(SendStream& stream, Timestamp now);
  // RTP out
  void pump(Timestamp now);
  void release(PacedPacket packet, int32_t probeId, Timestamp now);
  size_t sendPadding(size_t bytes, int32_t probeId, Timestamp now);
  /// Writes the send-time extensions. True if the packet takes the next transport-wide number.
  bool stamp(const SendStream& stream, PacketBuf& packet, Timestamp now);
  void transmit(SendStream& stream, PacketBuf packet, PacketType type, Timestamp queued,
                int32_t probeId, bool counted, Timestamp now);
  /// The end of `transmit`, after the stream has booked the packet.
  void leave(SendStream& stream, PacketBuf packet, PacketType type, int32_t probeId, bool counted,
             Timestamp now);
  /// Past the pacer, which lets it.
  void sendAtOnce(SendStream& stream, PreparedPacket packet, PacketType type, Timestamp now);
  void push(OutgoingPacket packet);
  SendStream* paddingStream() const;
  /// What every input ends with.
  void settle(Timestamp now);

  // RTCP in
  void handleBlock(const rtp::rtcp::Block& block, Timestamp now);
  void handleReports(const rtp::rtcp::ReportBlocks& blocks, Timestamp now);
  void handleTransportFeedback(const rtp::rtcp::Block& block, Timestamp now);
  void handlePayloadFeedback(const rtp::rtcp::Block& block, Timestamp now);
  void handleArrivalFeedback(const rtp::rtcp::Block& block, Timestamp now);
  void handleCongestionFeedback(const rtp::rtcp::Block& block, Timestamp now);
  void countReported(std::span<const congestion::PacketResult> packets);
  // Circuit breakers: rtp_session_breaker.cc
  bool isControlled(Timestamp now) const;
  void noteArrivalsTold(Timestamp now);
  void noteReport(Timestamp now);
  void judge(SendStream& stream, std::optional<CircuitBreakerReason> reason, Timestamp now);
  void checkBreakers(Timestamp now);
  Timestamp breakerDeadline() const;
  void startAgain(SendStream& stream, Timestamp now);
  void startAllAgain(Timestamp now);
  void handleExtendedReport(const rtp::rtcp::ExtendedReport& report, Timestamp now);
  // Limits that receivers ask for: rtp_session_limits.cc
  void handleRateRequest(const rtp::rtcp::Tmmb& request, Timestamp now);
  void forgetRateRequests(uint32_t owner, Timestamp now);
  void sendNotices();
  void updateRtt();
  // The peer uses an SSRC of ours: rtp_session_collision.cc
  /// Of a packet with one of ours. False: a packet of ours has come back, and is to be dropped.
  bool isCollision(const rtp::PacketView& packet, Timestamp now);
  void checkReporter(const rtp::rtcp::SourceDescription& sdes, Timestamp now);
  bool changeSsrc(SendStream& stream, Timestamp now);
  void changeOwnSsrc(Timestamp now);
  uint32_t freshSsrc();
  /// Remembers where a stream's numbers stand, before its SSRCs are given up.
  void retire(const SendStream& stream);
  // Repair without asking: rtp_session_layers.cc
  void tellPath(SendStream& stream, Timestamp now);
  void giveTarget(SendStream& stream);
  // RTCP out
  uint32_t reportingSsrc() const;
  void sendReports(Timestamp now);
  void sendFeedback();
  void sendBye(std::span<const uint32_t> ssrcs);
  bool openFeedback();
  ByteWriter feedbackWriter();
  void flushFeedback();
  void finishRtcp(PacketBuf packet, size_t size);
  void writeExtendedReport(ByteWriter& w, bool sending, Timestamp now);
  size_t writeFeedback(ByteWriter& w, const FeedbackRequest& request, size_t taken);

  const Environment& environment_;  // the owner keeps its wall clock right
  RtpSessionConfig config_;
  MonotonicGuard clock_;
  ReceiveHub hub_;
  std::unique_ptr<congestion::Controller> controller_;
  congestion::FeedbackAdapter adapter_;
  Pacer pacer_;
  std::vector<std::unique_ptr<SendStream>> streams_;
  std::vector<BitrateDemand> demands_;
  uint32_t nextStreamId_ = 1;
  struct Receiver {
    ReceiverId id{};
    MediaKind kind = MediaKind::Audio;
  };
  std::vector<Receiver> receivers_;
  bool available_ = false;
  bool closed_ = false;
  congestion::TargetRate target_;
  LossMeter losses_;
  /// What all streams were given of it.
  DataRate allocated_;
  bool dataWaiting_ = false;
  std::optional<Timestamp> lastMediaSent_;
  std::optional<Timestamp> arrivalsToldAt_;
  uint64_t congestionFeedbackSent_ = 0;
  uint64_t congestionFeedbackReceived_ = 0;
  bool estimatesWanted_ = false;
  bool estimateChanged_ = false;
  std::optional<Timestamp> lastEstimateTold_;
  /// Whoever reports before any stream of ours exists.
  uint32_t ownSsrc_;
  SsrcPatience ownSsrcPatience_;
  std::vector<uint32_t> retiredSsrcs_;
  struct FormerSource {
    uint32_t ssrc = 0;
    SendNumbers next;
  };
  /// Streams that are gone, by their media SSRC. A negotiation may bring one back.
  std::vector<FormerSource> formerSources_;
  /// Of the compound that is being handled.
  InlineVector<uint32_t, 31> reporters_;

  RtcpSchedule schedule_;
  RttTracker rtt_;
  struct RemoteReference {
    uint32_t ssrc = 0;
    uint32_t compactNtp = 0;
    Timestamp received;
  };
  InlineVector<RemoteReference, rtp::rtcp::ExtendedReport::kMaxDlrr> remoteReferences_;
  struct LossState {
    uint32_t ssrc = 0;
    int64_t lost = 0;
    uint32_t highest = 0;
  };
  std::vector<LossState> lossStates_;

  RingQueue<OutgoingPacket> outbound_;
  RingQueue<RtpEvent> events_;
  RingQueue<MissingPacket> missing_{1024};
  RtpSessionDrops drops_;
  // Reused, so that steady state does not allocate.
  std::vector<rtp::rtcp::ReportBlock> reportBlocks_;
  rtp::rtcp::TransportFeedback arrivalFeedback_;
  std::vector<congestion::FeedbackAdapter::Arrival> arrivals_;
  rtp::rtcp::CongestionFeedback congestionFeedback_;
  std::vector<congestion::FeedbackAdapter::RtpArrival> rtpArrivals_;
  std::vector<congestion::FeedbackAdapter::RtpArrivals> rtpStreams_;
  FeedbackRequest feedbackRequest_;
  std::optional<Timestamp> noticeAt_;
  std::optional<Timestamp> lastNotice_;
  RateReport rateReport_;
  /// The compound of feedback being written.
  PacketBuf feedbackPacket_;
  size_t feedbackSize_ = 0;
  size_t feedbackPrefix_ = 0;
  std::array<uint8_t, 1500> arrivalScratch_;
};

}  // namespace parley::media
