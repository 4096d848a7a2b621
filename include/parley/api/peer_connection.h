#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/bandwidth_estimate.h"
#include "parley/api/configuration.h"
#include "parley/api/data_channel.h"
#include "parley/api/diagnosis.h"
#include "parley/api/ice_candidate.h"
#include "parley/api/loop.h"
#include "parley/api/media_track.h"
#include "parley/api/rtp_transceiver.h"
#include "parley/api/session_description.h"
#include "parley/api/stats_report.h"
#include "parley/api/transports.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/media/send_stream.h"

namespace parley {

/// RTCSignalingState (webrtc-pc section 4.3.1).
using SignalingState = jsep::SignalingState;
/// RTCIceGatheringState (webrtc-pc section 4.3.2), of all transports together.
enum class IceGatheringState {
  New,        ///< no transport gathers, and not all are through; or there is none
  Gathering,  ///< at least one gathers
  Complete    ///< all are through; a restart of ICE makes it Gathering again
};
/// RTCIceConnectionState (webrtc-pc section 4.3.4), of all transports together; the worst counts.
enum class IceConnectionState {
  New,           ///< nothing is checked yet; or there is no transport
  Checking,      ///< a transport looks for a path, or is still to begin
  Connected,     ///< all have a path, some may find a better one
  Completed,     ///< all have theirs, and check no others
  Disconnected,  ///< one hears nothing at present (Configuration::disconnectedAfter)
  Failed,        ///< one has found no path, or lost it for good (Configuration::failedAfter)
  Closed         ///< close() was called
};
/// RTCPeerConnectionState (webrtc-pc section 4.3.3): of ICE and DTLS of all transports together.
enum class PeerConnectionState {
  New,           ///< nothing has begun; or there is no transport
  Connecting,    ///< paths are looked for, or handshakes under way
  Connected,     ///< all have a path and their keys: media and data can flow
  Disconnected,  ///< a path hears nothing at present; it may come back by itself
  Failed,        ///< ICE or DTLS of one has failed: restartIce() may help against the first
  Closed         ///< close() was called
};

using jsep::toString;  // SignalingState, SdpType, TransceiverDirection
/// The W3C spelling: "gathering", "checking", "connecting".
PARLEY_EXPORT const char* toString(IceGatheringState state);
PARLEY_EXPORT const char* toString(IceConnectionState state);
PARLEY_EXPORT const char* toString(PeerConnectionState state);

/// Called once with the outcome, on the loop's thread, after all events of the step that it belongs
/// to; never if the connection closes first (W3C webrtc-pc section 4.4.1.2). What is wrong with a
/// call from the start is told ahead of everything else (Loop::deliverSettled).
template <class T>
using Completion = std::function<void(Result<T>)>;

/// RTCOfferOptions (webrtc-pc section 4.2.6). (The legacy offerToReceive options are not here: use
/// addTransceiver.)
struct OfferOptions {
  /// The offer has new ICE credentials: once it is applied, paths are looked for anew. As
  /// PeerConnection::restartIce, for this offer alone.
  bool iceRestart = false;
};

/// RTCTrackEvent (webrtc-pc section 5.7).
struct TrackEvent {
  RtpReceiver receiver;              ///< who gets the media
  MediaStreamTrack track;            ///< that of the receiver
  std::vector<std::string> streams;  ///< ids of the remote streams that the track is in
  RtpTransceiver transceiver;        ///< whose receiver it is
};

/// addtrack and removetrack (MediaStreamTrackEvent) of a remote MediaStream (webrtc-pc
/// section 4.4.1.5): the track has
/// joined or left the remote stream with this id. Comes after signalingstatechange and mute, before
/// `track`.
struct StreamTrackEvent {
  std::string stream;      ///< its id, from the peer's msid
  MediaStreamTrack track;  ///< the track of a receiver
  bool added = false;      ///< false: removed
};

/// Why the circuit breaker stopped what is sent (RFC 8083 section 4).
using CircuitBreakerReason = media::CircuitBreakerReason;

/// The circuit breaker has stopped an encoding of the sender in this section, or lets it go on
/// (media::SendStreamStopped tells when it does). Off: Configuration::circuitBreaker.
struct SenderStoppedEvent {
  std::string mid;                             ///< of the section
  std::string rid;                             ///< of the encoding; empty without simulcast
  std::optional<CircuitBreakerReason> reason;  ///< nothing: it goes on
};

/// RTCPeerConnectionIceErrorEvent (webrtc-pc section 4.8.3): a STUN or TURN server could not be
/// used from one of our addresses.
struct IceCandidateError {
  std::optional<std::string> address;  ///< local; nothing if it must not be told
  std::optional<uint16_t> port;        ///< local; nothing with `address`
  std::string url;                     ///< of the server
  int errorCode = 0;                   ///< STUN's (300 to 699), or 701: it cannot be reached
  std::string errorText;               ///< the server's words, or ours for 701
};

/// RTCPeerConnection (webrtc-pc section 4.4): a handle; copies refer to the same connection. When
/// the last handle is gone the connection closes. Thread rules and callback promises: those of its
/// Loop; they hold for every method that says nothing else.
class PARLEY_EXPORT PeerConnection {
 public:
  /// The constructor (webrtc-pc section 4.4.1.1). Type without a loop; Syntax for a server URL that
  /// does not parse or a server without any, and for rootCertificates, iceUfrag or icePassword that
  /// are malformed; NotSupported for a stuns: URL; InvalidAccess for a turn: server without name or
  /// password, for servers together with iceLite, and for a certificate that has expired; Range for
  /// a port range, a time, a rate or a size outside its bounds.
  static Result<PeerConnection> create(const std::shared_ptr<Loop>& loop,
                                       Configuration configuration = {});

