#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/codec/encoded_frame.h"
#include "parley/congestion/controller.h"
#include "parley/media/prepared_packet.h"
#include "parley/media/receive_hub.h"
#include "parley/media/receive_types.h"
#include "parley/media/send_stream.h"

namespace parley::media {

/// What a session starts with, and follows after renegotiation (RtpSession::reconfigure).
struct RtpSessionConfig {
  std::string cname;                  ///< RFC 7022; one per PeerConnection
  congestion::RateConstraints rates;  ///< `time` is not used
  /// Largest RTP or RTCP packet before SRTP. 1200 with the SRTP trailer stays below 1280 - 48.
  size_t maxPacketSize = 1200;
  bool reducedSizeRtcp = false;        ///< `a=rtcp-rsize` on both sides: we may send RFC 5506
  bool receiverReferenceTime = false;  ///< stamps of RFC 3611: measure RTT also to what we receive
  ArrivalFeedback arrivalFeedback = ArrivalFeedback::None;
  /// The peer reports arrivals as of RFC 8888 (`a=rtcp-fb:* ack ccfb`): packets need no
  /// transport-wide number then, and may ask for early congestion marks.
  bool peerReportsRfc8888 = false;
  /// Whether streams stop that nobody hears, nobody reports on, or that lose too much (RFC 8083).
  bool circuitBreaker = true;
  /// nullptr = GCC. Only used during construction.
  const congestion::ControllerFactory* controllers = nullptr;
};

/// A plaintext packet to protect and send.
struct OutgoingPacket {
  PacketBuf data;
  bool isRtcp = false;
  TxClass txClass = TxClass::Media;
  uint8_t dscp = 0;  ///< 6 bits
  Ecn ecn = Ecn::NotEct;
};

/// The peer cannot go on without a key frame, or we dropped a frame. At most one per 300 ms and
/// stream.
struct KeyFrameRequested {
  SendStreamId stream{};
};
/// What an encoder should aim at from now on; zero = pause. Only the latest is kept per stream.
struct TargetBitrateChanged {
  SendStreamId stream{};
  DataRate rate;
  double lossFraction = 0;  ///< for codecs with redundancy of their own
  Duration roundTripTime;
};
/// What is estimated has changed. At most one per 50 ms, and only if asked for
/// (reportEstimates).
struct EstimateChanged {
  BandwidthStats estimate;
};
/// The peer sends under an SSRC of this stream (RFC 3550 section 8.2): it has said BYE under it and
/// goes on under others, which sendStream() tells.
struct SsrcChanged {
  SendStreamId stream{};
};
/// A circuit breaker has stopped the stream, or lets it go on: what is given to a stopped one is
/// refused. It goes on when the path changes or the transport is connected anew, when it is made
/// active again (updateSendStream), and, after RtcpTimeout, when a peer is heard again that had
/// reported on it before.
struct SendStreamStopped {
  SendStreamId stream{};
  std::optional<CircuitBreakerReason> reason;  ///< nothing: it goes on
};
using RtpEvent = std::variant<std::monostate, KeyFrameRequested, TargetBitrateChanged, SourceEvent,
                              EstimateChanged, SsrcChanged, ToneEvent, SendStreamStopped>;

/// Datagrams and packets that led to nothing.
struct RtpSessionDrops {
  uint64_t malformedRtp = 0;
  uint64_t malformedRtcp = 0;
  uint64_t ownSsrc = 0;  ///< packets of ours that came back, or one collision too many
  /// Times that the peer was found to use an SSRC of ours; we take others then, each next time
  /// after twice the time, 32 times at most. Nothing is lost by these.
  uint64_t ssrcCollisions = 0;
  uint64_t outboundQueue = 0;  ///< the owner did not poll
  uint64_t packetPool = 0;     ///< no buffer
  uint64_t forwarded = 0;      ///< packets given to sendPackets in vain
  uint64_t foreign = 0;        ///< given to sendForeign twice, or too late
};

/// All RTP and RTCP of one transport, in plaintext: the owner does SRTP. Sending streams, the
/// ReceiveHub, RTCP, pacing and congestion control, wired together.
///
/// A machine (src/README.md, rules M1 to M10). Thread-compatible. Steady-state packets do not
/// allocate. Without media in either direction its only deadlines are RTCP reports, and without
/// streams and receivers it has none. Bounds: Limits::maxQueuedTransmits packets wait in the pacer
/// and as many for pollTransmit (then the newest are dropped and counted), Limits::maxQueuedEvents
/// events.
class PARLEY_EXPORT RtpSession {
 public:
  RtpSession(const Environment& environment, const RtpSessionConfig& config);
  ~RtpSession();
  RtpSession(const RtpSession&) = delete;
  RtpSession& operator=(const RtpSession&) = delete;

