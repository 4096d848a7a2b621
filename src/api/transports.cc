#include "parley/api/transports.h"

#include <utility>

#include "parley/jsep/bundle.h"

#include "api/candidate_text.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;
using api_internal::TransportCallbacks;

namespace api_internal {

// W3C 4.4.1.5 with RTCBundlePolicy (4.2.4): while a first offer is out, all but the section that
// the others are to join have transports of their own; under "balanced" one for each kind, which
// are set up if the answer makes use of them.
std::optional<size_t> PeerConnectionCore::ownTransport(size_t section) {
  const jsep::SessionState& state = session()->state();
  if (const auto id = state.transportOf(section); id && *id != 0) {
    const VisibleTransport* side = shown(*id);
    return side ? std::optional(side->section) : std::nullopt;
  }
  const bool first = state.pendingLocal && state.pendingLocal->type == jsep::SdpType::Offer &&
                     !state.currentLocal && configuration_.bundlePolicy != BundlePolicy::MaxBundle;
  if (!first || section >= state.pendingLocal->sdp.media.size()) return std::nullopt;
  const auto& media = state.pendingLocal->sdp.media;
  if (configuration_.bundlePolicy == BundlePolicy::Balanced) {
    for (size_t i = 0; i < section; ++i) {
      if (!media[i].isRejected() && media[i].media == media[section].media) {
        section = i;
        break;
      }
    }
  }
  if (jsep::transportSection(state.pendingLocal->sdp) == section) return std::nullopt;
  return section;
}

// W3C 4.4.1.5: it comes with a local description that has the section; a remote offer brings none.
bool PeerConnectionCore::hasTransport(const jsep::TransceiverState& transceiver) {
  const auto index = transceiver.negotiated.mLineIndex;
  const jsep::SessionState& state = session()->state();
  const auto has = [&](const Boxed<jsep::TypedDescription>& local) {
    return index && local && *index < local->sdp.media.size();
  };
  return has(state.currentLocal) || has(state.pendingLocal);
}

bool PeerConnectionCore::ownTransportLives(size_t section) {
  return !closed_ && session() && ownTransport(section) == section;
}

std::optional<uint32_t> PeerConnectionCore::transportNumber(std::optional<size_t> ownOf) {
  if (!ownOf) return 0;
  for (const auto& [id, side] : visible.sides) {
    if (side.section == *ownOf) return id;
  }
  return std::nullopt;
}

namespace {

/// What a handle shows; null before its transport is set up, and after it has ended.
VisibleTransport* shownOf(PeerConnectionCore& core, std::optional<size_t> ownOf) {
  const auto id = core.transportNumber(ownOf);
  return id ? core.shown(*id) : nullptr;
}

/// What a handle tells beside that. While a transport is not set up yet, what is offered for it is
/// what is offered for the first; of one that bundling has ended there is nothing to tell.
LastSeen::Transport seenOf(PeerConnectionCore& core, std::optional<size_t> ownOf) {
  if (const auto id = core.transportNumber(ownOf)) return core.seen(*id);
  return core.ownTransportLives(*ownOf) ? core.seen(0) : LastSeen::Transport{};
}

}  // namespace
}  // namespace api_internal

using api_internal::seenOf;
using api_internal::shownOf;
using api_internal::VisibleTransport;

namespace api_internal {
namespace {

IceRole roleOf(const jsep::Session& session, uint32_t number, const VisibleState& visible) {
  const auto controlling = session.state().transportState(number).iceControlling;
  const transport::PeerTransport* of = session.transport(number);
  if (!controlling || !of) {
    // RFC 8445 section 6.1.1: the offerer is controlling.
    return visible.signaling == SignalingState::HaveRemoteOffer ? IceRole::Controlled
                                                                : IceRole::Controlling;
  }
  return of->iceRole() == ice::Role::Controlling ? IceRole::Controlling : IceRole::Controlled;
}

std::optional<IceParameters> toParameters(const std::optional<jsep::IceCredentials>& credentials) {
  if (!credentials) return std::nullopt;
  return IceParameters{credentials->ufrag, credentials->pwd};
}

}  // namespace

IceRole PeerConnectionCore::iceRole(uint32_t number) {
  if (closed_) return seen(number).role;
  // Known once a description has been applied (W3C 5.6: "unknown" before).
  return session() && hasDescription() ? roleOf(*session(), number, visible) : IceRole::Unknown;
}

LastSeen::Transport PeerConnectionCore::seen(uint32_t number) {
  if (closed_) {
    const auto last = lastSeen_.transports.find(number);
    return last == lastSeen_.transports.end() ? LastSeen::Transport{} : last->second;
  }
  LastSeen::Transport out;
  const jsep::Session* session = this->session();
  if (!session) return out;
  out.role = iceRole(number);
  out.localParameters = toParameters(session->state().transportState(number).localIce);
  out.remoteParameters = toParameters(session->remoteIceParameters(number));
  const transport::PeerTransport* of = session->transport(number);
  if (!of) return out;
  for (const ice::Candidate& candidate : of->agent().remoteCandidates()) {
    // W3C 5.6: not those that the checks themselves discovered.
    if (candidate.type == ice::CandidateType::PeerReflexive) continue;
    out.remoteCandidates.push_back(
        toApi(candidate, session->transportMid(number), session->transportIndex(number)));
  }
  return out;
}

std::optional<bool> PeerConnectionCore::remoteTrickles() {
  if (closed_) return lastSeen_.remoteTrickles;
  return session() ? session()->remoteTrickles() : std::nullopt;
}

uint64_t PeerConnectionCore::maxMessageSize() {
  if (closed_) return lastSeen_.maxMessageSize;
  return session() ? session()->maxMessageSize() : 0;
}

void PeerConnectionCore::keepLastSeen() {
  const jsep::Session* session = this->session();
  if (!session) return;
  for (const uint32_t number : session->transports()) lastSeen_.transports[number] = seen(number);
  lastSeen_.remoteTrickles = remoteTrickles();
  lastSeen_.maxMessageSize = maxMessageSize();
  lastSeen_.activeTransceivers = activeTransceiverIds();
  lastSeen_.transceivers = session->state().transceivers;
  lastSeen_.audioExtensions = session->capabilities().audioExtensions;
  lastSeen_.videoExtensions = session->capabilities().videoExtensions;
  lastSeen_.cname = session->state().cname;
}

}  // namespace api_internal

