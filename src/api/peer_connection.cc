#include "parley/api/peer_connection.h"

#include <utility>

#include "parley/jsep/offer_answer.h"

#include "api/configuration_check.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"
#include "api/stats_builder.h"
#include "api/twin_enums.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;
using api_internal::StatsSelector;
using api_internal::Step;

/// What the app's handles share: when the last one goes, the connection closes.
struct PeerConnection::Handle {
  explicit Handle(std::shared_ptr<PeerConnectionCore> body) : core(std::move(body)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    const LoopCore::Lock lock(core->loop());
    core->close(PeerConnectionCore::Ending::Abandoned);
  }
  const std::shared_ptr<PeerConnectionCore> core;
};

namespace {

Failure closedError() {
  return fail(ErrorCode::InvalidState, "the connection is closed: create a new PeerConnection");
}

}  // namespace

Result<PeerConnection> PeerConnection::create(const std::shared_ptr<Loop>& loop,
                                              Configuration configuration) {
  if (!loop)
    return fail(ErrorCode::Type, "PeerConnection::create needs a loop: Loop::create() makes one");
  LoopCore& loopCore = loop->core();
  const std::shared_ptr<LoopCore> shared = loopCore.shared_from_this();
  auto core = std::make_shared<PeerConnectionCore>(shared, std::move(configuration));
  const LoopCore::Lock lock(loopCore);
  const Timestamp now = loopCore.now();
  Result<jsep::SessionConfig> config =
      api_internal::makeSessionConfig(core->mutableConfiguration(), loopCore, now);
  if (!config) return fail(std::move(config).error());
  const endpoint::SessionId id = loopCore.endpoint().createSession(*std::move(config), now);
  core->start(id);
  loopCore.addConnection(id, core);
  if (core->configuration().iceCandidatePoolSize > 0) core->session()->gatherEarly(now);
  core->afterCall(now);
  return PeerConnection(std::make_shared<Handle>(std::move(core)));
}

const std::shared_ptr<PeerConnectionCore>& PeerConnection::core() const {
  PARLEY_CHECK(handle_ != nullptr);
  return handle_->core;
}

void PeerConnection::createOffer(OfferOptions options, Completion<SessionDescription> done) {
  const LoopCore::Lock lock(core()->loop());
  PeerConnectionCore* self = core().get();
  self->chain<SessionDescription>(
      std::move(done), [self] { return jsep::checkOfferState(self->session()->state()); },
      [self, options](Step&) -> Result<SessionDescription> {
        Result<std::string> sdp =
            self->session()->createOffer(options.iceRestart, self->loop().now());
        if (!sdp) return fail(std::move(sdp).error());
        return SessionDescription{SdpType::Offer, *std::move(sdp)};
      });
  self->loop().wake();
}

void PeerConnection::createAnswer(Completion<SessionDescription> done) {
  const LoopCore::Lock lock(core()->loop());
  PeerConnectionCore* self = core().get();
  self->chain<SessionDescription>(
      std::move(done), [self] { return jsep::checkAnswerState(self->session()->state()); },
      [self](Step&) -> Result<SessionDescription> {
        Result<std::string> sdp = self->session()->createAnswer(self->loop().now());
        if (!sdp) return fail(std::move(sdp).error());
        return SessionDescription{SdpType::Answer, *std::move(sdp)};
      });
  self->loop().wake();
}

