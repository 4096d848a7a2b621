#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/peer_connection.h"
#include "parley/jsep/operations_chain.h"
#include "parley/jsep/session.h"

#include "api/data_channel_core.h"
#include "api/loop_core.h"
#include "api/packet_tap.h"
#include "api/stats_builder.h"
#include "api/stats_context.h"
#include "api/steps.h"
#include "api/track_core.h"
#include "api/transceiver_slots.h"

namespace parley::api_internal {

/// The callbacks of one transport, as the app set them.
struct TransportCallbacks {
  std::function<void(IceTransportState)> iceTransportState;
  std::function<void(IceGathererState)> gathererState;
  std::function<void()> selectedPair;
  std::function<void(DtlsTransportState)> dtlsState;
  std::function<void(const Error&)> dtlsError;
};

/// The callbacks of one connection and of its first transport.
struct PeerConnectionCallbacks : TransportCallbacks {
  std::function<void()> negotiationNeeded;
  std::function<void(const std::optional<IceCandidate>&)> iceCandidate;
  std::function<void(const IceCandidateError&)> iceCandidateError;
  std::function<void(SignalingState)> signalingState;
  std::function<void(IceGatheringState)> gatheringState;
  std::function<void(IceConnectionState)> iceConnectionState;
  std::function<void(PeerConnectionState)> connectionState;
  std::function<void(const TrackEvent&)> track;
  std::function<void(const StreamTrackEvent&)> streamTrack;
  std::function<void(DataChannel)> dataChannel;
  std::function<void(const BandwidthEstimate&)> bandwidthEstimate;
  std::function<void(const SenderStoppedEvent&)> senderStopped;
  std::function<void(SctpTransportState)> sctpState;
  std::map<uint32_t, std::function<void(const TelephoneEvent&)>> telephoneEvents;  ///< by receiver
  std::map<size_t, TransportCallbacks> own;  ///< of transports beside the first, by section
};

/// What the getters show. It changes only in the delivery step whose events announce the change, so
/// the app never sees a state before its event (W3C webrtc-pc section 4.4: "queue a task").
struct VisibleTransport {
  IceTransportState iceTransport = IceTransportState::New;
  IceGathererState gatherer = IceGathererState::New;
  DtlsTransportState dtls = DtlsTransportState::New;
  std::vector<Bytes> remoteCertificates;
  std::vector<IceCandidate> localCandidates;
  std::optional<IceCandidatePair> selectedPair;
  size_t section = 0;  ///< of a transport beside the first: whom it is for
};
struct VisibleState : VisibleTransport {  // its own members: of the first transport
  SignalingState signaling = SignalingState::Stable;
  IceGatheringState gathering = IceGatheringState::New;
  IceConnectionState iceConnection = IceConnectionState::New;
  PeerConnectionState connection = PeerConnectionState::New;
  jsep::DescriptionsChanged descriptions;

  std::map<uint32_t, VisibleTransport> sides;  ///< by number
  bool hasSctp = false;
  SctpTransportState sctp = SctpTransportState::Connecting;
  std::optional<uint16_t> maxChannels;
};

/// What getters go on to show once the connection is closed, whether or not its session still says
/// good-bye: closing it changes nothing but the slots that W3C 4.4.3 names.
struct LastSeen {
  struct Transport {
    IceRole role = IceRole::Unknown;
    std::optional<IceParameters> localParameters, remoteParameters;
    std::vector<IceCandidate> remoteCandidates;
  };
  std::map<uint32_t, Transport> transports;  ///< by number
  std::optional<bool> remoteTrickles;
  uint64_t maxMessageSize = 0;
  std::vector<uint32_t> activeTransceivers;
  std::vector<jsep::TransceiverState> transceivers;
  std::vector<jsep::HeaderExtensionCapability> audioExtensions, videoExtensions;
  std::string cname;
};

/// The body behind all PeerConnection handles of one connection. Every member function is called
/// with the loop's lock held unless it says otherwise; tasks run without it.
///
/// Two lanes lead to the app. `tasks_` are the specification's queued tasks, in order; closing the
/// connection drops them. `urgent_` holds the outcome of calls that are settled the moment they
/// return ("return a promise rejected with"), and the ending of data channels after close().
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
  enum class Ending : uint8_t {
    Told,       ///< of its data channels
    Silent,     ///< the app is not told of their end either
    Abandoned,  ///< silent, and nobody will ask for anything any more
  };
  void close(Ending ending);

