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

namespace parley {

/// RTCSignalingState.
using SignalingState = jsep::SignalingState;
/// RTCIceGatheringState.
enum class IceGatheringState { New, Gathering, Complete };
/// RTCIceConnectionState.
enum class IceConnectionState { New, Checking, Connected, Completed, Disconnected, Failed, Closed };
/// RTCPeerConnectionState.
enum class PeerConnectionState { New, Connecting, Connected, Disconnected, Failed, Closed };

using jsep::toString;  // SignalingState, SdpType, TransceiverDirection
PARLEY_EXPORT const char* toString(IceGatheringState state);
PARLEY_EXPORT const char* toString(IceConnectionState state);
PARLEY_EXPORT const char* toString(PeerConnectionState state);

/// Called once with the outcome, on the loop's thread, after all events of the step that it belongs
/// to; never if the connection closes first (W3C webrtc-pc section 4.4.1.2). What is wrong with a
/// call from the start is told ahead of everything else (Loop::deliverSettled).
template <class T>
using Completion = std::function<void(Result<T>)>;

/// RTCOfferOptions. (The legacy offerToReceive options are not here: use addTransceiver.)
struct OfferOptions {
  bool iceRestart = false;
};

/// RTCTrackEvent.
struct TrackEvent {
  RtpReceiver receiver;
  MediaStreamTrack track;
  std::vector<std::string> streams;  ///< ids of the remote streams that the track is in
  RtpTransceiver transceiver;
};

/// addtrack and removetrack of a remote MediaStream (webrtc-pc section 4.4.1.5): the track has
/// joined or left the remote stream with this id. Comes after signalingstatechange and mute, before
/// `track`.
struct StreamTrackEvent {
  std::string stream;
  MediaStreamTrack track;
  bool added = false;
};

/// RTCPeerConnectionIceErrorEvent.
struct IceCandidateError {
  std::optional<std::string> address;  ///< local; nothing if it must not be told
  std::optional<uint16_t> port;
  std::string url;
  int errorCode = 0;
  std::string errorText;
};

/// RTCPeerConnection: a handle; copies refer to the same connection. When the last handle is gone
/// the connection closes. Thread rules and callback promises: those of its Loop.
class PARLEY_EXPORT PeerConnection {
 public:
  /// Syntax or Type for a server URL or option that cannot be; NotSupported for one this build
  /// lacks.
  static Result<PeerConnection> create(const std::shared_ptr<Loop>& loop,
                                       Configuration configuration = {});

  /// An empty handle; every method but `operator bool` and comparison CHECK-fails.
  PeerConnection() = default;
  explicit operator bool() const { return handle_ != nullptr; }
  bool operator==(const PeerConnection&) const = default;

  // Negotiation (W3C 4.4.2). Operations queue up and run in order, each in a delivery step of its
  // own: it changes all that the getters below show, fires its events in the specification's order,
  // then completes. On a closed connection they complete with InvalidState.
  void createOffer(Completion<SessionDescription> done) { createOffer({}, std::move(done)); }
  void createOffer(OfferOptions options, Completion<SessionDescription> done);
  void createAnswer(Completion<SessionDescription> done);
  /// Without a description: offer or answer, whatever the state asks for.
  void setLocalDescription(Completion<void> done);
  void setLocalDescription(SessionDescription description, Completion<void> done);
  void setRemoteDescription(SessionDescription description, Completion<void> done);
  void addIceCandidate(IceCandidate candidate, Completion<void> done = {});
  void restartIce();

  std::optional<SessionDescription> localDescription() const;
  std::optional<SessionDescription> currentLocalDescription() const;
  std::optional<SessionDescription> pendingLocalDescription() const;
  std::optional<SessionDescription> remoteDescription() const;
  std::optional<SessionDescription> currentRemoteDescription() const;
  std::optional<SessionDescription> pendingRemoteDescription() const;
  SignalingState signalingState() const;
  IceGatheringState iceGatheringState() const;
  IceConnectionState iceConnectionState() const;
  PeerConnectionState connectionState() const;
  std::optional<bool> canTrickleIceCandidates() const;
  Configuration getConfiguration() const;
  /// Changes the ICE servers and the transport policy, for the next time that candidates are
  /// gathered (after restartIce, say). InvalidState when closed;
  /// InvalidModification for another bundlePolicy, rtcpMuxPolicy or certificate, and for another
  /// iceCandidatePoolSize once a local description is applied; Syntax for a URL. The rest of
  /// `configuration` (codecs, bitrates) stays as it was.
  Result<void> setConfiguration(Configuration configuration);

