#include "parley/jsep/apply_description.h"

#include "jsep/applier.h"
#include "jsep/validate.h"

namespace parley::jsep {
namespace {

Delta startFrom(const SessionState& state) {
  Delta d;
  d.state = state;
  return d;
}

/// Whether a second remote offer keeps the sections of the pending one, so that it can build on it.
bool continues(const SessionState& state, const sdp::SessionDescription& offer) {
  const auto& pending = state.pendingRemote->sdp.media;
  if (offer.media.size() < pending.size()) return false;
  for (size_t i = 0; i < pending.size(); ++i) {
    if (pending[i].mid != offer.media[i].mid || pending[i].media != offer.media[i].media ||
        pending[i].isRejected() != offer.media[i].isRejected()) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<Delta> rollback(const SessionState& state) {
  if (state.signaling != SignalingState::HaveLocalOffer &&
      state.signaling != SignalingState::HaveRemoteOffer) {
    return fail(ErrorCode::InvalidState,
                std::string("there is no offer to roll back in ") + toString(state.signaling));
  }
  Applier applier(startFrom(state));
  applier.rollBack();
  return std::move(applier).finish();
}

Result<Delta> applyLocal(const SessionState& state, SdpType type,
                         const sdp::SessionDescription& description) {
  if (type == SdpType::Rollback) return rollback(state);
  if (auto good = checkLocal(state, type, description); !good) return fail(good.error());
  Applier applier(startFrom(state));
  if (type != SdpType::Offer) {
    applier.answer(type, description, true);
    return std::move(applier).finish();
  }
  if (!Applier(startFrom(state)).associateLocalSections(description)) {
    return fail(ErrorCode::InvalidModification,
                "the offer's sections do not match the transceivers");
  }
  applier.localOffer(description);
  return std::move(applier).finish();
}

Result<Delta> applyRemote(const SessionState& state, SdpType type,
                          const sdp::SessionDescription& description) {
  if (type == SdpType::Rollback) return rollback(state);
  Delta start = startFrom(state);
  const bool glare = type == SdpType::Offer && state.signaling == SignalingState::HaveLocalOffer;
  const bool replaces = type == SdpType::Offer &&
                        state.signaling == SignalingState::HaveRemoteOffer &&
                        !continues(state, description);
  if (glare || replaces) {
    auto rolledBack = rollback(state);
    if (!rolledBack) return fail(rolledBack.error());
    start = *std::move(rolledBack);
    start.rollbackEvents = std::move(start.events);
    start.events = SessionEvents{};
    // A new offer in place of the pending one leaves the signaling state where it is.
    start.rollbackEvents->signalingStateChanged = glare;
  }
  if (auto good = checkRemote(start.state, type, description); !good) return fail(good.error());
  Applier applier(std::move(start));
  if (type == SdpType::Offer) {
    applier.remoteOffer(description);
  } else {
    applier.answer(type, description, false);
  }
  Delta out = std::move(applier).finish();
  if (replaces) out.events.signalingStateChanged = false;
  return out;
}

}  // namespace parley::jsep