namespace {

// W3C 4.4.1.5 "set the session description" is one step; whatever it brings about is part of it.
Result<void> applyInStep(PeerConnectionCore& core, Step& step,
                         const std::function<Result<void>(jsep::Session&, Timestamp)>& apply) {
  Result<void> result = ok();
  core.inStep(step, [&](jsep::Session& session, Timestamp now) {
    result = apply(session, now);
    if (result && session.state().signaling == SignalingState::Stable) core.onStable();
  });
  return result;
}

void setLocal(const std::shared_ptr<PeerConnectionCore>& core, std::optional<SdpType> type,
              std::string sdp, Completion<void> done) {
  const LoopCore::Lock lock(core->loop());
  PeerConnectionCore* self = core.get();
  self->chain<void>(
      std::move(done),
      [self, type, sdp] { return self->session()->checkLocalDescription(type, sdp); },
      [self, type, sdp](Step& step) {
        return applyInStep(*self, step, [&](jsep::Session& session, Timestamp now) {
          const bool offering = session.state().signaling == jsep::SignalingState::Stable;
          Result<void> applied = session.setLocalDescription(type, sdp, now);
          if (applied && !offering && type != SdpType::Rollback) self->forgetReturnedParameters();
          return applied;
        });
      });
  self->loop().wake();
}

}  // namespace

void PeerConnection::setLocalDescription(Completion<void> done) {
  setLocal(core(), std::nullopt, {}, std::move(done));
}

void PeerConnection::setLocalDescription(SessionDescription description, Completion<void> done) {
  setLocal(core(), description.type, std::move(description.sdp), std::move(done));
}

void PeerConnection::setRemoteDescription(SessionDescription description, Completion<void> done) {
  const LoopCore::Lock lock(core()->loop());
  PeerConnectionCore* self = core().get();
  struct Given {
    SessionDescription text;
    std::optional<sdp::SessionDescription> read{};  // by an earlier step
  };
  const auto given = std::make_shared<Given>(Given{std::move(description)});
  const auto rollBack = [self](Step& step) {
    return applyInStep(*self, step, [](jsep::Session& session, Timestamp now) {
      return session.setRemoteDescription(SdpType::Rollback, {}, now);
    });
  };
  self->chainSteps<void>(
      std::move(done),
      [self, given]() -> Result<void> {
        if (given->text.type != SdpType::Rollback) return ok();
        return self->session()->checkRemoteRollback();
      },
      [self, given, rollBack]() -> std::function<void(Step&)> {
        // W3C 4.4.2: an offer that meets our own first rolls ours back, in a task of its own. One
        // that could not be applied then either is refused with nothing changed.
        const jsep::Session& session = *self->session();
        const bool glare = given->text.type == SdpType::Offer &&
                           session.state().signaling == SignalingState::HaveLocalOffer;
        if (!glare) return {};
        Result<sdp::SessionDescription> offer =
            session.readRemoteDescription(SdpType::Offer, given->text.sdp);
        if (!offer || !session.tryRemoteDescription(SdpType::Offer, *offer)) return {};
        given->read = *std::move(offer);
        return [rollBack](Step& step) { (void)rollBack(step); };
      },
      [self, given, rollBack](Step& step) -> Result<void> {
        const SdpType type = given->text.type;
        if (type == SdpType::Rollback) return rollBack(step);
        if (!given->read) {
          auto read = self->session()->readRemoteDescription(type, given->text.sdp);
          if (!read) return fail(std::move(read).error());
          given->read = *std::move(read);
        }
        return applyInStep(*self, step, [&](jsep::Session& session, Timestamp now) {
          Result<void> applied = session.applyRemoteDescription(type, *given->read, now);
          if (applied) self->forgetReturnedParameters();
          return applied;
        });
      });
  self->loop().wake();
}

void PeerConnection::addIceCandidate(IceCandidate candidate, Completion<void> done) {
  const LoopCore::Lock lock(core()->loop());
  PeerConnectionCore* self = core().get();
  if (!candidate.candidate.empty() && !candidate.sdpMid && !candidate.sdpMLineIndex) {
    // Before the operations chain, and also on a closed connection.
    self->settle<void>(std::move(done),
                       fail(ErrorCode::Type, "a candidate needs sdpMid or sdpMLineIndex"));
    return;
  }
  const auto shared = std::make_shared<const IceCandidate>(std::move(candidate));
  self->chain<void>(
      std::move(done),
      [self, shared] {
        return self->session()->checkIceCandidate(shared->sdpMid, shared->sdpMLineIndex,
                                                  shared->usernameFragment);
      },
      [self, shared](Step& step) {
        Result<void> result = ok();
        self->inStep(step, [&](jsep::Session& session, Timestamp now) {
          result = session.addIceCandidate(shared->candidate, shared->sdpMid, shared->sdpMLineIndex,
                                           shared->usernameFragment, now);
        });
        return result;
      });
  self->loop().wake();
}