IceRole IceTransport::role() const {
  const LoopCore::Lock lock(core_->loop());
  return seenOf(*core_, ownOf_).role;
}

IceTransportState IceTransport::state() const {
  const LoopCore::Lock lock(core_->loop());
  if (const VisibleTransport* of = shownOf(*core_, ownOf_)) return of->iceTransport;
  return core_->ownTransportLives(*ownOf_) ? IceTransportState::New : IceTransportState::Closed;
}
IceGathererState IceTransport::gatheringState() const {
  const LoopCore::Lock lock(core_->loop());
  const VisibleTransport* of = shownOf(*core_, ownOf_);
  return of ? of->gatherer : IceGathererState::New;
}
std::vector<IceCandidate> IceTransport::getLocalCandidates() const {
  const LoopCore::Lock lock(core_->loop());
  const VisibleTransport* of = shownOf(*core_, ownOf_);
  return of ? of->localCandidates : std::vector<IceCandidate>{};
}

std::vector<IceCandidate> IceTransport::getRemoteCandidates() const {
  const LoopCore::Lock lock(core_->loop());
  const auto number = core_->transportNumber(ownOf_);
  return number ? core_->seen(*number).remoteCandidates : std::vector<IceCandidate>{};
}

std::optional<IceCandidatePair> IceTransport::getSelectedCandidatePair() const {
  const LoopCore::Lock lock(core_->loop());
  const VisibleTransport* of = shownOf(*core_, ownOf_);
  return of ? of->selectedPair : std::nullopt;
}

namespace {

/// The pair as getSelectedCandidatePair() shows it.
IceCandidatePair toApi(const ice::PairStats& pair, const jsep::Session& session, uint32_t id) {
  const std::string mid = session.transportMid(id);
  const uint16_t index = session.transportIndex(id);
  ice::Candidate local = pair.local;
  local.ufrag = session.transport(id)->localCredentials().ufrag;
  return {api_internal::toApi(local, mid, index), api_internal::toApi(pair.remote, mid, index)};
}

bool isSame(const IceCandidatePair& a, const IceCandidatePair& b) {
  return a.local.candidate == b.local.candidate && a.remote.candidate == b.remote.candidate;
}

}  // namespace

std::vector<IceCandidatePair> IceTransport::getCandidatePairs() const {
  const LoopCore::Lock lock(core_->loop());
  std::vector<IceCandidatePair> out;
  const jsep::Session* session = core_->session();
  const auto number = core_->transportNumber(ownOf_);
  if (!session || core_->closed() || !number || !session->transport(*number)) return out;
  for (const ice::PairStats& pair : session->transport(*number)->agent().pairStats())
    out.push_back(toApi(pair, *session, *number));
  return out;
}

Result<void> IceTransport::selectCandidatePair(const std::optional<IceCandidatePair>& pair) {
  return onPair(pair ? &*pair : nullptr, false);
}

Result<void> IceTransport::removeCandidatePair(const IceCandidatePair& pair) {
  return onPair(&pair, true);
}

