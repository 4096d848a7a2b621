// How what a session reports becomes steps of the facade: which getters change, and what fires, in
// the order of the W3C algorithms.

#include <algorithm>
#include <utility>

#include "parley/api/enum_text.h"

#include "api/candidate_text.h"
#include "api/forwarding_runtime.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"
#include "api/twin_enums.h"
#include "base/overloaded.h"

namespace parley::api_internal {
namespace {

PARLEY_SAME_NUMBERS(IceGathererState, transport::GatheringState, New, Gathering, Complete);
IceGathererState toApi(transport::GatheringState state) {
  return static_cast<IceGathererState>(state);
}

PARLEY_SAME_NUMBERS(IceTransportState, ice::IceConnectionState, New, Checking, Connected, Completed,
                    Disconnected, Failed, Closed);
IceTransportState toTransport(ice::IceConnectionState state) {
  return static_cast<IceTransportState>(state);
}
DtlsTransportState toApi(dtls::State state) {
  switch (state) {
    case dtls::State::New:
      return DtlsTransportState::New;
    case dtls::State::Connecting:
      return DtlsTransportState::Connecting;
    case dtls::State::Connected:
      return DtlsTransportState::Connected;
    case dtls::State::Closed:
      return DtlsTransportState::Closed;
    case dtls::State::Failed:
      return DtlsTransportState::Failed;
  }
  return DtlsTransportState::New;
}

using Transports = std::vector<const VisibleTransport*>;

template <class F>
bool any(const Transports& all, F&& is) {
  return std::any_of(all.begin(), all.end(), [&](const auto* t) { return is(*t); });
}
template <class F>
bool every(const Transports& all, F&& is) {
  return std::all_of(all.begin(), all.end(), [&](const auto* t) { return is(*t); });
}
auto iceIs(IceTransportState state) {
  return [state](const VisibleTransport& t) { return t.iceTransport == state; };
}
bool isIceUp(const VisibleTransport& t) {
  return t.iceTransport == IceTransportState::Connected ||
         t.iceTransport == IceTransportState::Completed ||
         t.iceTransport == IceTransportState::Closed;
}
bool isIceFresh(const VisibleTransport& t) {
  return t.iceTransport == IceTransportState::New || t.iceTransport == IceTransportState::Closed;
}

/// webrtc-pc section 4.3.4.
IceConnectionState aggregateIce(const Transports& all) {
  using Ice = IceTransportState;
  if (any(all, iceIs(Ice::Failed))) return IceConnectionState::Failed;
  if (any(all, iceIs(Ice::Disconnected))) return IceConnectionState::Disconnected;
  if (every(all, isIceFresh)) return IceConnectionState::New;
  if (any(all, iceIs(Ice::New)) || any(all, iceIs(Ice::Checking)))
    return IceConnectionState::Checking;
  const bool completed = every(all, [](const VisibleTransport& t) {
    return t.iceTransport == Ice::Completed || t.iceTransport == Ice::Closed;
  });
  return completed ? IceConnectionState::Completed : IceConnectionState::Connected;
}

/// webrtc-pc section 4.3.3.
PeerConnectionState aggregate(const Transports& all) {
  using Dtls = DtlsTransportState;
  if (any(all, iceIs(IceTransportState::Failed)) ||
      any(all, [](const VisibleTransport& t) { return t.dtls == Dtls::Failed; }))
    return PeerConnectionState::Failed;
  if (any(all, iceIs(IceTransportState::Disconnected))) return PeerConnectionState::Disconnected;
  const bool fresh = every(all, [](const VisibleTransport& t) {
    return isIceFresh(t) && (t.dtls == Dtls::New || t.dtls == Dtls::Closed);
  });
  if (fresh) return PeerConnectionState::New;
  const bool up = every(all, [](const VisibleTransport& t) {
    return isIceUp(t) && (t.dtls == Dtls::Connected || t.dtls == Dtls::Closed);
  });
  return up ? PeerConnectionState::Connected : PeerConnectionState::Connecting;
}

/// webrtc-pc section 4.3.2 (RTCIceGatheringState).
IceGatheringState aggregateGathering(const Transports& all) {
  using Gatherer = IceGathererState;
  if (any(all, [](const VisibleTransport& t) { return t.gatherer == Gatherer::Gathering; }))
    return IceGatheringState::Gathering;
  const bool complete =
      every(all, [](const VisibleTransport& t) { return t.gatherer == Gatherer::Complete; });
  return complete ? IceGatheringState::Complete : IceGatheringState::New;
}

}  // namespace

void PeerConnectionCore::inOrNew(Step* step, std::function<void(Step&)> body) {
  if (step) {
    body(*step);
  } else {
    queueStep(std::move(body));
  }
}

void PeerConnectionCore::onEvent(jsep::SessionEvent&& event, Step* step) {
  std::visit(Overloaded{
                 [](std::monostate) {},
                 [&](jsep::SignalingStateChanged& e) { onSignalingState(e.state, step); },
                 [&](jsep::DescriptionsChanged& e) {
                   inOrNew(step, [this, e](Step&) { visible.descriptions = e; });
                 },
                 [&](jsep::LocalCandidate& e) { onLocalCandidate(e); },
                 [&](jsep::GatheringStateChanged& e) { onGathering(e, step); },
                 [&](jsep::LocalCandidateError& e) {
                   onCandidateError({e.address, e.port, e.url, e.code, e.text});
                 },
                 [&](jsep::IceStateChanged& e) { onIceState(e); },
                 [&](jsep::SelectedPairChanged& e) {
                   queueStep([this, id = e.transport](Step& at) { onSelectedPair(id, at); });
                 },
                 [&](jsep::DtlsStateChanged& e) { onDtls(e); },
                 [&](jsep::TransportAdded& e) { onTransportAdded(e.transport); },
                 [&](jsep::TransportEnded& e) { onTransportEnded(e.transport, step); },
                 [&](jsep::TrackAdded& e) {
                   ensureReceiver(e.transceiver, e.kind);
                   inOrNew(step, [this, e](Step& at) { onTrackAdded(e, at); });
                 },
                 [&](jsep::TrackRemoved& e) {
                   inOrNew(step, [this, e](Step& at) { muteTrack(e.transceiver, true, at); });
                 },
                 [&](jsep::TrackUnmuted& e) {
                   // The specification unmutes in a task of its own, when packets come in.
                   queueStep([this, e](Step& at) { muteTrack(e.transceiver, false, at); });
                 },
                 [&](jsep::StreamTrackChanged& e) { onStreamTrack(e, step); },
                 [&](jsep::TransceiverStopped& e) { stopMedia(e.transceiver); },
                 [&](jsep::TransceiversRemoved& e) {
                   for (uint32_t id : e.transceivers) {
                     stopMedia(id);
                     // After what this step and those before it still tell of the transceiver.
                     queueStep([this, id](Step&) { forgetTransceiver(id); });
                   }
                 },
                 [&](jsep::SenderConfigured& e) {
                   loop_->media().configureSender(*this, e);
                   loop_->forwarding().senderConfigured(*this, e.transceiver);
                 },
                 [&](jsep::ReceiverConfigured& e) {
                   ensureReceiver(e.transceiver, e.kind);
                   loop_->media().configureReceiver(*this, e);
                   loop_->forwarding().receiverConfigured(*this, e.transceiver);
                 },
                 [&](jsep::KeyFrameRequested& e) {
                   if (!loop_->forwarding().requestKeyFrame(*this, e.transceiver))
                     loop_->media().requestKeyFrame(*this, e.transceiver, e.rid);
                 },
                 [&](jsep::TargetBitrate& e) { loop_->media().setTargetBitrate(*this, e); },
                 [&](jsep::EstimateChanged& e) { onEstimate(e.estimate); },
                 [&](jsep::ToneReceived& e) { onToneReceived(e.tone); },
                 [&](jsep::SenderStopped& e) { onSenderStopped(e); },
             },
             event);
}

void PeerConnectionCore::onSignalingState(SignalingState state, Step* cause) {
  inOrNew(cause, [this, state](Step& step) {
    visible.signaling = state;
    step.then(
        [state](PeerConnectionCore& c) { return bindCallback(c.callbacks.signalingState, state); });
  });
}

void PeerConnectionCore::onCandidateError(const IceCandidateError& error) {
  queueStep([error](Step& step) {
    step.then([error](PeerConnectionCore& c) {
      return bindCallback(c.callbacks.iceCandidateError, error);
    });
  });
}

void PeerConnectionCore::onTransportAdded(uint32_t transport) {
  const auto& sections = session()->state().transports.sections;
  const auto first = std::find(sections.begin(), sections.end(), transport);
  visible.sides[transport].section = static_cast<size_t>(first - sections.begin());
}

void PeerConnectionCore::onStreamTrack(const jsep::StreamTrackChanged& event, Step* cause) {
  inOrNew(cause, [event](Step& step) {
    step.then([event](PeerConnectionCore& c) {
      StreamTrackEvent change{event.stream, MediaStreamTrack(c.receiverTrack(event.transceiver)),
                              event.added};
      return bindCallback(c.callbacks.streamTrack, std::move(change));
    });
  });
}

void PeerConnectionCore::stopMedia(uint32_t transceiver) {
  loop_->media().stopSender(*this, transceiver);
  loop_->media().stopReceiver(*this, transceiver);
  endReceiverTrack(transceiver);
}

void PeerConnectionCore::onSenderStopped(const jsep::SenderStopped& event) {
  SenderStoppedEvent out{event.mid, event.rid, event.reason};
  queueStep([out = std::move(out)](Step& step) {
    step.then(
        [out](PeerConnectionCore& c) { return bindCallback(c.callbacks.senderStopped, out); });
  });
}

void PeerConnectionCore::onEstimate(const media::BandwidthStats& stats) {
  BandwidthEstimate out;
  const Environment& environment = session()->environment();
  out.unixMs = static_cast<double>(environment.wallClock.unixNanosAt(loop_->now())) / 1e6;
  out.estimate = stats.estimate;
  out.target = stats.target;
  out.delayBased = stats.estimator.delayBased;
  out.lossBased = stats.estimator.lossBased;
  out.remote = stats.estimator.remote;
  out.acknowledged = stats.estimator.acknowledged;
  out.pacing = stats.pacing;
  out.lossFraction = stats.lossFraction;
  out.roundTripTime = stats.roundTripTime.value_or(Duration::zero());
  out.queueDelay = stats.estimator.queueDelay;
  out.overuse = stats.estimator.signal == congestion::DelaySignal::Overusing    ? 1
                : stats.estimator.signal == congestion::DelaySignal::Underusing ? -1
                                                                                : 0;
  out.probes = stats.estimator.probes;
  out.applicationLimited = stats.estimator.applicationLimited;
  queueStep([out](Step& step) {
    step.then(
        [out](PeerConnectionCore& c) { return bindCallback(c.callbacks.bandwidthEstimate, out); });
  });
}

// W3C 5.6 "surface the candidate": it is in the descriptions and the transport's list when the
// event fires.
void PeerConnectionCore::onLocalCandidate(const jsep::LocalCandidate& event) {
  IceCandidate candidate{event.candidate, event.mid, event.mLineIndex, event.ufrag};
  candidate.url = event.url;
  if (event.relayProtocol)
    candidate.relayProtocol = fromString<IceServerTransportProtocol>(*event.relayProtocol);
  queueStep([this, candidate, transport = event.transport,
             descriptions = event.descriptions](Step& step) {
    visible.descriptions = descriptions;
    VisibleTransport* of = shown(transport);
    if (of && !candidate.candidate.empty()) of->localCandidates.push_back(candidate);
    step.then([candidate](PeerConnectionCore& c) {
      return bindCallback(c.callbacks.iceCandidate, std::optional(candidate));
    });
  });
}

// W3C 5.6: a generation that is complete says so with an empty candidate; then the gatherer's
// state, the connection's state, and the final null follow in the same task.
void PeerConnectionCore::onGathering(const jsep::GatheringStateChanged& event, Step* cause) {
  const auto body = [this, event](Step& step) {
    const IceGathererState state = toApi(event.state);
    visible.descriptions = event.descriptions;
    VisibleTransport* of = shown(event.transport);
    if (!of) return;
    const bool complete = state == IceGathererState::Complete;
    if (state == IceGathererState::Gathering) of->localCandidates.clear();
    if (complete && event.end) {
      const IceCandidate end{"", event.end->mid, event.end->mLineIndex, event.end->ufrag};
      step.then([end](PeerConnectionCore& c) {
        return bindCallback(c.callbacks.iceCandidate, std::optional(end));
      });
    }
    const IceGathererState before = std::exchange(of->gatherer, state);
    if (before == state) return;
    const IceGatheringState all = aggregateGathering(transportsInUse());
    of->gatherer = before;  // until the event that tells
    const IceGatheringState wasAll = visible.gathering;
    step.then([state, all, id = event.transport](PeerConnectionCore& c) {
      if (VisibleTransport* now = c.shown(id)) now->gatherer = state;
      c.visible.gathering = all;
      return bindCallback(c.callbacksOf(id).gathererState, state);
    });
    if (all == wasAll) return;
    step.then(
        [all](PeerConnectionCore& c) { return bindCallback(c.callbacks.gatheringState, all); });
    if (all != IceGatheringState::Complete) return;
    step.then([](PeerConnectionCore& c) {
      return bindCallback(c.callbacks.iceCandidate, std::optional<IceCandidate>{});
    });
  };
  // W3C 4.4.1.5: a description that leaves no transport is what makes the state new.
  if (event.state == transport::GatheringState::New) return inOrNew(cause, body);
  queueStep(body);
}

// W3C 5.6 and 5.5: one task changes a transport's state and both aggregates; the transport's event
// comes first.
void PeerConnectionCore::onTransportState(std::function<void(Step&)> before) {
  queueStep([this, before = std::move(before)](Step& step) {
    before(step);
    aggregateStates(step);
  });
}

void PeerConnectionCore::aggregateStates(Step& step) {
  const Transports transports = transportsInUse();
  const IceConnectionState ice = aggregateIce(transports);
  const PeerConnectionState all = aggregate(transports);
  if (std::exchange(visible.iceConnection, ice) != ice) {
    step.then(
        [ice](PeerConnectionCore& c) { return bindCallback(c.callbacks.iceConnectionState, ice); });
  }
  if (std::exchange(visible.connection, all) != all) {
    step.then(
        [all](PeerConnectionCore& c) { return bindCallback(c.callbacks.connectionState, all); });
  }
}

/// The first one counts unless all that is left has transports of its own.
std::vector<const VisibleTransport*> PeerConnectionCore::transportsInUse() {
  Transports out;
  const jsep::Session* session = this->session();
  const auto uses = [&](uint32_t id) {
    const auto& sections = session->state().transports.sections;
    return std::find(sections.begin(), sections.end(), id) != sections.end();
  };
  if (visible.sides.empty() || !session || uses(0)) out.push_back(&visible);
  for (const auto& [id, side] : visible.sides) out.push_back(&side);
  return out;
}

VisibleTransport* PeerConnectionCore::shown(uint32_t transport) {
  if (transport == 0) return &visible;
  const auto it = visible.sides.find(transport);
  return it == visible.sides.end() ? nullptr : &it->second;
}

TransportCallbacks& PeerConnectionCore::callbacksOf(uint32_t transport) {
  const VisibleTransport* of = shown(transport);
  return of && transport != 0 ? callbacks.own[of->section] : callbacks;
}

void PeerConnectionCore::onTransportEnded(uint32_t transport, Step* cause) {
  inOrNew(cause, [this, transport](Step& step) {
    visible.sides.erase(transport);
    aggregateStates(step);
    const IceGatheringState all = aggregateGathering(transportsInUse());
    if (std::exchange(visible.gathering, all) == all) return;
    step.then(
        [all](PeerConnectionCore& c) { return bindCallback(c.callbacks.gatheringState, all); });
  });
}

void PeerConnectionCore::onIceState(const jsep::IceStateChanged& event) {
  const IceTransportState state = toTransport(event.state);
  onTransportState([this, state, id = event.transport](Step& step) {
    VisibleTransport* of = shown(id);
    if (!of || std::exchange(of->iceTransport, state) == state) return;
    onSelectedPair(id, step);
    step.then([state, id](PeerConnectionCore& c) {
      return bindCallback(c.callbacksOf(id).iceTransportState, state);
    });
  });
  if (state != IceTransportState::Failed || !configuration_.restartWhenFailed) return;
  queueStep([this](Step&) {
    if (!session()) return;
    session()->restartIce(loop_->now());
    updateNegotiationNeeded();
  });
}

void PeerConnectionCore::onSelectedPair(uint32_t id, Step& step) {
  const jsep::Session* session = this->session();
  VisibleTransport* of = shown(id);
  const transport::PeerTransport* transport = session ? session->transport(id) : nullptr;
  if (!transport || !of) return;
  std::optional<IceCandidatePair> pair;
  if (auto selected = transport->agent().selectedPair()) {
    selected->local.ufrag = transport->localCredentials().ufrag;
    const std::string mid = session->transportMid(id);
    const uint16_t index = session->transportIndex(id);
    pair =
        IceCandidatePair{toApi(selected->local, mid, index), toApi(selected->remote, mid, index)};
  }
  const auto texts = [](const std::optional<IceCandidatePair>& p) {
    return p ? p->local.candidate + '\n' + p->remote.candidate : std::string{};
  };
  if (texts(pair) == texts(of->selectedPair)) return;
  of->selectedPair = std::move(pair);
  step.then([id](PeerConnectionCore& c) { return bindCallback(c.callbacksOf(id).selectedPair); });
}

void PeerConnectionCore::onDtls(const jsep::DtlsStateChanged& change) {
  const DtlsTransportState state = toApi(change.event.state);
  onTransportState([this, state, event = change.event, id = change.transport](Step& step) {
    VisibleTransport* of = shown(id);
    if (!of || std::exchange(of->dtls, state) == state) return;
    const jsep::Session* session = this->session();
    const transport::PeerTransport* transport = session ? session->transport(id) : nullptr;
    if (state == DtlsTransportState::Connected && transport) {
      const ByteSpan der = transport->dtls().remoteCertificateDer();
      of->remoteCertificates = {Bytes(der.begin(), der.end())};
    }
    if (state == DtlsTransportState::Failed) {
      Error error{ErrorCode::Operation, dtls::toString(event.reason)};
      error.detail = event.reason == dtls::Reason::CertificateRejected
                         ? ErrorDetail::FingerprintFailure
                         : ErrorDetail::DtlsFailure;
      error.sentAlert = event.sentAlert;
      error.receivedAlert = event.receivedAlert;
      step.then([error, id](PeerConnectionCore& c) {
        return bindCallback(c.callbacksOf(id).dtlsError, error);
      });
    }
    step.then([state, id](PeerConnectionCore& c) {
      return bindCallback(c.callbacksOf(id).dtlsState, state);
    });
  });
}

// The RTCSctpTransport is there from the first description on that has its section, and gone with
// an answer that rejects it.
void PeerConnectionCore::syncSctp() {
  jsep::Session* session = this->session();
  if (!session) return;
  const jsep::DataState& data = session->state().data;
  // W3C 4.4.1.5.
  const bool offered = data.mLineIndex && session->state().signaling != SignalingState::Stable;
  const bool wanted = data.settings.has_value() || offered;
  if (wanted && !visible.hasSctp) visible.sctp = SctpTransportState::Connecting;
  visible.hasSctp = wanted;
}

void PeerConnectionCore::onSctp(const sctp::TransportChanged& event) {
  std::optional<SctpTransportState> state;
  if (event.state == sctp::AssociationState::Connected) state = SctpTransportState::Connected;
  if (event.state == sctp::AssociationState::Closed ||
      event.state == sctp::AssociationState::Failed) {
    state = SctpTransportState::Closed;
  }
  if (!state) return;
  queueStep([this, s = *state](Step& step) {
    if (s == SctpTransportState::Connected && session() && session()->dataChannels())
      visible.maxChannels = session()->dataChannels()->maxChannels();
    if (std::exchange(visible.sctp, s) == s) return;
    step.then([s](PeerConnectionCore& c) { return bindCallback(c.callbacks.sctpState, s); });
  });
}

void PeerConnectionCore::onTrackAdded(const jsep::TrackAdded& event, Step& step) {
  step.then([event, slots = slots(event.transceiver)](PeerConnectionCore& c) {
    const auto self = c.shared_from_this();
    TrackEvent track{RtpReceiver(self, slots), MediaStreamTrack(slots->receiverTrack),
                     event.streams, RtpTransceiver(self, slots)};
    return bindCallback(c.callbacks.track, std::move(track));
  });
}

void PeerConnectionCore::muteTrack(uint32_t transceiver, bool muted, Step& step) {
  step.then([=](PeerConnectionCore& c) -> Step::Call {
    const auto track = c.receiverTrack(transceiver);
    if (!track) return {};
    return [track, muted] { track->setMuted(muted); };
  });
}

}  // namespace parley::api_internal