  // --- control
  /// Follows renegotiation; `controllers` is ignored.
  void reconfigure(const RtpSessionConfig& config, Timestamp now);
  /// Errors: NotSupported if no payload format has the codec's name, InvalidAccess if an SSRC is in
  /// use, ResourceExhausted beyond 256 streams.
  Result<SendStreamId> addSendStream(const SendStreamConfig& config, Timestamp now);
  /// Keeps the SSRCs. Errors: NotFound, NotSupported as above, InvalidModification for another
  /// kind.
  Result<void> updateSendStream(SendStreamId id, const SendStreamConfig& config, Timestamp now);
  /// Forgets the stream and says BYE for it, if it ever sent.
  void removeSendStream(SendStreamId id, Timestamp now);
  /// Adds a receiver or replaces the configuration of the one with its id.
  void setReceiver(const ReceiveConfig& config, Timestamp now);
  void removeReceiver(ReceiverId id, Timestamp now);
  void setMinimumPlayoutDelay(ReceiverId id, Duration delay);
  /// Before the transport is connected nothing is sent; frames are refused.
  void setNetworkAvailable(bool available, Timestamp now);
  /// The path changed: the estimate starts again, at what is known of the new path from before, or
  /// as at the beginning.
  void onRouteChange(Timestamp now, std::optional<DataRate> known = {});
  /// Data channels share the path: what they sent and what of it was acknowledged since the former
  /// call, in bytes, and whether they have more.
  void onDataTransfer(int64_t bytesSent, int64_t bytesAcked, bool waiting, Timestamp now);
  /// What data channels may send: the estimate less what the encoders are given. Infinite while no
  /// media is sent or nothing is known of the path.
  DataRate dataRate(Timestamp now) const;
  /// Whether EstimateChanged is wanted.
  void reportEstimates(bool wanted);
  /// Overhead or another path MTU changed what fits.
  void setMaxPacketSize(size_t bytes);
  /// Says BYE for all streams; poll it out. Nothing is sent or accepted afterwards.
  void close(Timestamp now);

  // --- media in
  /// Errors: NotFound, InvalidState (no network yet, closed, or SendStreamStopped), Type (not this
  /// stream's kind, empty), ResourceExhausted (dropped: the pacer is full; a key frame is asked
  /// for). After an error the stream refuses delta frames until the next key frame.
  Result<void> sendVideo(SendStreamId id, const codec::EncodedVideoFrame& frame, Timestamp now);
  Result<void> sendAudio(SendStreamId id, const codec::EncodedAudioFrame& frame, Timestamp now);
  /// Sends a telephone event (RFC 4733) of this length, in place of the stream's sound meanwhile.
  /// Errors: NotFound, InvalidState (no network), NotSupported (no event payload type).
  Result<void> sendTone(SendStreamId id, uint8_t event, Duration duration, Timestamp now);
  /// Sends a packet that was made elsewhere, in place of frames: paced, repeated on request and
  /// counted like them. Its numbers go on where the stream is, gaps included; a source with another
  /// SSRC, or that jumps by more than 3000 packets, begins anew behind what was sent. Its frames
  /// get no FEC, and its sound no redundancy. One that comes twice, or too late, is dropped
  /// (RtpSessionDrops::foreign).
  /// Errors: NotFound, InvalidState (no network yet, closed, inactive, or the stream
  /// `takesPackets`), NotSupported (no payload type for events), Range (more than 1430 bytes with
  /// the stream's header), ResourceExhausted (dropped: the pacer is full; a key frame is asked
  /// for).
  Result<void> sendForeign(SendStreamId id, const ForeignPacket& packet, Timestamp now);
  /// Packets for a stream with `takesPackets`: with its SSRC, payload type and extension ids, and
  /// numbers of the caller's. A repetition is given as it was the first time and leaves as RTX.
  /// What cannot be sent (no network, not of this stream, a repetition without RTX, a full pacer)
  /// is dropped and counted (RtpSessionDrops::forwarded). The buffers are moved out.
  void sendPackets(SendStreamId id, std::span<PreparedPacket> packets, Timestamp now);
  /// Nothing if the stream is unknown or has not sent anything.
  std::optional<SentPosition> sentPosition(SendStreamId id, Timestamp now) const;
  /// Asks the sender for a key frame, rate-limited. Frames go on coming.
  void requestKeyFrame(ReceiverId id, Timestamp now);
  /// The same for one source of a receiver.
  void requestKeyFrameOf(uint32_t ssrc, Timestamp now);
  /// The decoder cannot go on without a key frame: asks for one, and hands out nothing else until
  /// it is there. Where the peer takes no such requests (no PLI, no FIR) frames go on coming.
  void decoderLostState(ReceiverId id, Timestamp now);

  // --- packets in, after SRTP
  void handleRtp(PacketBuf packet, Timestamp now, Ecn ecn = Ecn::NotEct);
  void handleRtcp(ByteSpan packet, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  // --- out
  bool pollTransmit(OutgoingPacket& out);
  bool pollEvent(RtpEvent& out);
  /// The next video frame that is due. `out.payload` keeps its capacity.
  bool pollFrame(ReceivedFrame& out);
  bool pollAudio(AudioPlayoutUnit& out);
  /// Of receivers that hand on packets.
  bool pollPacket(ReceivedPacket& out);
  /// Of streams that take packets. 1024 wait at most, then the newest are dropped.
  bool pollMissing(MissingPacket& out);

  // --- observation
  void sendStats(std::vector<SendStreamStats>& out) const;
  void receiveStats(std::vector<InboundStats>& out) const;
  void sources(ReceiverId id, Timestamp now, std::vector<RtpSource>& out) const;
  BandwidthStats bandwidth() const;
  const RtpSessionDrops& drops() const;
  /// The receiver that got packets of this SSRC.
  std::optional<ReceiverId> receiverOf(uint32_t ssrc) const;
  /// The configuration of a receiver; nullptr for an unknown id.
  const ReceiveConfig* receiver(ReceiverId id) const;
  /// SSRCs of a stream as finally chosen, until SsrcChanged; nullptr for an unknown id.
  const SendStreamConfig* sendStream(SendStreamId id) const;
  /// What is added to the timestamps of its frames on the wire (RFC 3550 section 5.1). 0 for an
  /// unknown one.
  uint32_t timestampOffset(SendStreamId id) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::media
