#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/ring_queue.h"
#include "parley/base/units.h"
#include "parley/jsep/capabilities.h"
#include "parley/jsep/delta.h"
#include "parley/jsep/description_text.h"
#include "parley/jsep/lane.h"
#include "parley/jsep/state.h"
#include "parley/jsep/transceivers.h"
#include "parley/jsep/types.h"
#include "parley/media/packet_marking.h"
#include "parley/media/rtp_session.h"
#include "parley/transport/peer_transport.h"

// jsep: offer and answer, transceivers, and the coordinator that applies what was negotiated to the
// transports and their RTP sessions. May use sdp, transport and media; knows no sockets and no
// callbacks.

namespace parley::jsep {

/// What a session is made with.
struct SessionConfig {
  transport::TransportConfig transport;
  /// Of certificates that the user has beside the one in use (RFC 8122 section 5).
  std::vector<dtls::Fingerprint> otherFingerprints;
  /// Bounds of the bandwidth estimate; the rest is filled in from what is negotiated.
  congestion::RateConstraints rates;
  /// nullptr = GCC. Must outlive the session.
  const congestion::ControllerFactory* controllers = nullptr;
  bool circuitBreaker = true;  ///< RtpSessionConfig::circuitBreaker
  BundlePolicy bundlePolicy = BundlePolicy::Balanced;
  /// Codecs and header extensions that may be negotiated; identity and credentials are filled in.
  LocalCapabilities capabilities;
  /// Where RED for sound is agreed: whether losses may turn it on. False: only a description that
  /// prefers it to the codec it carries does, as with browsers.
  bool redundantSoundOnLoss = true;
};

/// What an application asks of one encoding of a sender (RTCRtpEncodingParameters).
struct SenderTuning {
  std::optional<DataRate> maxBitrate;
  double priority = 1;  ///< its share of the rate in proportion to other senders'
  media::NetworkPriority networkPriority = media::NetworkPriority::Low;
  bool active = true;
  double scaleDownBy = 1;  ///< of its picture; what it can use of the rate follows from the size
  std::optional<sdp::CodecParams> codec{};  ///< of the negotiated ones; nothing: the first
  /// The names of those that its frames can be in; empty: any. With none of them negotiated,
  /// nothing is sent.
  std::vector<std::string> makes{};
  std::optional<rtp::PlayoutDelayValue> playoutDelay{};  ///< for the peer's jitter buffer
  bool operator==(const SenderTuning&) const = default;
};

// What a session tells its owner, in the order in which the W3C specification fires the events.
struct SignalingStateChanged {
  SignalingState state;
};
/// The descriptions as the getters are to show them from now on.
struct DescriptionsChanged {
  std::optional<DescriptionText> currentLocal, pendingLocal, currentRemote, pendingRemote;
};
/// A candidate of this end, as a=candidate has it, and where it belongs.
struct LocalCandidate {
  std::string candidate;
  std::string mid;
  uint16_t mLineIndex = 0;
  std::string ufrag;
  std::optional<std::string> url;
  std::optional<std::string> relayProtocol;
  uint32_t transport = 0;            ///< number of its transport, 0 being the first
  DescriptionsChanged descriptions;  ///< with the candidate in them
};
/// Where the end-of-candidates mark of a generation belongs.
struct CandidatesEnd {
  std::string mid;
  uint16_t mLineIndex = 0;
  std::string ufrag;
};
struct GatheringStateChanged {
  transport::GatheringState state;
  std::optional<CandidatesEnd> end;  ///< when complete
  DescriptionsChanged descriptions;
  uint32_t transport = 0;
};
/// A server that could not be used (RTCPeerConnectionIceErrorEvent).
struct LocalCandidateError {
  std::optional<std::string> address;
  std::optional<uint16_t> port;
  std::string url;
  int code = 0;
  std::string text;
};
struct SelectedPairChanged {
  uint32_t transport = 0;
};
struct IceStateChanged {
  ice::IceConnectionState state;
  uint32_t transport = 0;
};
struct DtlsStateChanged {
  dtls::Event event;
  uint32_t transport = 0;
};
/// A transport beside the first is there from now on, until it ends: its sections are gone or have
/// joined a bundle.
struct TransportAdded {
  uint32_t transport = 0;
};
struct TransportEnded {
  uint32_t transport = 0;
};
/// The peer sends on this transceiver: the `track` event.
struct TrackAdded {
  uint32_t transceiver = 0;
  MediaKind kind{};
  std::vector<std::string> streams;
};
/// It sends no more: the receiver's track falls silent.
struct TrackRemoved {
  uint32_t transceiver = 0;
};
/// A remote stream has gained or lost the track of a receiver.
struct StreamTrackChanged {
  std::string stream;
  uint32_t transceiver = 0;
  bool added = false;
};
/// Negotiation has stopped it, from whichever end.
struct TransceiverStopped {
  uint32_t transceiver = 0;
};
/// No longer there: the offer that made them was rolled back, or their section was rejected after
/// they had stopped.
struct TransceiversRemoved {
  std::vector<uint32_t> transceivers;
};
/// Packets of the remote track have begun to arrive (W3C: unmute).
struct TrackUnmuted {
  uint32_t transceiver = 0;
};
/// What a sender is to produce from now on.
struct SenderConfigured {
  struct Encoding {
    std::string rid;                        ///< empty without simulcast
    std::optional<sdp::CodecParams> codec;  ///< nothing: it is not sent
    uint32_t ssrc = 0;
    uint32_t timestampOffset = 0;  ///< see RtpSession::timestampOffset
    bool samplesPictures = false;  ///< for corruption detection: samples of some go along
  };
  uint32_t transceiver = 0;
  MediaKind kind{};
  std::vector<Encoding> encodings;  ///< all that the sender has
};
/// What a receiver is to be ready for from now on.
struct ReceiverConfigured {
  uint32_t transceiver = 0;
  MediaKind kind{};
  std::vector<sdp::CodecParams> codecs;
  bool active = false;
};
/// The peer cannot go on without a key frame of this encoding; without a rid: of the only one.
struct KeyFrameRequested {
  uint32_t transceiver = 0;
  std::string rid;
};
/// What the encoder of this encoding is to produce from now on; zero is a pause.
struct TargetBitrate {
  uint32_t transceiver = 0;
  DataRate rate;
  double lossFraction = 0;
  std::string rid;
};
/// One encoding of a sender, wherever it is sent.
struct SenderEncoding {
  uint32_t transceiver = 0;
  std::string rid;  ///< as the sender knows it, also where it is sent without
};
/// What may be sent is estimated anew; only if asked for (reportEstimates).
struct EstimateChanged {
  media::BandwidthStats estimate;
};
/// `tone.receiver` is the transceiver's number.
struct ToneReceived {
  media::ToneEvent tone;
};
/// A circuit breaker has stopped an encoding, or lets it go on (media::SendStreamStopped).
struct SenderStopped {
  uint32_t transceiver = 0;
  std::string mid;
  std::string rid;
  std::optional<media::CircuitBreakerReason> reason;  ///< nothing: it goes on
};
using SessionEvent =
    std::variant<std::monostate, SignalingStateChanged, DescriptionsChanged, LocalCandidate,
                 GatheringStateChanged, LocalCandidateError, SelectedPairChanged, IceStateChanged,
                 DtlsStateChanged, TransportAdded, TransportEnded, TrackAdded, TrackRemoved,
                 StreamTrackChanged, TransceiverStopped, TransceiversRemoved, TrackUnmuted,
                 SenderConfigured, ReceiverConfigured, KeyFrameRequested, TargetBitrate,
                 EstimateChanged, ToneReceived, SenderStopped>;

/// One peer connection without threads and callbacks: a machine. The methods are those of
/// RTCPeerConnection with the asynchronous ones made synchronous: each runs to its end and leaves
/// its events in the queue, in the order in which the W3C specification fires them.
class PARLEY_EXPORT Session {
 public:
  Session(Environment& environment, SessionConfig config, Timestamp now);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Negotiation. InvalidState once closed; other errors as of PeerConnection's methods.
  Result<std::string> createOffer(bool iceRestart, Timestamp now);
  Result<std::string> createAnswer(Timestamp now);
  /// Without a type: whatever the state asks for. With an empty text: what createOffer or
  /// createAnswer would give now.
  Result<void> setLocalDescription(std::optional<SdpType> type, const std::string& sdp,
                                   Timestamp now);
  Result<void> setRemoteDescription(SdpType type, const std::string& sdp, Timestamp now);
  /// The same with what `readRemoteDescription` gave; not for a rollback.
  Result<void> applyRemoteDescription(SdpType type, const sdp::SessionDescription& description,
                                      Timestamp now);
  Result<void> addIceCandidate(const std::string& candidate, const std::optional<std::string>& mid,
                               std::optional<uint16_t> mLineIndex,
                               const std::optional<std::string>& ufrag, Timestamp now);
  /// The next offer has new credentials.
  void restartIce(Timestamp now);
  /// See ice::Agent.
  bool selectPair(uint32_t transport, uint32_t pair, Timestamp now);
  bool removePair(uint32_t transport, uint32_t pair, Timestamp now);
  /// Servers and policy for the next time that candidates are gathered.
  void setServers(ice::GathererConfig config, Timestamp now);
  /// RTCConfiguration.iceCandidatePoolSize (RFC 9429 section 3.5.4): gathers before there is a
  /// local description. What is found is told once there is one. Nothing happens if there is one
  /// already.
  void gatherEarly(Timestamp now);
  /// RTCPeerConnection.canTrickleIceCandidates.
  std::optional<bool> remoteTrickles() const;
  /// "Check if negotiation is needed" (webrtc-pc section 4.7.3). When to ask, and when to fire the
  /// event, is up to whoever runs the operations chain.
  bool isNegotiationNeeded() const;

