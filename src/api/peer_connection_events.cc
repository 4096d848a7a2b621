// How what a session reports becomes steps of the facade: which getters change, and what fires, in
// the order of the W3C algorithms.

#include <algorithm>
#include <utility>

#include "api/candidate_text.h"
#include "api/forwarding_runtime.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::optional<SessionDescription> toApi(const std::optional<jsep::DescriptionText>& text) {
  if (!text) return std::nullopt;
  return SessionDescription{text->type, text->sdp};
}

IceGatheringState toApi(transport::GatheringState state) {
  return static_cast<IceGatheringState>(state);
}

// The three enumerations list the same states in the same order.
IceTransportState toTransport(ice::IceConnectionState state) {
  return static_cast<IceTransportState>(state);
}
IceConnectionState toConnection(IceTransportState state) {
  return static_cast<IceConnectionState>(state);
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

// W3C webrtc-pc section 4.3.3, for the one transport that a bundled connection has.
PeerConnectionState aggregate(IceTransportState ice, DtlsTransportState dtls) {
  using Ice = IceTransportState;
  using Dtls = DtlsTransportState;
  if (ice == Ice::Failed || dtls == Dtls::Failed) return PeerConnectionState::Failed;
  if (ice == Ice::Disconnected) return PeerConnectionState::Disconnected;
  const bool iceFresh = ice == Ice::New || ice == Ice::Closed;
  if (iceFresh && (dtls == Dtls::New || dtls == Dtls::Closed)) return PeerConnectionState::New;
  const bool iceUp = ice == Ice::Connected || ice == Ice::Completed || ice == Ice::Closed;
  if (iceUp && (dtls == Dtls::Connected || dtls == Dtls::Closed))
    return PeerConnectionState::Connected;
  return PeerConnectionState::Connecting;
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
  using Core = PeerConnectionCore;
  std::visit(
      Overloaded{
          [](std::monostate) {},
          [&](jsep::SignalingStateChanged& e) {
            inOrNew(step, [this, s = e.state](Step& at) {
              visible.signaling = s;
              at.then([s](Core& c) { return bindCallback(c.callbacks.signalingState, s); });
            });
          },
          [&](jsep::DescriptionsChanged& e) {
            inOrNew(step, [this, e](Step&) { onDescriptions(e); });
          },
          [&](jsep::LocalCandidate& e) { onLocalCandidate(e); },
          [&](jsep::GatheringStateChanged& e) { onGathering(e, step); },
          [&](jsep::LocalCandidateError& e) {
            queueStep(
                [error = IceCandidateError{e.address, e.port, e.url, e.code, e.text}](Step& at) {
                  at.then([error](Core& c) {
                    return bindCallback(c.callbacks.iceCandidateError, error);
                  });
                });
          },
          [&](jsep::IceStateChanged& e) {
            const IceTransportState state = toTransport(e.state);
            onTransportState([this, state](Step& at) {
              if (std::exchange(visible.iceTransport, state) == state) return;
              onSelectedPair(at);
              at.then(
                  [state](Core& c) { return bindCallback(c.callbacks.iceTransportState, state); });
            });
            if (state == IceTransportState::Failed && configuration_.restartWhenFailed) {
              queueStep([this](Step&) {
                if (!session()) return;
                session()->restartIce(loop_->now());
                updateNegotiationNeeded();
              });
            }
          },
          [&](jsep::SelectedPairChanged&) { queueStep([this](Step& at) { onSelectedPair(at); }); },
          [&](jsep::DtlsStateChanged& e) { onDtls(e.event); },
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
          [&](jsep::StreamTrackChanged& e) {
            inOrNew(step, [e](Step& at) {
              at.then([e](Core& c) {
                StreamTrackEvent change{e.stream, MediaStreamTrack(c.receiverTrack(e.transceiver)),
                                        e.added};
                return bindCallback(c.callbacks.streamTrack, std::move(change));
              });
            });
          },
          [&](jsep::TransceiverStopped& e) {
            loop_->media().stopSender(*this, e.transceiver);
            loop_->media().stopReceiver(*this, e.transceiver);
            endReceiverTrack(e.transceiver);
          },
          [&](jsep::TransceiversRemoved& e) {
            for (uint32_t id : e.transceivers) {
              loop_->media().stopSender(*this, id);
              loop_->media().stopReceiver(*this, id);
              endReceiverTrack(id);
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
      },
      event);
}

void PeerConnectionCore::onEstimate(const media::BandwidthStats& stats) {
  BandwidthEstimate out;
  const Environment& environment = session()->environment();
  out.unixMs = static_cast<double>(environment.wallClock.unixNanosAt(loop_->now())) / 1e6;
  out.estimate = stats.estimate;
  out.target = stats.target;
  out.delayBased = stats.estimator.delayBased;
  out.lossBased = stats.estimator.lossBased;
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

void PeerConnectionCore::onDescriptions(const jsep::DescriptionsChanged& event) {
  visible.currentLocal = toApi(event.currentLocal);
  visible.pendingLocal = toApi(event.pendingLocal);
  visible.currentRemote = toApi(event.currentRemote);
  visible.pendingRemote = toApi(event.pendingRemote);
}

// W3C 5.6 "surface the candidate": it is in the descriptions and the transport's list when the
// event fires.
void PeerConnectionCore::onLocalCandidate(const jsep::LocalCandidate& event) {
  IceCandidate candidate{event.candidate, event.mid, event.mLineIndex, event.ufrag};
  candidate.url = event.url;
  candidate.relayProtocol = event.relayProtocol;
  queueStep([this, candidate, descriptions = event.descriptions](Step& step) {
    onDescriptions(descriptions);
    if (!candidate.candidate.empty()) visible.localCandidates.push_back(candidate);
    step.then([candidate](PeerConnectionCore& c) {
      return bindCallback(c.callbacks.iceCandidate, std::optional(candidate));
    });
  });
}

// W3C 5.6: a generation that is complete says so with an empty candidate; then the gatherer's
// state, the connection's state, and the final null follow in the same task.
void PeerConnectionCore::onGathering(const jsep::GatheringStateChanged& event, Step* cause) {
  const auto body = [this, event](Step& step) {
    const IceGatheringState state = toApi(event.state);
    onDescriptions(event.descriptions);
    const bool complete = state == IceGatheringState::Complete;
    if (state == IceGatheringState::Gathering) visible.localCandidates.clear();
    if (complete && event.end) {
      const IceCandidate end{"", event.end->mid, event.end->mLineIndex, event.end->ufrag};
      step.then([end](PeerConnectionCore& c) {
        return bindCallback(c.callbacks.iceCandidate, std::optional(end));
      });
    }
    if (visible.gathering == state) return;
    step.then([state](PeerConnectionCore& c) {
      c.visible.gathering = state;
      return bindCallback(c.callbacks.gathererState, static_cast<IceGathererState>(state));
    });
    step.then(
        [state](PeerConnectionCore& c) { return bindCallback(c.callbacks.gatheringState, state); });
    if (!complete) return;
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
    const IceConnectionState ice = toConnection(visible.iceTransport);
    const PeerConnectionState all = aggregate(visible.iceTransport, visible.dtls);
    if (std::exchange(visible.iceConnection, ice) != ice) {
      step.then([ice](PeerConnectionCore& c) {
        return bindCallback(c.callbacks.iceConnectionState, ice);
      });
    }
    if (std::exchange(visible.connection, all) != all) {
      step.then(
          [all](PeerConnectionCore& c) { return bindCallback(c.callbacks.connectionState, all); });
    }
  });
}

void PeerConnectionCore::onSelectedPair(Step& step) {
  jsep::Session* session = this->session();
  if (!session) return;
  std::optional<IceCandidatePair> pair;
  if (auto selected = session->transport().agent().selectedPair()) {
    selected->local.ufrag = session->transport().localCredentials().ufrag;
    const std::string mid = session->transportMid();
    const uint16_t index = session->transportIndex();
    pair =
        IceCandidatePair{toApi(selected->local, mid, index), toApi(selected->remote, mid, index)};
  }
  const auto texts = [](const std::optional<IceCandidatePair>& p) {
    return p ? p->local.candidate + '\n' + p->remote.candidate : std::string{};
  };
  if (texts(pair) == texts(visible.selectedPair)) return;
  visible.selectedPair = std::move(pair);
  step.then([](PeerConnectionCore& c) { return bindCallback(c.callbacks.selectedPair); });
}

void PeerConnectionCore::onDtls(const dtls::Event& event) {
  const DtlsTransportState state = toApi(event.state);
  onTransportState([this, state, event](Step& step) {
    if (std::exchange(visible.dtls, state) == state) return;
    if (state == DtlsTransportState::Connected && session()) {
      const ByteSpan der = session()->transport().dtls().remoteCertificateDer();
      visible.remoteCertificates = {Bytes(der.begin(), der.end())};
    }
    if (state == DtlsTransportState::Failed) {
      Error error{ErrorCode::Operation, dtls::toString(event.reason)};
      error.detail = event.reason == dtls::Reason::CertificateRejected
                         ? ErrorDetail::FingerprintFailure
                         : ErrorDetail::DtlsFailure;
      error.sentAlert = event.sentAlert;
      error.receivedAlert = event.receivedAlert;
      step.then(
          [error](PeerConnectionCore& c) { return bindCallback(c.callbacks.dtlsError, error); });
    }
    step.then(
        [state](PeerConnectionCore& c) { return bindCallback(c.callbacks.dtlsState, state); });
  });
}

// The RTCSctpTransport is there from the answer on that accepts its section, and gone with one that
// rejects it.
void PeerConnectionCore::syncSctp() {
  jsep::Session* session = this->session();
  if (!session) return;
  const jsep::DataState& data = session->state().data;
  // From the first description on that has its section, until one rejects it (W3C 4.4.1.5).
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
  step.then([event](PeerConnectionCore& c) {
    const auto self = c.shared_from_this();
    TrackEvent track{RtpReceiver(self, event.transceiver),
                     MediaStreamTrack(c.receiverTrack(event.transceiver)), event.streams,
                     RtpTransceiver(self, event.transceiver)};
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