  // Media (W3C 5.1).
  Result<RtpSender> addTrack(MediaStreamTrack track, std::vector<std::string> streams = {});
  Result<void> removeTrack(const RtpSender& sender);
  Result<RtpTransceiver> addTransceiver(MediaKind kind, TransceiverInit init = {});
  Result<RtpTransceiver> addTransceiver(MediaStreamTrack track, TransceiverInit init = {});
  /// RTCRtpSender.getCapabilities and RTCRtpReceiver.getCapabilities, for the built-in codecs.
  static std::vector<RtpCodec> senderCapabilities(MediaKind kind);
  static std::vector<RtpCodec> receiverCapabilities(MediaKind kind);
  /// The same of this connection: with the codecs of its Configuration, the app's own included.
  /// What setCodecPreferences takes is chosen from these.
  RtpCapabilities capabilities(MediaKind kind) const;
  std::vector<RtpTransceiver> getTransceivers() const;
  std::vector<RtpSender> getSenders() const;
  std::vector<RtpReceiver> getReceivers() const;

  // Data (W3C 6.1).
  Result<DataChannel> createDataChannel(std::string label, DataChannelInit init = {});
  /// Empty until a description has a section for data channels, and after an answer has refused it.
  SctpTransport sctp() const;
  /// RTCSctpTransport.maxMessageSize; 0 before the transport exists.
  uint64_t maxMessageSize() const;

  /// What webrtc-stats tells of the whole connection. On a closed one: as it was then.
  void getStats(Completion<StatsReport> done) { getStats({}, std::move(done)); }
  /// Of the sender or receiver that has this track, and what it refers to; of everything without a
  /// track. InvalidAccess if none has it, or more than one (W3C 8.2).
  void getStats(const MediaStreamTrack& track, Completion<StatsReport> done);
  /// What has happened so far, and in one line why the connection works or does not. At any time;
  /// once closed it says just that.
  Diagnosis diagnose() const;

  /// Ends the connection and returns at once: states are Closed, tracks have ended, no callback of
  /// this connection starts afterwards (one may be running) but DataChannel::onClose of channels
  /// that were not closed (W3C 6.2). Calls still pending never complete.
  void close();
  /// The same without those, and waits for a callback that is running on the loop's thread and for
  /// media sinks that run on workers: afterwards what they captured may be destroyed. CHECK-fails
  /// when called from a callback; from a sink it does not wait for that sink.
  void closeAndDrain();

  // Callbacks; an empty function removes one.
  void onNegotiationNeeded(std::function<void()> callback);
  /// Candidates to signal; one with an empty `candidate` marks the end of a generation; nullopt
  /// says that gathering is complete.
  void onIceCandidate(std::function<void(const std::optional<IceCandidate>&)> callback);
  void onIceCandidateError(std::function<void(const IceCandidateError&)> callback);
  void onSignalingStateChange(std::function<void(SignalingState)> callback);
  void onIceGatheringStateChange(std::function<void(IceGatheringState)> callback);
  void onIceConnectionStateChange(std::function<void(IceConnectionState)> callback);
  void onConnectionStateChange(std::function<void(PeerConnectionState)> callback);
  void onTrack(std::function<void(const TrackEvent&)> callback);
  void onStreamTrackChange(std::function<void(const StreamTrackEvent&)> callback);
  void onDataChannel(std::function<void(DataChannel)> callback);
  /// While media is sent: what may be sent is estimated anew. At most every 50 ms.
  void onBandwidthEstimate(std::function<void(const BandwidthEstimate&)> callback);

  const std::shared_ptr<api_internal::PeerConnectionCore>& core() const;

 private:
  struct Handle;
  explicit PeerConnection(std::shared_ptr<Handle> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<Handle> handle_;
};

}  // namespace parley