  /// An empty handle; every method but `operator bool` and comparison CHECK-fails.
  PeerConnection() = default;
  /// Whether it refers to a connection, open or closed.
  explicit operator bool() const { return handle_ != nullptr; }
  bool operator==(const PeerConnection&) const = default;

  // Negotiation (webrtc-pc section 4.4.2). Operations queue up and run in order (section 4.4.1.2),
  // each in a delivery step of its own: it changes all that the getters below show, fires its
  // events in the specification's order, then completes. On a closed connection they complete with
  // InvalidState. One that fails has changed nothing. An empty `done` is allowed.

  /// Makes an offer of what the connection is set up for, and keeps it for setLocalDescription; it
  /// applies nothing. InvalidState unless stable or have-local-offer.
  void createOffer(Completion<SessionDescription> done) { createOffer({}, std::move(done)); }
  void createOffer(OfferOptions options, Completion<SessionDescription> done);
  /// Makes an answer to the offer that was set last, and keeps it for setLocalDescription; it
  /// applies nothing. (RTCAnswerOptions has no members.) InvalidState unless have-remote-offer or
  /// have-local-pranswer.
  void createAnswer(Completion<SessionDescription> done);
  /// Without a description: makes the offer or answer that the state asks for, and applies it.
  /// InvalidState in have-remote-pranswer, which asks for neither.
  void setLocalDescription(Completion<void> done);
  /// Applies a description (section 4.4.1.5) and starts gathering. An empty text stands for what
  /// createOffer or createAnswer would make now; Rollback takes our pending offer back.
  /// InvalidState if the type does not fit the state; InvalidModification if the text is not what
  /// createOffer or createAnswer made last, or no longer fits the transceivers.
  void setLocalDescription(SessionDescription description, Completion<void> done);
  /// Applies what the peer says. An offer that meets our own first rolls ours back; Rollback takes
  /// the peer's pending offer back. InvalidState if the type does not fit the state; Syntax for a
  /// text that does not parse, with ErrorDetail::SdpSyntaxError and its line in
  /// Error::sdpLineNumber; InvalidAccess for what parses and cannot be applied, as an answer that
  /// does not fit the offer (with the line, where one is to blame).
  void setRemoteDescription(SessionDescription description, Completion<void> done);
  /// Adds one of the peer's candidates, or says by an empty `candidate` that no more follow: of the
  /// section named, or of all where none is. Type for a candidate with neither sdpMid nor
  /// sdpMLineIndex, also when closed; InvalidState without a remote description; Operation for a
  /// section or a user fragment that the description does not have, and for a line that does not
  /// parse. At most 64 are kept for each section, more are ignored.
  void addIceCandidate(IceCandidate candidate, Completion<void> done = {});
  /// The next offer has new ICE credentials; asks for it by onNegotiationNeeded. Nothing happens on
  /// a closed connection.
  void restartIce();