void PeerConnection::restartIce() {
  const LoopCore::Lock lock(core()->loop());
  if (core()->closed()) return;
  const Timestamp now = core()->loop().now();
  core()->session()->restartIce(now);
  core()->updateNegotiationNeeded();
  core()->afterCall(now);
}

namespace {

/// Under the lock: the text is written by whoever asks first.
std::optional<SessionDescription> written(const std::optional<jsep::DescriptionText>& description) {
  const std::string* sdp = description ? description->sdp() : nullptr;
  if (!sdp) return std::nullopt;
  return SessionDescription{description->type(), *sdp};
}

}  // namespace

std::optional<SessionDescription> PeerConnection::currentLocalDescription() const {
  const LoopCore::Lock lock(core()->loop());
  return written(core()->visible.descriptions.currentLocal);
}
std::optional<SessionDescription> PeerConnection::pendingLocalDescription() const {
  const LoopCore::Lock lock(core()->loop());
  return written(core()->visible.descriptions.pendingLocal);
}
std::optional<SessionDescription> PeerConnection::localDescription() const {
  const LoopCore::Lock lock(core()->loop());
  const jsep::DescriptionsChanged& all = core()->visible.descriptions;
  return written(all.pendingLocal ? all.pendingLocal : all.currentLocal);
}
std::optional<SessionDescription> PeerConnection::currentRemoteDescription() const {
  const LoopCore::Lock lock(core()->loop());
  return written(core()->visible.descriptions.currentRemote);
}
std::optional<SessionDescription> PeerConnection::pendingRemoteDescription() const {
  const LoopCore::Lock lock(core()->loop());
  return written(core()->visible.descriptions.pendingRemote);
}
std::optional<SessionDescription> PeerConnection::remoteDescription() const {
  const LoopCore::Lock lock(core()->loop());
  const jsep::DescriptionsChanged& all = core()->visible.descriptions;
  return written(all.pendingRemote ? all.pendingRemote : all.currentRemote);
}
SignalingState PeerConnection::signalingState() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->visible.signaling;
}
IceGatheringState PeerConnection::iceGatheringState() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->visible.gathering;
}
IceConnectionState PeerConnection::iceConnectionState() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->visible.iceConnection;
}
PeerConnectionState PeerConnection::connectionState() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->visible.connection;
}
std::optional<bool> PeerConnection::canTrickleIceCandidates() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->remoteTrickles();
}
Configuration PeerConnection::getConfiguration() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->configuration();
}

Result<void> PeerConnection::setConfiguration(Configuration configuration) {
  const LoopCore::Lock lock(core()->loop());
  if (core()->closed()) return closedError();
  const jsep::DescriptionsChanged& all = core()->visible.descriptions;
  const bool describing = all.pendingLocal.has_value() || all.currentLocal.has_value();
  const Configuration& current = core()->configuration();
  Result<ice::GathererConfig> servers =
      api_internal::checkReconfiguration(current, configuration, describing);
  if (!servers) return fail(servers.error());
  const Timestamp now = core()->loop().now();
  core()->session()->setServers(*std::move(servers), now);
  if (configuration.iceCandidatePoolSize > 0) core()->session()->gatherEarly(now);
  Configuration& changed = core()->mutableConfiguration();
  changed.iceServers = std::move(configuration.iceServers);
  changed.iceTransportPolicy = configuration.iceTransportPolicy;
  changed.iceCandidatePoolSize = configuration.iceCandidatePoolSize;
  core()->afterCall(now);
  return ok();
}

