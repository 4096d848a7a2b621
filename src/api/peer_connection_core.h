#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/peer_connection.h"
#include "parley/jsep/session.h"

#include "api/data_channel_core.h"
#include "api/loop_core.h"
#include "api/track_core.h"

namespace parley::api_internal {

/// The callbacks of one connection, as the app set them.
struct PeerConnectionCallbacks {
  std::function<void()> negotiationNeeded;
  std::function<void(const std::optional<IceCandidate>&)> iceCandidate;
  std::function<void(const IceCandidateError&)> iceCandidateError;
  std::function<void(SignalingState)> signalingState;
  std::function<void(IceGatheringState)> gatheringState;
  std::function<void(IceConnectionState)> iceConnectionState;
  std::function<void(PeerConnectionState)> connectionState;
  std::function<void(const TrackEvent&)> track;
  std::function<void(DataChannel)> dataChannel;
};

/// What the getters show. It changes only in the delivery step whose events announce the change, so
/// the app never sees a state before its event (W3C webrtc-pc section 4.4: "queue a task").
struct VisibleState {
  SignalingState signaling = SignalingState::Stable;
  IceGatheringState gathering = IceGatheringState::New;
  IceConnectionState iceConnection = IceConnectionState::New;
  PeerConnectionState connection = PeerConnectionState::New;
  std::optional<SessionDescription> currentLocal, pendingLocal, currentRemote, pendingRemote;
};

/// The body behind all PeerConnection handles of one connection. Every member function is called
/// with the loop's lock held unless it says otherwise; tasks run without it.
class PeerConnectionCore final : public std::enable_shared_from_this<PeerConnectionCore> {
 public:
  PeerConnectionCore(std::shared_ptr<LoopCore> loop, Configuration configuration);
  ~PeerConnectionCore();

  LoopCore& loop() { return *loop_; }
  const std::shared_ptr<LoopCore>& loopPtr() const { return loop_; }
  void start(endpoint::SessionId id) { session_ = id; }
  /// Null once the session is gone.
  jsep::Session* session() { return loop_->endpoint().session(session_); }
  endpoint::SessionId sessionId() const { return session_; }
  bool closed() const { return closed_; }
  void close();

  /// Takes events out of the session and turns them into tasks.
  void collect();
  /// To be called after every change made through the facade: collects, and wakes the driver.
  void afterCall(Timestamp now);
  /// The next task; false if there is none. A task is empty if the app has no callback for it.
  bool takeTask(std::function<void()>& out);
  void queueTask(std::function<void()> task);

  template <class T>
  void complete(Completion<T> done, Result<T> result) {
    if (!done) return;
    queueTask([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  std::shared_ptr<DataChannelCore> channel(sctp::ChannelId id);
  std::shared_ptr<DataChannelCore> adoptChannel(sctp::ChannelId id, const sctp::ChannelInit& init);

  /// The local track that a transceiver sends; null if none.
  std::shared_ptr<TrackCore> senderTrack(uint32_t transceiver);
  std::shared_ptr<TrackCore> receiverTrack(uint32_t transceiver);
  void setSenderTrack(uint32_t transceiver, std::shared_ptr<TrackCore> track);
  /// Of all receivers that ever were. Takes the lock itself.
  std::vector<std::shared_ptr<TrackCore>> receiverTracks();
  void ensureReceiver(uint32_t transceiver, MediaKind kind);
  /// Null once it has been rolled back or its m-section recycled.
  const jsep::TransceiverState* transceiver(uint32_t id);
  std::vector<uint32_t> transceiverIds();
  RtpSendParameters sendParameters(uint32_t transceiver);
  Result<void> setSendParameters(uint32_t transceiver, const RtpSendParameters& parameters);
  RtpReceiveParameters receiveParameters(uint32_t transceiver);
  void setEncoding(uint32_t transceiver, const RtpEncodingParameters& encoding);
  /// The app's bounds on what a transceiver sends; defaults if it never set any.
  const RtpEncodingParameters& encoding(uint32_t transceiver) { return encodings_[transceiver]; }

  /// The app has set a callback of a channel: what it missed so far is delivered before anything
  /// newer.
  void deliverMissed(const std::shared_ptr<DataChannelCore>& body);
  void addDataStats(StatsReport& report, double timestamp);

  const Configuration& configuration() const { return configuration_; }
  /// While the connection is being made: defaults are filled in.
  Configuration& mutableConfiguration() { return configuration_; }
  PeerConnectionCallbacks callbacks;
  VisibleState visible;
  bool queuedForDelivery = false;  ///< owned by LoopCore

 private:
  /// Queues a step: `update` changes what the getters show and `pick` chooses the callback to run,
  /// both under the lock; the callback itself runs without it.
  template <class Update, class Pick>
  void queueStep(Update update, Pick pick);
  void onEvent(jsep::SessionEvent&& event);
  void onDescriptions(const jsep::DescriptionsChanged& event);
  void onGathering(IceGatheringState state);
  void onTransportState();
  void onTrackAdded(const jsep::TrackAdded& event);
  void muteTrack(uint32_t transceiver, bool muted, bool ended);
  void onChannelEvent(const sctp::ChannelEvent& event);
  void dispatchChannelEvent(const sctp::ChannelEvent& event);
  void collectMessages();
  void deliverMessage(const std::shared_ptr<DataChannelCore>& body, Bytes&& data, bool isText);

  std::shared_ptr<LoopCore> loop_;
  Configuration configuration_;
  endpoint::SessionId session_{};
  bool closed_ = false;
  std::deque<std::function<void()>> tasks_;
  size_t queuedMessages_ = 0;
  uint64_t channelsOpened_ = 0;
  uint64_t channelsClosed_ = 0;
  ice::IceConnectionState ice_ = ice::IceConnectionState::New;
  dtls::State dtls_ = dtls::State::New;
  // What the last queued step will show: a state is announced once.
  IceConnectionState queuedIce_ = IceConnectionState::New;
  PeerConnectionState queuedConnection_ = PeerConnectionState::New;
  std::map<sctp::ChannelId, std::shared_ptr<DataChannelCore>> channels_;
  // The ends of channels, announced when the messages before them have been read.
  std::deque<sctp::ChannelEvent> heldEnds_;
  std::map<uint32_t, std::shared_ptr<TrackCore>> senderTracks_;
  std::map<uint32_t, std::shared_ptr<TrackCore>> receiverTracks_;
  std::map<uint32_t, RtpEncodingParameters> encodings_;
  std::map<uint32_t, std::string> transactionIds_;
};

}  // namespace parley::api_internal