  // What the operations refuse at once, before anything is queued; the state stays as it is.
  /// InvalidState in a state that has no such step; InvalidModification for a text that is not the
  /// one that createOffer or createAnswer gave last (webrtc-pc section 4.4.2).
  Result<void> checkLocalDescription(std::optional<SdpType> type, const std::string& sdp) const;
  /// InvalidState unless there is a remote offer to roll back.
  Result<void> checkRemoteRollback() const;
  /// Reads a remote description; InvalidState in a state that takes none of this type.
  Result<sdp::SessionDescription> readRemoteDescription(SdpType type, const std::string& sdp) const;
  /// Tries what that gave, without applying it.
  Result<void> tryRemoteDescription(SdpType type, const sdp::SessionDescription& description) const;
  /// InvalidState without a remote description; Operation for a section or ufrag unknown to it.
  Result<void> checkIceCandidate(const std::optional<std::string>& mid,
                                 std::optional<uint16_t> mLineIndex,
                                 const std::optional<std::string>& ufrag) const;
  const SessionState& state() const { return state_; }
  bool closed() const { return closed_; }

  // Transceivers (session_transceivers.cc). Type for stream ids that SDP cannot carry
  // (jsep::streamIds).
  Result<uint32_t> addTrack(MediaKind kind, const std::string& trackId,
                            std::vector<std::string> streams, Timestamp now);
  /// The transceiver whose idle sender addTrack() would use; nothing if it would make a new one.
  std::optional<uint32_t> idleSender(MediaKind kind) const;
  void removeTrack(uint32_t transceiver, Timestamp now);
  Result<uint32_t> addTransceiver(MediaKind kind, TransceiverDirection direction,
                                  std::vector<std::string> streams, const std::string& trackId,
                                  Timestamp now, const std::vector<std::string>& rids = {},
                                  std::vector<std::string> receiveRids = {},
                                  bool layersBySsrc = false);
  /// Replaces the application's choice of header extensions (webrtc-extensions).
  void setHeaderExtensions(uint32_t transceiver, std::vector<HeaderExtensionChoice> choices);
  const LocalCapabilities& capabilities() const { return capabilities_; }
  void setSenderHasTrack(uint32_t transceiver, bool hasTrack);
  Result<void> setStreams(uint32_t transceiver, std::vector<std::string> streams, Timestamp now);
  Result<void> setDirection(uint32_t transceiver, TransceiverDirection direction, Timestamp now);
  void stopTransceiver(uint32_t transceiver, Timestamp now);
  Result<void> setCodecPreferences(uint32_t transceiver,
                                   const std::vector<sdp::CodecParams>& codecs, Timestamp now);
  const TransceiverState* transceiver(uint32_t id) const { return state_.find(TransceiverId(id)); }