Result<void> IceTransport::onPair(const IceCandidatePair* wanted, bool remove) {
  const LoopCore::Lock lock(core_->loop());
  jsep::Session* session = core_->session();
  const auto number = core_->transportNumber(ownOf_);
  if (!session || core_->closed() || !number || !session->transport(*number))
    return fail(ErrorCode::InvalidState, "the transport is not in use");
  uint32_t id = 0;
  if (wanted) {
    for (const ice::PairStats& pair : session->transport(*number)->agent().pairStats()) {
      if (isSame(toApi(pair, *session, *number), *wanted)) id = pair.id;
    }
    if (id == 0) return fail(ErrorCode::InvalidAccess, "there is no such candidate pair");
  }
  const Timestamp now = core_->loop().now();
  const bool known =
      remove ? session->removePair(*number, id, now) : session->selectPair(*number, id, now);
  core_->afterCall(now);
  if (!known) return fail(ErrorCode::InvalidAccess, "there is no such candidate pair any more");
  return ok();
}

std::optional<IceParameters> IceTransport::getLocalParameters() const {
  const LoopCore::Lock lock(core_->loop());
  return seenOf(*core_, ownOf_).localParameters;
}

std::optional<IceParameters> IceTransport::getRemoteParameters() const {
  const LoopCore::Lock lock(core_->loop());
  const auto number = core_->transportNumber(ownOf_);
  return number ? core_->seen(*number).remoteParameters : std::nullopt;
}

DtlsTransportState DtlsTransport::state() const {
  const LoopCore::Lock lock(core_->loop());
  if (const VisibleTransport* of = shownOf(*core_, ownOf_)) return of->dtls;
  return core_->ownTransportLives(*ownOf_) ? DtlsTransportState::New : DtlsTransportState::Closed;
}
std::vector<Bytes> DtlsTransport::getRemoteCertificates() const {
  const LoopCore::Lock lock(core_->loop());
  const VisibleTransport* of = shownOf(*core_, ownOf_);
  return of ? of->remoteCertificates : std::vector<Bytes>{};
}

DtlsTransport SctpTransport::transport() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::Session* session = core_->session();
  if (core_->closed() || !session || !session->state().data.mLineIndex) return DtlsTransport(core_);
  return DtlsTransport(core_, core_->ownTransport(*session->state().data.mLineIndex));
}

SctpTransportState SctpTransport::state() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->visible.sctp;
}

std::optional<uint64_t> SctpTransport::maxMessageSize() const {
  const LoopCore::Lock lock(core_->loop());
  const uint64_t size = core_->maxMessageSize();
  return size == 0 ? std::nullopt : std::optional(size);
}
std::optional<uint16_t> SctpTransport::maxChannels() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->visible.maxChannels;
}

// Those of a transport that bundling makes superfluous never fire.
#define PARLEY_CALLBACK_SETTER(type, method, member, owner, signature)    \
  void type::method(std::function<signature> callback) {                  \
    const LoopCore::Lock lock(core_->loop());                             \
    /* The old callback dies after the lock is released: see LoopCore. */ \
    if (!core_->closed()) std::swap((owner).member, callback);            \
  }
#define PARLEY_OWN_CALLBACKS \
  ownOf_ ? core_->callbacks.own[*ownOf_] : static_cast<TransportCallbacks&>(core_->callbacks)
PARLEY_CALLBACK_SETTER(IceTransport, onStateChange, iceTransportState, PARLEY_OWN_CALLBACKS,
                       void(IceTransportState))
PARLEY_CALLBACK_SETTER(IceTransport, onGatheringStateChange, gathererState, PARLEY_OWN_CALLBACKS,
                       void(IceGathererState))
PARLEY_CALLBACK_SETTER(IceTransport, onSelectedCandidatePairChange, selectedPair,
                       PARLEY_OWN_CALLBACKS, void())
PARLEY_CALLBACK_SETTER(DtlsTransport, onStateChange, dtlsState, PARLEY_OWN_CALLBACKS,
                       void(DtlsTransportState))
PARLEY_CALLBACK_SETTER(DtlsTransport, onError, dtlsError, PARLEY_OWN_CALLBACKS, void(const Error&))
PARLEY_CALLBACK_SETTER(SctpTransport, onStateChange, sctpState, core_->callbacks,
                       void(SctpTransportState))
#undef PARLEY_OWN_CALLBACKS
#undef PARLEY_CALLBACK_SETTER

const char* toString(IceTransportState state) {
  constexpr const char* kNames[] = {"new",          "checking", "connected", "completed",
                                    "disconnected", "failed",   "closed"};
  return kNames[static_cast<int>(state)];
}
const char* toString(IceGathererState state) {
  constexpr const char* kNames[] = {"new", "gathering", "complete"};
  return kNames[static_cast<int>(state)];
}
const char* toString(IceRole role) {
  constexpr const char* kNames[] = {"unknown", "controlling", "controlled"};
  return kNames[static_cast<int>(role)];
}
const char* toString(IceComponent component) {
  return component == IceComponent::Rtp ? "rtp" : "rtcp";
}
const char* toString(DtlsTransportState state) {
  constexpr const char* kNames[] = {"new", "connecting", "connected", "closed", "failed"};
  return kNames[static_cast<int>(state)];
}
const char* toString(SctpTransportState state) {
  constexpr const char* kNames[] = {"connecting", "connected", "closed"};
  return kNames[static_cast<int>(state)];
}

}  // namespace parley