  /// The pending description if there is one, else the current one. With the candidates that have
  /// been gathered meanwhile, as onIceCandidate told them.
  std::optional<SessionDescription> localDescription() const;
  /// The one that was negotiated last.
  std::optional<SessionDescription> currentLocalDescription() const;
  /// The one that is being negotiated; nothing when stable.
  std::optional<SessionDescription> pendingLocalDescription() const;
  /// The pending description if there is one, else the current one. With the candidates that
  /// addIceCandidate brought.
  std::optional<SessionDescription> remoteDescription() const;
  /// The one that was negotiated last.
  std::optional<SessionDescription> currentRemoteDescription() const;
  /// The one that is being negotiated; nothing when stable.
  std::optional<SessionDescription> pendingRemoteDescription() const;
  /// Where the negotiation stands; Closed at once after close().
  SignalingState signalingState() const;
  /// Gathering while any transport gathers; Complete when all have; New without a transport.
  IceGatheringState iceGatheringState() const;
  /// The worst of the ICE transports: see section 4.3.4. Closed at once after close().
  IceConnectionState iceConnectionState() const;
  /// The worst of the ICE and DTLS transports: see section 4.3.3. Closed at once after close().
  PeerConnectionState connectionState() const;
  /// Whether the peer takes candidates after its description: nothing before a remote description.
  std::optional<bool> canTrickleIceCandidates() const;
  /// What holds now, defaults filled in; also on a closed connection.
  Configuration getConfiguration() const;
  /// Changes the ICE servers and the transport policy, for the next time that candidates are
  /// gathered (after restartIce, say), and before a local description is applied
  /// iceCandidatePoolSize (webrtc-pc section 4.4.1.6). InvalidState when closed;
  /// InvalidModification for another bundlePolicy, rtcpMuxPolicy, iceLite or certificate (none at
  /// all means the same), and for another iceCandidatePoolSize later; Syntax, NotSupported and
  /// InvalidAccess for servers as with `create`. The rest of `configuration` (codecs, bitrates) is
  /// not looked at and stays as it was.
  Result<void> setConfiguration(Configuration configuration);

  // Media (webrtc-pc section 5.1). All that changes what is sent or received takes effect with the
  // next negotiation, which onNegotiationNeeded asks for.

  /// Sends a track, as part of the streams with these ids: by a transceiver of its kind that has
  /// not sent yet, else by a new one. InvalidState when closed; Type for an empty handle
  /// and for ids that SDP cannot carry (1 to 256 bytes without blanks, at most 64 ids, not "-");
  /// InvalidAccess if it is sent already. InvalidState also for a track of packets where that
  /// transceiver has a transform.
  Result<RtpSender> addTrack(MediaStreamTrack track, std::vector<std::string> streams = {});
  /// Stops sending at once; the sender stays. InvalidState when closed; InvalidAccess for a sender
  /// of another connection.
  Result<void> removeTrack(const RtpSender& sender);
  /// A new transceiver, with the track as what it sends if one is given. InvalidState when closed;
  /// Type for direction Stopped, an empty handle, ids of streams as with addTrack, rids that are
  /// malformed, doubled or given to some encodings only, and receiveRids that are more than three
  /// or not for video; Range for scaleResolutionDownBy below 1 or maxFramerate below 0; Operation
  /// for a codec or a scalabilityMode that this end does not have, and where only some active
  /// encodings restrict their size or a bound is 0.
  Result<RtpTransceiver> addTransceiver(MediaKind kind, TransceiverInit init = {});
  Result<RtpTransceiver> addTransceiver(MediaStreamTrack track, TransceiverInit init = {});
  /// The codecs of RtpSender::getCapabilities. Any thread.
  static std::vector<RtpCodec> senderCapabilities(MediaKind kind);
  /// The codecs of RtpReceiver::getCapabilities. Any thread.
  static std::vector<RtpCodec> receiverCapabilities(MediaKind kind);
  /// The same for connections with this configuration, as RtpSender::getCapabilities has it.
  static std::vector<RtpCodec> senderCapabilities(MediaKind kind,
                                                  const Configuration& configuration);
  /// As senderCapabilities.
  static std::vector<RtpCodec> receiverCapabilities(MediaKind kind,
                                                    const Configuration& configuration);
  /// The same of this connection: with the codecs of its Configuration, the app's own included.
  /// What setCodecPreferences takes is chosen from these.
  RtpCapabilities capabilities(MediaKind kind) const;
  /// All that have not been taken away, in the order in which they were made; stopped ones until
  /// the negotiation that rejects their section.
  std::vector<RtpTransceiver> getTransceivers() const;
  /// Those of transceivers that have not stopped.
  std::vector<RtpSender> getSenders() const;
  /// Those of transceivers that have not stopped.
  std::vector<RtpReceiver> getReceivers() const;

