#include "parley/api/transports.h"

#include <utility>

#include "api/candidate_text.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;

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
  return core_->visible.iceTransport;
}
IceGathererState IceTransport::gatheringState() const {
  const LoopCore::Lock lock(core_->loop());
  return static_cast<IceGathererState>(core_->visible.gathering);
}
std::vector<IceCandidate> IceTransport::getLocalCandidates() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->visible.localCandidates;
}

std::vector<IceCandidate> IceTransport::getRemoteCandidates() const {
  const LoopCore::Lock lock(core_->loop());
  std::vector<IceCandidate> out;
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
  return core_->visible.selectedPair;
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
  jsep::Session* session = core_->session();
  return session ? toParameters(session->remoteIceParameters()) : std::nullopt;
}

DtlsTransportState DtlsTransport::state() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->visible.dtls;
}
std::vector<Bytes> DtlsTransport::getRemoteCertificates() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->visible.remoteCertificates;
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

#define PARLEY_CALLBACK_SETTER(type, method, member, signature)           \
  void type::method(std::function<signature> callback) {                  \
    const LoopCore::Lock lock(core_->loop());                             \
    /* The old callback dies after the lock is released: see LoopCore. */ \
    if (!core_->closed()) std::swap(core_->callbacks.member, callback);   \
  }
PARLEY_CALLBACK_SETTER(IceTransport, onStateChange, iceTransportState, void(IceTransportState))
PARLEY_CALLBACK_SETTER(IceTransport, onGatheringStateChange, gathererState, void(IceGathererState))
PARLEY_CALLBACK_SETTER(IceTransport, onSelectedCandidatePairChange, selectedPair, void())
PARLEY_CALLBACK_SETTER(DtlsTransport, onStateChange, dtlsState, void(DtlsTransportState))
PARLEY_CALLBACK_SETTER(DtlsTransport, onError, dtlsError, void(const Error&))
PARLEY_CALLBACK_SETTER(SctpTransport, onStateChange, sctpState, void(SctpTransportState))
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