Result<RtpSender> PeerConnection::addTrack(MediaStreamTrack track,
                                           std::vector<std::string> streams) {
  if (!track) return fail(ErrorCode::Type, "addTrack needs a track");
  const LoopCore::Lock lock(core()->loop());
  if (core()->closed()) return closedError();
  for (uint32_t id : core()->activeTransceiverIds()) {
    if (core()->senderTrack(id) == track.core()) {
      return fail(ErrorCode::InvalidAccess,
                  "this track is being sent already: it may be added once");
    }
  }
  if (const auto idle = core()->session()->idleSender(track.kind())) {
    Result<void> fits = core()->loop().media().checkSenderTrack(*core(), *idle, track.core().get());
    if (!fits) return fail(std::move(fits).error());
  }
  const Timestamp now = core()->loop().now();
  Result<uint32_t> id =
      core()->session()->addTrack(track.kind(), track.id(), std::move(streams), now);
  if (!id) return fail(std::move(id).error());
  core()->ensureReceiver(*id, track.kind());
  core()->setSenderTrack(*id, track.core());
  core()->updateNegotiationNeeded();
  core()->afterCall(now);
  return RtpSender(core(), *id);
}

Result<void> PeerConnection::removeTrack(const RtpSender& sender) {
  const LoopCore::Lock lock(core()->loop());
  if (core()->closed()) return closedError();
  if (!sender || !(sender == RtpSender(core(), sender.transceiverId()))) {
    return fail(ErrorCode::InvalidAccess, "the sender belongs to another connection");
  }
  const jsep::TransceiverState* state = core()->transceiver(sender.transceiverId());
  // W3C 5.1: without effect where the transceiver has stopped.
  if (!state || state->stopping || state->stopped) return ok();
  const Timestamp now = core()->loop().now();
  core()->setSenderTrack(sender.transceiverId(), nullptr);
  core()->session()->removeTrack(sender.transceiverId(), now);
  core()->updateNegotiationNeeded();
  core()->afterCall(now);
  return ok();
}

namespace {

Result<RtpTransceiver> addTransceiverFor(const std::shared_ptr<PeerConnectionCore>& core,
                                         MediaKind kind, MediaStreamTrack track,
                                         TransceiverInit init) {
  const LoopCore::Lock lock(core->loop());
  if (core->closed()) return closedError();
  if (init.direction == TransceiverDirection::Stopped) {
    return fail(ErrorCode::Type, "a transceiver cannot be created stopped");
  }
  Result<std::vector<RtpEncodingParameters>> encodings = api_internal::validateSendEncodings(
      kind, std::move(init.sendEncodings),
      api_internal::capabilityCodecs(core->configuration(), kind),
      api_internal::scalabilityOf(core->configuration()));
  if (!encodings) return fail(encodings.error());
  if (Result<void> good = api_internal::checkReceiveRids(kind, init.receiveRids, *encodings); !good)
    return fail(good.error());
  std::vector<std::string> rids;
  for (const RtpEncodingParameters& encoding : *encodings)
    rids.push_back(encoding.rid.value_or(""));
  const Timestamp now = core->loop().now();
  Result<uint32_t> id = core->session()->addTransceiver(
      kind, init.direction, std::move(init.streams), track ? track.id() : std::string{}, now, rids,
      std::move(init.receiveRids), init.layersBySsrc);
  if (!id) return fail(std::move(id).error());
  core->ensureReceiver(*id, kind);
  if (track) core->setSenderTrack(*id, track.core());
  core->setEncodings(*id, *std::move(encodings));
  core->updateNegotiationNeeded();
  core->afterCall(now);
  return RtpTransceiver(core, *id);
}

}  // namespace

Result<RtpTransceiver> PeerConnection::addTransceiver(MediaKind kind, TransceiverInit init) {
  return addTransceiverFor(core(), kind, {}, std::move(init));
}

Result<RtpTransceiver> PeerConnection::addTransceiver(MediaStreamTrack track,
                                                      TransceiverInit init) {
  if (!track) return fail(ErrorCode::Type, "addTransceiver needs a track or a kind");
  return addTransceiverFor(core(), track.kind(), track, std::move(init));
}

