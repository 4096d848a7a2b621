#include <algorithm>
#include <utility>

#include "ice/agent_core.h"

// What the application decides about pairs (the ideas of RTCIceTransport.selectCandidatePair and
// removeCandidatePair in webrtc-ice and webrtc-extensions).

namespace parley::ice {
namespace {

constexpr Duration kPinnedProbe = Duration::seconds(5);

}  // namespace

Pair* AgentCore::workingPinned(Timestamp now) {
  Pair* pair = list_.byId(pinned_);
  return pair && pair->usable(now) && !pair->silent ? pair : nullptr;
}

/// A choice that does not work is asked for again and again: nothing else would.
void AgentCore::probePinned(Timestamp now) {
  Pair* pair = list_.byId(pinned_);
  const bool mayAsk = pair && remote_ && !config_.lite && mayInitiate(*pair->local);
  if (!mayAsk || workingPinned(now)) {
    pinnedProbeAt_ = Timestamp::never();
    return;
  }
  if (pinnedProbeAt_.isNever()) pinnedProbeAt_ = now + kPinnedProbe;
  if (now < pinnedProbeAt_) return;
  pinnedProbeAt_ = now + kPinnedProbe;
  if (pair->id == nominating_) return;
  pair->state = PairState::Waiting;
  list_.trigger(*pair);
}

bool AgentCore::selectPair(uint32_t id, Timestamp now) {
  now = clock_.clamp(now);
  if (ended()) return false;
  if (id == 0) {
    // Better ones may have rested since, longer than consent lasts.
    if (std::exchange(pinned_, 0) != 0) recheckOthers(now);
    pump(now);
    return true;
  }
  Pair* pair = list_.byId(id);
  if (!pair || pair->removed) return false;
  pinned_ = id;
  // Another nomination that is under way would only be followed by this one.
  if (nominating_ != 0 && nominating_ != id) {
    list_.untrigger(nominating_);
    for (Outstanding& request : outstanding_) {
      if (request.kind == RequestKind::Nomination) request.cancelled = true;
    }
    nominating_ = 0;
  }
  // What rested below the nominated pair, or has failed before, is tried now.
  const bool rests = pair->state == PairState::Frozen || pair->state == PairState::Waiting ||
                     pair->state == PairState::Failed;
  if (rests && !config_.lite && remote_ && mayInitiate(*pair->local)) {
    pair->state = PairState::Waiting;
    list_.triggerFirst(*pair);
  }
  pump(now);
  return true;
}

bool AgentCore::removePair(uint32_t id, Timestamp now) {
  now = clock_.clamp(now);
  Pair* pair = ended() ? nullptr : list_.byId(id);
  if (!pair || pair->removed) return false;
  const bool wasPath = hasPath_ && selected_ == id;
  std::erase_if(outstanding_, [&](const Outstanding& request) { return request.pair == id; });
  list_.untrigger(id);
  if (nominating_ == id) nominating_ = 0;
  if (nominated_ == id) nominated_ = 0;
  if (pinned_ == id) pinned_ = 0;
  pair->state = PairState::Failed;
  pair->removed = true;
  pair->nominated = pair->nominateOnSuccess = pair->inbound = pair->everSucceeded = false;
  pair->consentUntil = now;
  if (wasPath) losePath(now);
  pump(now);
  return true;
}

}  // namespace parley::ice
