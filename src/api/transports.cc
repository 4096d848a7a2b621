#include "parley/api/transports.h"

#include <utility>

#include "parley/jsep/bundle.h"

#include "api/candidate_text.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;

namespace api_internal {

// W3C 4.4.1.5 with RTCBundlePolicy (4.2.5): while a first offer is out, all but the section that
// the others are to join have transports of their own; under "balanced" one for each kind.
std::optional<size_t> PeerConnectionCore::ownTransport(size_t section) {
  const jsep::SessionState& state = session()->state();
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

bool PeerConnectionCore::ownTransportLives(size_t section) {
  return !closed_ && session() && ownTransport(section) == section;
}

}  // namespace api_internal

IceRole IceTransport::role() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->iceRole();
}

IceRole api_internal::PeerConnectionCore::iceRole() {
  jsep::Session* session = this->session();
  // Known once a description has been applied (W3C 5.6: "unknown" before).
  if (!session || !hasDescription()) return IceRole::Unknown;
  if (const auto controlling = session->state().transport.iceControlling; !controlling) {
    // RFC 8445 section 6.1.1: the offerer is controlling.
    return visible.signaling == SignalingState::HaveRemoteOffer ? IceRole::Controlled
                                                                : IceRole::Controlling;
  }
  return session->transport().iceRole() == ice::Role::Controlling ? IceRole::Controlling
                                                                  : IceRole::Controlled;
}

IceTransportState IceTransport::state() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_)
    return core_->ownTransportLives(*ownOf_) ? IceTransportState::New : IceTransportState::Closed;
  return core_->visible.iceTransport;
}
IceGathererState IceTransport::gatheringState() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_) return IceGathererState::New;
  return static_cast<IceGathererState>(core_->visible.gathering);
}
std::vector<IceCandidate> IceTransport::getLocalCandidates() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_) return {};
  return core_->visible.localCandidates;
}

std::vector<IceCandidate> IceTransport::getRemoteCandidates() const {
  const LoopCore::Lock lock(core_->loop());
  std::vector<IceCandidate> out;
  if (ownOf_) return out;
  jsep::Session* session = core_->session();
  if (!session || core_->closed()) return out;
  for (const ice::Candidate& candidate : session->transport().agent().remoteCandidates()) {
    // W3C 5.6: not those that the checks themselves discovered.
    if (candidate.type == ice::CandidateType::PeerReflexive) continue;
    out.push_back(
        api_internal::toApi(candidate, session->transportMid(), session->transportIndex()));
  }
  return out;
}

std::optional<IceCandidatePair> IceTransport::getSelectedCandidatePair() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_) return std::nullopt;
  return core_->visible.selectedPair;
}

namespace {

/// The pair as getSelectedCandidatePair() shows it.
IceCandidatePair toApi(const ice::PairStats& pair, const jsep::Session& session) {
  const std::string mid = session.transportMid();
  const uint16_t index = session.transportIndex();
  ice::Candidate local = pair.local;
  local.ufrag = session.transport().localCredentials().ufrag;
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
  if (!session || core_->closed() || ownOf_) return out;
  for (const ice::PairStats& pair : session->transport().agent().pairStats())
    out.push_back(toApi(pair, *session));
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
  if (!session || core_->closed() || ownOf_)
    return fail(ErrorCode::InvalidState, "the transport is not in use");
  uint32_t id = 0;
  if (wanted) {
    for (const ice::PairStats& pair : session->transport().agent().pairStats()) {
      if (isSame(toApi(pair, *session), *wanted)) id = pair.id;
    }
    if (id == 0) return fail(ErrorCode::InvalidAccess, "there is no such candidate pair");
  }
  const Timestamp now = core_->loop().now();
  const bool known = remove ? session->removePair(id, now) : session->selectPair(id, now);
  core_->afterCall(now);
  if (!known) return fail(ErrorCode::InvalidAccess, "there is no such candidate pair any more");
  return ok();
}

namespace {

std::optional<IceParameters> toParameters(const std::optional<jsep::IceCredentials>& credentials) {
  if (!credentials) return std::nullopt;
  return IceParameters{credentials->ufrag, credentials->pwd};
}

}  // namespace

std::optional<IceParameters> IceTransport::getLocalParameters() const {
  const LoopCore::Lock lock(core_->loop());
  jsep::Session* session = core_->session();
  return session ? toParameters(session->state().transport.localIce) : std::nullopt;
}

std::optional<IceParameters> IceTransport::getRemoteParameters() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_) return std::nullopt;
  jsep::Session* session = core_->session();
  return session ? toParameters(session->remoteIceParameters()) : std::nullopt;
}

DtlsTransportState DtlsTransport::state() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_)
    return core_->ownTransportLives(*ownOf_) ? DtlsTransportState::New : DtlsTransportState::Closed;
  return core_->visible.dtls;
}
std::vector<Bytes> DtlsTransport::getRemoteCertificates() const {
  const LoopCore::Lock lock(core_->loop());
  if (ownOf_) return {};
  return core_->visible.remoteCertificates;
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
  jsep::Session* session = core_->session();
  const uint64_t size = session ? session->maxMessageSize() : 0;
  return size == 0 ? std::nullopt : std::optional(size);
}
std::optional<uint16_t> SctpTransport::maxChannels() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->visible.maxChannels;
}

// Nothing ever happens on a transport that bundling makes superfluous.
#define PARLEY_CALLBACK_SETTER(type, method, member, own, signature)              \
  void type::method(std::function<signature> callback) {                          \
    const LoopCore::Lock lock(core_->loop());                                     \
    /* The old callback dies after the lock is released: see LoopCore. */         \
    if (!core_->closed() && !(own)) std::swap(core_->callbacks.member, callback); \
  }
PARLEY_CALLBACK_SETTER(IceTransport, onStateChange, iceTransportState, ownOf_,
                       void(IceTransportState))
PARLEY_CALLBACK_SETTER(IceTransport, onGatheringStateChange, gathererState, ownOf_,
                       void(IceGathererState))
PARLEY_CALLBACK_SETTER(IceTransport, onSelectedCandidatePairChange, selectedPair, ownOf_, void())
PARLEY_CALLBACK_SETTER(DtlsTransport, onStateChange, dtlsState, ownOf_, void(DtlsTransportState))
PARLEY_CALLBACK_SETTER(DtlsTransport, onError, dtlsError, ownOf_, void(const Error&))
PARLEY_CALLBACK_SETTER(SctpTransport, onStateChange, sctpState, false, void(SctpTransportState))
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