  // Media. Frames of a transceiver that does not send are dropped.
  void sendVideo(uint32_t transceiver, const codec::EncodedVideoFrame& frame, Timestamp now,
                 const std::string& rid = {});
  void sendAudio(uint32_t transceiver, const codec::EncodedAudioFrame& frame, Timestamp now);
  /// Whether telephone events are agreed with what a transceiver sends at present.
  bool canSendTone(uint32_t transceiver) const;
  /// See RtpSession::sendTone.
  void sendTone(uint32_t transceiver, uint8_t event, Duration duration, Timestamp now);
  /// See RtpSession::sendForeign. What cannot be sent at present is dropped.
  void sendForeign(uint32_t transceiver, const media::ForeignPacket& packet, Timestamp now,
                   const std::string& rid = {});
  // Packets in place of frames (session_packets.cc).
  /// From now on what the transceiver receives comes from `pollPacket`, neither put together nor
  /// put in order. Nothing: frames again.
  void handOnPackets(uint32_t transceiver, std::optional<media::PacketRepair> repair,
                     Timestamp now);
  /// From now on the transceiver sends what `sendPackets` is given, instead of frames.
  void takePackets(uint32_t transceiver, bool on, Timestamp now);
  /// See RtpSession::sendPackets.
  void sendPackets(uint32_t transceiver, std::span<media::PreparedPacket> packets, Timestamp now);
  bool pollPacket(media::ReceivedPacket& out);
  /// What peers of transceivers that take packets ask for again.
  bool pollMissing(uint32_t& transceiver, uint16_t& sequence);
  void requestKeyFrameOf(uint32_t ssrc, Timestamp now);
  /// Packets can be sent on some transport: there is a path, and keys.
  bool mediaAvailable() const;
  /// What the transceiver is ready to receive; null: nothing.
  const media::ReceiveConfig* receiveConfig(uint32_t transceiver) const;
  /// Of the negotiated codecs the one with this name, if it is there: that of the packets to come.
  void chooseSendCodec(uint32_t transceiver, std::string_view name, Timestamp now);
  void requestKeyFrame(uint32_t transceiver, Timestamp now);
  /// Whether EstimateChanged is wanted.
  void reportEstimates(bool wanted);
  void decoderLostState(uint32_t transceiver, Timestamp now);
  /// For the encodings that the sender has now, in their order.
  void tuneSender(uint32_t transceiver, const std::vector<SenderTuning>& tunings, Timestamp now);
  void tuneSender(uint32_t transceiver, const SenderTuning& tuning, Timestamp now) {
    tuneSender(transceiver, std::vector{tuning}, now);
  }
  void setMinimumPlayoutDelay(uint32_t transceiver, Duration delay);
  /// What has arrived and is due; `receiver` is the transceiver's number.
  bool pollFrame(media::ReceivedFrame& out);
  bool pollAudio(media::AudioPlayoutUnit& out);
  /// Null as long as the connection has had no media.
  const media::RtpSession* rtp(uint32_t transport = 0) const;
  /// Of the transport that a transceiver's media travels on.
  const media::RtpSession* rtpOf(uint32_t transceiver) const;
  /// RtpSession::receiveStats, with what came before a receiver paused: a direction that changes to
  /// and fro ends no stream (webrtc-stats section 5).
  void receiveStats(std::vector<media::InboundStats>& out) const;
  /// Of the first encoding that has one.
  std::optional<media::SendStreamId> sendStream(uint32_t transceiver) const;
  std::optional<SenderEncoding> encodingOf(media::SendStreamId stream,
                                           uint32_t transport = 0) const;