  /// Takes events out of the session and turns them into tasks.
  void collect();
  /// To be called after every change made through the facade: collects, and wakes the driver.
  void afterCall(Timestamp now);
  /// The same after a change that does nothing but send: what many of them put in leaves together.
  void afterSend();
  /// For the loop, some time after `afterSend`.
  void pump(Timestamp now);
  /// The next task; false if there is none. Urgent ones run also after close().
  bool takeTask(std::function<void()>& out, bool& urgent);
  bool takeUrgent(std::function<void()>& out);
  bool hasTasks() const { return !tasks_.empty() && !closed_; }
  void queueTask(std::function<void()> task);
  void queueUrgent(std::function<void()> task);

  /// Queues a task of the specification: `body` runs under the lock, changes everything that the
  /// task changes, and lists what to fire. Nothing happens if the connection closes first.
  void queueStep(std::function<void(Step&)> body);

  /// The outcome of a call that is known at once.
  template <class T>
  void settle(Completion<T> done, Result<T> result) {
    if (!done) return;
    queueUrgent([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }
  /// Ends `step` with the completion of a call outside the operations chain.
  template <class T>
  static void finish(Step& step, Completion<T> done, Result<T> result) {
    step.then([done = std::move(done), result = std::move(result)](PeerConnectionCore&) {
      return done ? Step::Call([done, result]() mutable { done(std::move(result)); })
                  : Step::Call{};
    });
  }

  /// W3C 4.4.1.2 "chain": `check` runs when the operation's turn has come and may refuse it at
  /// once; `apply` runs in a task of its own and answers with the outcome.
  template <class T>
  void chain(Completion<T> done, std::function<Result<void>()> check,
             std::function<Result<T>(Step&)> apply) {
    chainSteps<T>(std::move(done), std::move(check), {}, std::move(apply));
  }
  /// The same with a task before the last one, if `first` says that it is needed.
  template <class T>
  void chainSteps(Completion<T> done, std::function<Result<void>()> check,
                  std::function<std::function<void(Step&)>()> first,
                  std::function<Result<T>(Step&)> apply);
  /// W3C 4.7.3 "update the negotiation-needed flag".
  void updateNegotiationNeeded();
  /// A description has brought the connection back to stable.
  void onStable();

  /// Runs a change of the session that belongs to `step`: what it causes is part of the step.
  void inStep(Step& step, const std::function<void(jsep::Session&, Timestamp)>& change);

  /// W3C 6.2: what a turn of the loop has queued is not seen to leave within it.
  uint64_t bufferedAmount(const DataChannelCore& channel);
  /// What was sent in this turn counts until its end.
  void showBuffered(const std::shared_ptr<DataChannelCore>& body, uint64_t amount);
  std::shared_ptr<DataChannelCore> channel(sctp::ChannelId id);
  std::shared_ptr<DataChannelCore> adoptChannel(sctp::ChannelId id, const sctp::ChannelInit& init);

  /// Those of a transceiver that is gone are found as long as a handle has them; an unknown one has
  /// empty ones. Never null.
  std::shared_ptr<TransceiverSlots> slots(uint32_t transceiver);
  /// The local track that a transceiver sends; null if none.
  std::shared_ptr<TrackCore> senderTrack(uint32_t transceiver);
  std::shared_ptr<TrackCore> receiverTrack(uint32_t transceiver);
  void setSenderTrack(uint32_t transceiver, std::shared_ptr<TrackCore> track);
  /// Of all receivers that anybody may still hear of. Takes the lock itself.
  std::vector<std::shared_ptr<TrackCore>> receiverTracks();
  void ensureReceiver(uint32_t transceiver, MediaKind kind);
  /// The receiver's track ends now; its event follows as a task.
  void endReceiverTrack(uint32_t transceiver);
  /// Null once it has been rolled back or its m-section recycled.
  const jsep::TransceiverState* transceiver(uint32_t id);
  std::vector<uint32_t> transceiverIds();
  std::vector<uint32_t> activeTransceiverIds();
  /// Of how many transceivers something is kept.
  size_t slotCount() const {
    return slots_.size() + former_.size() + taps_.size() + callbacks.telephoneEvents.size();
  }
  RtpSendParameters sendParameters(const std::shared_ptr<TransceiverSlots>& slots);
  void setSendParameters(const std::shared_ptr<TransceiverSlots>& slots,
                         RtpSendParameters parameters, const SetParameterOptions& options,
                         Completion<void> done);
  /// W3C 4.4.1.5: a description empties [[LastReturnedParameters]] of every sender.
  void forgetReturnedParameters();
  RtpReceiveParameters receiveParameters(uint32_t transceiver);
  /// Never empty.
  const std::vector<RtpEncodingParameters>& encodings(uint32_t transceiver);
  void setEncodings(uint32_t transceiver, std::vector<RtpEncodingParameters> encodings);
  /// Tells the session what the application and the track ask of a sender.
  void tuneSender(uint32_t transceiver);
  /// The app's bounds on what a transceiver sends, of the first encoding; defaults if it never set
  /// any.
  const RtpEncodingParameters& encoding(uint32_t transceiver) {
    return encodings(transceiver).front();
  }

  /// RtpReceiver::setPacketSink (packet_tap.cc, as is the next).
  Result<void> setPacketSink(uint32_t transceiver, RtpPacketSink sink, PacketRepair repair);
  void takePacket(media::ReceivedPacket&& packet);
  bool hasTaps() const { return !taps_.empty(); }
  bool isTapped(uint32_t transceiver) const { return taps_.contains(transceiver); }

  bool canSendTone(uint32_t transceiver);
  void queueTonePlayout(uint32_t transceiver);

  /// The app has set a callback of a channel: what it missed so far is delivered before anything
  /// newer.
  void deliverMissed(const std::shared_ptr<DataChannelCore>& body);
  void addDataStats(StatsContext& context);
  /// Whether a description is applied, so that there are transports.
  bool hasDescription() const {
    const jsep::DescriptionsChanged& all = visible.descriptions;
    return all.pendingLocal || all.currentLocal || all.pendingRemote || all.currentRemote;
  }
  void getStats(const StatsSelector& selector, Completion<StatsReport> done);
  IceRole iceRole(uint32_t transport = 0);
  /// What a transport's getters show beside its VisibleTransport; defaults for an unknown one.
  LastSeen::Transport seen(uint32_t transport);
  std::optional<bool> remoteTrickles();
  uint64_t maxMessageSize();
  /// Those that can be negotiated.
  const std::vector<jsep::HeaderExtensionCapability>& headerExtensions(MediaKind kind);
  /// The section whose transport a section has for itself; nothing if it is the first one.
  std::optional<size_t> ownTransport(size_t section);
  /// Of a handle: the number of its transport; nothing if it has none (yet, or any more).
  std::optional<uint32_t> transportNumber(std::optional<size_t> ownOf);
  bool ownTransportLives(size_t section);
  /// Whether a transceiver's RTCDtlsTransport is there.
  bool hasTransport(const jsep::TransceiverState& transceiver);
  /// Null for a transport that has ended.
  VisibleTransport* shown(uint32_t transport);
  TransportCallbacks& callbacksOf(uint32_t transport);
  /// Whether a sender has a stream, so that the bandwidth is estimated.
  bool sendsMedia();
  StatsIds statsIds;

  const Configuration& configuration() const { return configuration_; }
  /// While the connection is being made: defaults are filled in.
  Configuration& mutableConfiguration() { return configuration_; }
  PeerConnectionCallbacks callbacks;
  VisibleState visible;
  size_t turnsQueued = 0;  ///< owned by LoopCore: how often it waits for delivery

 private:
  void runStep(const std::function<void(Step&)>& body);
  /// Before the session closes.
  void keepLastSeen();
  // Parts of `close`.
  void showClosed();
  void keepTransceivers();
  void endTracks();
  void closeChannels(bool silent);
  void letGo();
  void fire(std::vector<Step::Pick> picks);
  /// `step` is the one that caused the event; null for what the network brought.
  void onEvent(jsep::SessionEvent&& event, Step* step);
  void inOrNew(Step* step, std::function<void(Step&)> body);
  void onSignalingState(SignalingState state, Step* cause);
  void onCandidateError(const IceCandidateError& error);
  void onTransportAdded(uint32_t transport);
  void onStreamTrack(const jsep::StreamTrackChanged& event, Step* cause);
  void stopMedia(uint32_t transceiver);
  void onSenderStopped(const jsep::SenderStopped& event);
  void onEstimate(const media::BandwidthStats& stats);
  void onLocalCandidate(const jsep::LocalCandidate& event);
  void onIceState(const jsep::IceStateChanged& event);
  void onTransportEnded(uint32_t transport, Step* cause);
  std::vector<const VisibleTransport*> transportsInUse();
  void aggregateStates(Step& step);
  void onGathering(const jsep::GatheringStateChanged& event, Step* cause);
  void onTransportState(std::function<void(Step&)> before);
  void onSelectedPair(uint32_t transport, Step& step);
  void onDtls(const jsep::DtlsStateChanged& event);
  void onSctp(const sctp::TransportChanged& event);
  void syncSctp();
  void onTrackAdded(const jsep::TrackAdded& event, Step& step);
  void muteTrack(uint32_t transceiver, bool muted, Step& step);
  void onChannelEvent(const sctp::ChannelEvent& event);
  void dispatchChannelEvent(const sctp::ChannelEvent& event);
  static void onChannel(std::monostate) {}
  void onChannel(const sctp::TransportChanged& event) { onSctp(event); }
  void onChannel(const sctp::ChannelIncoming& event);
  void onChannel(const sctp::ChannelOpened& event);
  void onChannel(const sctp::ChannelClosing& event);
  void onChannel(const sctp::ChannelClosed& event);
  void onChannel(const sctp::ChannelFailed& event);
  void onChannel(const sctp::BufferedAmountLow& event);
  void onChannel(const sctp::ChannelWritable& event);
  void queueChannelStep(std::function<void(Step&)> body);
  void queueLow(const std::shared_ptr<DataChannelCore>& body);
  void assignChannelIds();
  void collectChannels(jsep::Session& session);
  void collectMessages(jsep::Session& session);
  /// Messages to deliver one after the other, and how far that has come.
  struct MessageRun {
    struct Message {
      std::shared_ptr<DataChannelCore> body;
      DataChannelCore::Held held;
    };
    std::vector<Message> messages;
    size_t next = 0;
  };
  void deliverMessages(const std::shared_ptr<MessageRun>& run);
  void hold(DataChannelCore& channel, DataChannelCore::Held&& message);
  void operationEnded();
  Result<void> checkSendParameters(const TransceiverSlots& slots, RtpSendParameters& parameters);
  void forgetTransceiver(uint32_t transceiver);
  void syncEncodings();
  void playTone(uint32_t transceiver, Step& step);
  void onToneReceived(const media::ToneEvent& tone);
  void deliverPackets(uint32_t transceiver);

  std::shared_ptr<LoopCore> loop_;
  Configuration configuration_;
  endpoint::SessionId session_{};
  bool closed_ = false;
  bool queuedForPump_ = false;
  std::deque<std::function<void()>> tasks_;
  std::deque<std::function<void()>> urgent_;
  jsep::OperationsChain operations_;
  SelectableStats finalStats_;  ///< of the moment when it closed
  LastSeen lastSeen_;
  bool negotiationNeeded_ = false;  ///< W3C [[NegotiationNeeded]]
  size_t queuedMessages_ = 0;
  size_t queuedMessageBytes_ = 0;
  bool messagesWait_ = false;    ///< in the association, until those are delivered
  size_t heldMessageBytes_ = 0;  ///< in channels that have no callback yet
  size_t queuedChannelSteps_ = 0;
  uint64_t channelsOpened_ = 0;
  uint64_t channelsClosed_ = 0;
  std::map<sctp::ChannelId, std::shared_ptr<DataChannelCore>> channels_;
  // The ends of channels, announced when the messages before them have been read.
  std::deque<sctp::ChannelEvent> heldEnds_;
  std::map<uint32_t, std::shared_ptr<TransceiverSlots>> slots_;
  /// Of transceivers that are gone, while an app has handles of them or a sink of theirs runs.
  struct Former {
    std::weak_ptr<TransceiverSlots> slots;
    /// By itself: tracks do not hold the slots, nor do clones hold what they were made of.
    std::weak_ptr<TrackCore> receiverTrack;
  };
  std::map<uint32_t, Former> former_;
  std::map<uint32_t, PacketTap> taps_;  ///< by receiver
  std::vector<PacketTap::Packet> tapMemory_;
};

template <class T>
void PeerConnectionCore::chainSteps(Completion<T> done, std::function<Result<void>()> check,
                                    std::function<std::function<void(Step&)>()> first,
                                    std::function<Result<T>(Step&)> apply) {
  if (closed_) {
    settle<T>(std::move(done), fail(ErrorCode::InvalidState,
                                    "the connection is closed: create a new PeerConnection"));
    return;
  }
  operations_.enqueue([this, done = std::move(done), check = std::move(check),
                       first = std::move(first), apply = std::move(apply)] {
    if (Result<void> allowed = check ? check() : ok(); !allowed) {
      settle<T>(done, fail(allowed.error()));
      operationEnded();
      return;
    }
    if (const std::function<void(Step&)> before = first ? first() : nullptr) queueStep(before);
    queueStep([done, apply](Step& step) {
      Result<T> result = apply(step);
      step.then([done, result = std::move(result)](PeerConnectionCore& c) {
        // The specification's chain reacts to the settled promise before the app does.
        c.operationEnded();
        return done ? Step::Call([done, result]() mutable { done(std::move(result)); })
                    : Step::Call{};
      });
    });
  });
}

}  // namespace parley::api_internal