std::vector<RtpCodec> PeerConnection::senderCapabilities(MediaKind kind) {
  return senderCapabilities(kind, {});
}
std::vector<RtpCodec> PeerConnection::receiverCapabilities(MediaKind kind) {
  return receiverCapabilities(kind, {});
}
std::vector<RtpCodec> PeerConnection::senderCapabilities(MediaKind kind,
                                                         const Configuration& configuration) {
  return RtpSender::getCapabilities(kind, configuration).codecs;
}
std::vector<RtpCodec> PeerConnection::receiverCapabilities(MediaKind kind,
                                                           const Configuration& configuration) {
  return RtpReceiver::getCapabilities(kind, configuration).codecs;
}

RtpCapabilities PeerConnection::capabilities(MediaKind kind) const {
  const LoopCore::Lock lock(core()->loop());
  return api_internal::capabilitiesOf(core()->configuration(), kind);
}

std::vector<RtpTransceiver> PeerConnection::getTransceivers() const {
  const LoopCore::Lock lock(core()->loop());
  std::vector<RtpTransceiver> out;
  for (uint32_t id : core()->transceiverIds()) out.emplace_back(core(), id);
  return out;
}
std::vector<RtpSender> PeerConnection::getSenders() const {
  const LoopCore::Lock lock(core()->loop());
  std::vector<RtpSender> out;
  for (uint32_t id : core()->activeTransceiverIds()) out.emplace_back(core(), id);
  return out;
}
std::vector<RtpReceiver> PeerConnection::getReceivers() const {
  const LoopCore::Lock lock(core()->loop());
  std::vector<RtpReceiver> out;
  for (uint32_t id : core()->activeTransceiverIds()) out.emplace_back(core(), id);
  return out;
}

Result<DataChannel> PeerConnection::createDataChannel(std::string label, DataChannelInit init) {
  const LoopCore::Lock lock(core()->loop());
  if (core()->closed()) return closedError();
  sctp::ChannelInit channel;
  channel.label = std::move(label);
  channel.protocol = std::move(init.protocol);
  channel.ordered = init.ordered;
  channel.maxRetransmits = init.maxRetransmits;
  channel.maxPacketLifeTimeMs = init.maxPacketLifeTime;
  channel.negotiated = init.negotiated;
  constexpr sctp::Priority kPriorities[] = {sctp::Priority::VeryLow, sctp::Priority::Low,
                                            sctp::Priority::Medium, sctp::Priority::High};
  channel.priority = kPriorities[static_cast<size_t>(init.priority)];
  // W3C 6.1: an id without `negotiated` is ignored.
  if (init.negotiated) channel.id = init.id;
  const Timestamp now = core()->loop().now();
  Result<sctp::ChannelId> id = core()->session()->createDataChannel(channel, now);
  if (!id) return fail(std::move(id).error());
  auto body = core()->adoptChannel(*id, channel);
  core()->updateNegotiationNeeded();
  core()->afterCall(now);
  return DataChannel(std::move(body));
}

SctpTransport PeerConnection::sctp() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->visible.hasSctp ? SctpTransport(core()) : SctpTransport();
}

uint64_t PeerConnection::maxMessageSize() const {
  const LoopCore::Lock lock(core()->loop());
  return core()->maxMessageSize();
}

void PeerConnection::getStats(const MediaStreamTrack& track, Completion<StatsReport> done) {
  const LoopCore::Lock lock(core()->loop());
  StatsSelector selector;
  size_t matches = track ? 0 : 1;
  for (uint32_t id : core()->activeTransceiverIds()) {
    if (!track) break;
    if (core()->senderTrack(id) == track.core()) {
      selector.sender = id;
      ++matches;
    }
    if (core()->receiverTrack(id) == track.core()) {
      selector.receiver = id;
      ++matches;
    }
  }
  if (matches != 1) {
    core()->settle<StatsReport>(
        std::move(done),
        fail(ErrorCode::InvalidAccess,
             matches == 0 ? "no sender or receiver of this connection has the track"
                          : "several senders or receivers have the track"));
    return;
  }
  core()->getStats(selector, std::move(done));
}