  // Data.
  Result<sctp::ChannelId> createDataChannel(const sctp::ChannelInit& init, Timestamp now);
  /// Null once closed. Whoever uses it calls `pump` afterwards.
  sctp::DataChannels* dataChannels() {
    return closed_ ? nullptr : &dataLane_->transport.dataChannels();
  }
  /// The largest message that can be sent, bytes; 0 until data channels are negotiated.
  uint64_t maxMessageSize() const;
  bool pollMessage(sctp::ChannelMessage& out);

  /// Says good-bye to the peer. Nothing but `pollTransmit` gives anything afterwards.
  void close(Timestamp now);
  /// The good-byes have been taken: the session may be destroyed.
  bool drained() const;

  void handle(Input&& input, Timestamp now);
  /// The same for datagrams that arrived together.
  void handleDatagrams(std::span<Datagram> datagrams, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  /// See ice::Agent.
  Timestamp consentFrom() const;
  void askForConsent(Timestamp now);
  bool pollTransmit(TxPacket& out);
  bool hasTransmits() const;
  bool pollEffect(Effect& out);
  /// See ice::Gatherer.
  bool pollName(ice::HostName& out);
  bool pollEvent(SessionEvent& out);
  /// Left unpolled they wait in the association, which then takes in nothing more of the peer's. A
  /// channel's events come before the messages it brings: poll these first, and messages only while
  /// no event is left.
  bool pollChannelEvent(sctp::ChannelEvent& out);
  bool hasEvents() const;
  /// Moves on what a direct use of `dataChannels()` caused.
  void pump(Timestamp now);
  /// The part of it that cannot wait: `pollTransmit` will give what was sent.
  void expectTransmits(Timestamp now) { dataLane_->transport.expectTransmits(now); }

  /// The first transport, which with BUNDLE is that of everything.
  const transport::PeerTransport& transport() const { return first_.transport; }
  /// Of all transports.
  transport::Diagnosis diagnose(Timestamp now) const;
  /// Null for a number that is not in use.
  const transport::PeerTransport* transport(uint32_t number) const;
  /// The numbers in use, 0 first.
  std::vector<uint32_t> transports() const;
  /// The section that stands for a transport in the newest local description.
  std::string transportMid(uint32_t transport = 0) const;
  uint16_t transportIndex(uint32_t transport = 0) const;
  /// ICE credentials of the newest remote description.
  std::optional<IceCredentials> remoteIceParameters(uint32_t transport = 0) const;
  Environment& environment() { return environment_; }

 private:
  Result<void> apply(Result<Delta> delta, Timestamp now);
  Result<void> settled(SdpType type, Result<void> applied);
  void resetTransport(Timestamp now);
  void applyTransport(Lane& lane, const TransportChange& change, Timestamp now);
  static void applyRemoteIce(Lane& lane, const TransportChange& change, Timestamp now);
  void applySides(const std::vector<SideTransportChange>& changes, Timestamp now);
  void applyData(const Delta& delta, Timestamp now);

  // Lanes (session_lanes.cc).
  template <class F>
  void eachLane(F&& use) {
    use(first_);
    for (const auto& side : sides_) use(*side);
  }
  Lane* lane(uint32_t transport);
  const Lane* lane(uint32_t transport) const;
  Lane& laneOfMedia(uint32_t transceiver);
  const Lane& laneOfMedia(uint32_t transceiver) const;
  Lane& addLane(uint32_t transport, const TransportChange& change);
  void endLane(uint32_t transport, Timestamp now);
  void dropEndedLanes();
  Lane& laneOfNumber(uint32_t number);
  void handleOnLanes(Input&& input, Timestamp now);
  void forgetSocket(Lane& owner, SocketId socket);
  void noteSockets(Lane& of, const Effect& effect);
  bool pollSideEffect(Effect& out);
  void moveData(Lane& to, Timestamp now);
  void emitEvents(const SessionEvents& events, SignalingState signaling);
  DescriptionsChanged descriptions();
  void forgetTexts();
  SdpType implicitType() const;
  void drawSsrcs(TransceiverState& transceiver);
  void refreshIce();

  void pumpTransport(Timestamp now);
  void pumpLane(Lane& lane, Timestamp now);
  const sdp::MediaDescription* transportMedia(uint32_t transport) const;
  void onGathering(Lane& lane, transport::TransportEvent&& event);
  void releasePool();
  void onCandidate(Lane& lane, const ice::Candidate& candidate);
  void onGatheringState(Lane& lane, transport::GatheringState state);

  // Media (session_media.cc).
  struct Sender {
    struct Stream {
      std::string rid;
      media::SendStreamId id{};
    };
    Lane* lane = nullptr;         ///< where its media travels
    std::vector<Stream> streams;  ///< of encodings that have been sent, or are
    MediaSettings settings;
    std::map<std::string, SenderTuning> tunings;  ///< by rid
    /// Of what it is given in packets; the application's choice does not count then.
    std::optional<sdp::CodecParams> forwardedCodec{};
    const Stream* find(const std::string& rid) const;
  };
  void applyMedia(const MediaSectionChange& change, Timestamp now);
  void applySender(const TransceiverState& transceiver, Sender& sender, Timestamp now);
  void applyEncoding(const TransceiverState& transceiver, Sender& sender, const Encoding& encoding,
                     SenderConfigured::Encoding& out, Timestamp now);
  std::optional<media::SendStreamConfig> sendConfig(const TransceiverState& transceiver,
                                                    const Sender& sender, const Encoding& encoding,
                                                    const sdp::CodecParams* codec) const;
  void applyReceiver(const TransceiverState& transceiver, Lane& lane, const MediaSettings& settings,
                     Timestamp now);
  media::RtpSession& rtpSession(Lane& lane, Timestamp now);
  void updateRtpConfig(Lane& lane, const MediaSettings& settings, Timestamp now);
  void applyHeaderEncryption(Lane& lane);
  /// Of a remote description, as HeaderEncryptionPolicy wants it.
  Result<void> checkHeaderEncryption(const sdp::SessionDescription& theirs) const;
  void moveMedia(uint32_t transceiver, Sender& sender, Lane& to, Timestamp now);
  void onRtpEvent(Lane& lane, const media::RtpEvent& event);
  void onSsrcChanged(Lane& lane, media::SendStreamId stream);
  void onSourceEnded(Lane& lane, media::ReceiverId receiver);
  void removeMedia(const std::vector<TransceiverId>& transceivers, Timestamp now);
  void keepReceiveStats(uint32_t transceiver);
  /// Media and data channels share the path: each learns what the other does.
  void shareWithData(Lane& lane, Timestamp now);
  static std::optional<DataRate> leaveRoute(Lane& lane, const Lane::MediaRoute& route,
                                            Timestamp now);
  void pumpMedia(Timestamp now);
  void pumpMedia(Lane& lane, Timestamp now);
  static void onPathForMedia(Lane& lane, Timestamp now);
  void closeMedia(Timestamp now);
  bool mediaWaits() const;

  Environment& environment_;
  LocalCapabilities capabilities_;
  Lane first_;
  std::vector<std::unique_ptr<Lane>> sides_;  ///< beside it
  Lane* dataLane_ = &first_;                  ///< the one that data channels use
  std::vector<std::pair<SocketId, uint32_t>>
      accepted_;                                 ///< connections taken by sides; their slots
  std::optional<ice::GathererConfig> servers_;   ///< if they were changed
  bool pooling_ = false;                         ///< gathering for the first one is early
  std::vector<transport::TransportEvent> pool_;  ///< what that has found, to be told
  SessionState state_;
  DescriptionTexts currentLocal_{true};
  DescriptionTexts pendingLocal_{true};
  DescriptionTexts currentRemote_{false};
  DescriptionTexts pendingRemote_{false};
  bool closed_ = false;
  // W3C [[LastCreatedOffer]] and [[LastCreatedAnswer]]; empty again after an answer.
  std::string lastOffer_;
  std::string lastAnswer_;
  bool lastOfferRestarts_ = false;
  media::RtpSessionConfig rtpConfig_;  ///< what a lane starts with
  bool redundantSoundOnLoss_ = true;
  std::map<uint32_t, Sender> senders_;          ///< by transceiver
  std::map<uint32_t, Duration> playoutDelays_;  ///< by transceiver, as the application asks
  /// Transceivers whose media overtook the answer that announces it: their unmuting follows their
  /// TrackAdded.
  std::set<uint32_t> earlyMedia_;
  std::vector<media::InboundStats> pausedStats_;  ///< of sources that receivers had before a pause
  bool estimatesWanted_ = false;
  /// Everybody polls them in every round: that this many wait does not happen.
  RingQueue<SessionEvent> events_{8192};
  // Looked at one ahead, so that `hasEvents` can answer without taking anything.
  std::optional<sctp::ChannelEvent> nextChannelEvent_;
  std::optional<sctp::ChannelMessage> nextMessage_;
  // Media is swapped in and out, so that its memory goes round.
  bool frameWaits_ = false;
  bool audioWaits_ = false;
  bool packetWaits_ = false;
  bool missingWaits_ = false;
  media::ReceivedPacket nextPacket_;
  media::MissingPacket nextMissing_;
  uint32_t missingLane_ = 0;                                ///< the transport it is about
  std::map<uint32_t, media::PacketRepair> handsOnPackets_;  ///< by transceiver
  std::set<uint32_t> takesPackets_;
  media::ReceivedFrame nextFrame_;
  media::AudioPlayoutUnit nextAudio_;
  MonotonicGuard clock_;
};

}  // namespace parley::jsep