  /// A channel to the peer (webrtc-pc section 6.1), Connecting until the association stands.
  /// InvalidState when closed, and once the association has ended; Type for label or protocol above
  /// 65535 bytes or not UTF-8, for both maxPacketLifeTime and maxRetransmits, and for `negotiated`
  /// without an id of 0 to 65534; Operation for an id that is in use or above what was negotiated,
  /// and for one channel too many.
  Result<DataChannel> createDataChannel(std::string label, DataChannelInit init = {});
  /// Empty until a description has a section for data channels, and after an answer has refused it.
  SctpTransport sctp() const;
  /// RTCSctpTransport.maxMessageSize, in bytes; 0 until data channels are negotiated.
  uint64_t maxMessageSize() const;

  /// What webrtc-stats tells of the whole connection, as it is at the call (webrtc-pc section 8.2).
  /// On a closed one: as it was then.
  void getStats(Completion<StatsReport> done) { getStats({}, std::move(done)); }
  /// Of the sender or receiver that has this track, and what it refers to; of everything without a
  /// track. InvalidAccess if none has it, or more than one (W3C 8.2).
  void getStats(const MediaStreamTrack& track, Completion<StatsReport> done);
  /// What has happened so far, and in one line why the connection works or does not; with a peer
  /// that does not bundle, of all transports. At any time; once closed it says just that.
  Diagnosis diagnose() const;

  /// Ends the connection and returns at once (webrtc-pc section 4.4.3): states are Closed, tracks
  /// have ended, no callback of this connection starts afterwards (one may be running) but
  /// DataChannel::onClose of channels that were not closed and SctpTransport::onStateChange (W3C
  /// 6.2). Calls still pending never complete. Nothing happens the second time.
  void close();
  /// The same without those, and waits for a callback that is running on the loop's thread and for
  /// media sinks that run on workers: afterwards what they captured may be destroyed. CHECK-fails
  /// when called from a callback; from a sink it does not wait for that sink.
  void closeAndDrain();

  // Callbacks (webrtc-pc sections 4.4.2 and 5.1), each after the getters show what it tells. An
  // empty function removes one; setting one on a closed connection does nothing.

  /// negotiationneeded: an offer is needed for what has changed; once, until an offer has been made
  /// (section 4.7.3).
  void onNegotiationNeeded(std::function<void()> callback);
  /// icecandidate (RTCPeerConnectionIceEvent): candidates to signal; one with an empty `candidate`
  /// marks the end of a generation; nullopt says that gathering is complete.
  void onIceCandidate(std::function<void(const std::optional<IceCandidate>&)> callback);
  /// icecandidateerror: a server could not be used; gathering goes on with the others.
  void onIceCandidateError(std::function<void(const IceCandidateError&)> callback);
  /// signalingstatechange: a description has been applied or rolled back. Before onTrack of the
  /// same step.
  void onSignalingStateChange(std::function<void(SignalingState)> callback);
  /// icegatheringstatechange. After the transport's own onGatheringStateChange.
  void onIceGatheringStateChange(std::function<void(IceGatheringState)> callback);
  /// iceconnectionstatechange. After the transport's own onStateChange.
  void onIceConnectionStateChange(std::function<void(IceConnectionState)> callback);
  /// connectionstatechange. After onIceConnectionStateChange of the same step.
  void onConnectionStateChange(std::function<void(PeerConnectionState)> callback);
  /// track: the peer sends, or has begun to send again, on a transceiver.
  void onTrack(std::function<void(const TrackEvent&)> callback);
  /// See StreamTrackEvent; RemoteStreams makes streams of it.
  void onStreamTrackChange(std::function<void(const StreamTrackEvent&)> callback);
  /// datachannel (RTCDataChannelEvent, webrtc-pc section 6.3): the peer has opened a channel; its
  /// onOpen follows in the same step.
  void onDataChannel(std::function<void(DataChannel)> callback);
  /// Beyond the W3C, while media is sent: what may be sent is estimated anew. At most every 50 ms.
  void onBandwidthEstimate(std::function<void(const BandwidthEstimate&)> callback);
  /// Beyond the W3C: the circuit breaker has stopped what a sender sends, or lets it go on.
  void onSenderStopped(std::function<void(const SenderStoppedEvent&)> callback);

  /// For the library's own objects.
  const std::shared_ptr<api_internal::PeerConnectionCore>& core() const;

 private:
  struct Handle;
  explicit PeerConnection(std::shared_ptr<Handle> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<Handle> handle_;
};

}  // namespace parley