Diagnosis PeerConnection::diagnose() const {
  const LoopCore::Lock lock(core()->loop());
  const jsep::Session* session = core()->session();
  if (session && !core()->closed()) {
    Diagnosis out = session->diagnose(core()->loop().now());
    for (const uint32_t number : session->transports()) {
      const media::RtpSession* rtp = session->rtp(number);
      if (!rtp) continue;
      std::vector<media::SendStreamStats> streams;
      rtp->sendStats(streams);
      for (const media::SendStreamStats& stream : streams) {
        if (stream.stopped)
          out.facts.stoppedStreams.push_back({stream.mid, stream.rid, toString(*stream.stopped)});
      }
    }
    return out;
  }
  Diagnosis out;
  out.facts.closed = true;
  out.verdict = transport::judge(out.facts);
  return out;
}

void PeerConnection::close() {
  const LoopCore::Lock lock(core()->loop());
  core()->close(PeerConnectionCore::Ending::Told);
}

void PeerConnection::closeAndDrain() {
  {
    const LoopCore::Lock lock(core()->loop());
    core()->close(PeerConnectionCore::Ending::Silent);
  }
  core()->loop().waitUntilIdle(*core());
  for (const auto& track : core()->receiverTracks()) track->waitForSinks();
}

#define PARLEY_CALLBACK_SETTER(method, member, signature)                 \
  void PeerConnection::method(std::function<signature> callback) {        \
    const LoopCore::Lock lock(core()->loop());                            \
    /* The old callback dies after the lock is released: see LoopCore. */ \
    if (!core()->closed()) std::swap(core()->callbacks.member, callback); \
  }
PARLEY_CALLBACK_SETTER(onNegotiationNeeded, negotiationNeeded, void())
PARLEY_CALLBACK_SETTER(onIceCandidate, iceCandidate, void(const std::optional<IceCandidate>&))
PARLEY_CALLBACK_SETTER(onIceCandidateError, iceCandidateError, void(const IceCandidateError&))
PARLEY_CALLBACK_SETTER(onSignalingStateChange, signalingState, void(SignalingState))
PARLEY_CALLBACK_SETTER(onIceGatheringStateChange, gatheringState, void(IceGatheringState))
PARLEY_CALLBACK_SETTER(onIceConnectionStateChange, iceConnectionState, void(IceConnectionState))
PARLEY_CALLBACK_SETTER(onConnectionStateChange, connectionState, void(PeerConnectionState))
PARLEY_CALLBACK_SETTER(onTrack, track, void(const TrackEvent&))
PARLEY_CALLBACK_SETTER(onStreamTrackChange, streamTrack, void(const StreamTrackEvent&))
PARLEY_CALLBACK_SETTER(onDataChannel, dataChannel, void(DataChannel))
PARLEY_CALLBACK_SETTER(onSenderStopped, senderStopped, void(const SenderStoppedEvent&))
#undef PARLEY_CALLBACK_SETTER

void PeerConnection::onBandwidthEstimate(std::function<void(const BandwidthEstimate&)> callback) {
  const LoopCore::Lock lock(core()->loop());
  if (core()->closed()) return;
  core()->session()->reportEstimates(static_cast<bool>(callback));
  std::swap(core()->callbacks.bandwidthEstimate, callback);
}

const char* toString(IceGatheringState state) {
  constexpr const char* kNames[] = {"new", "gathering", "complete"};
  return kNames[static_cast<int>(state)];
}
const char* toString(IceConnectionState state) {
  constexpr const char* kNames[] = {"new",          "checking", "connected", "completed",
                                    "disconnected", "failed",   "closed"};
  return kNames[static_cast<int>(state)];
}
const char* toString(PeerConnectionState state) {
  constexpr const char* kNames[] = {"new",          "connecting", "connected",
                                    "disconnected", "failed",     "closed"};
  return kNames[static_cast<int>(state)];
}

}  // namespace parley
