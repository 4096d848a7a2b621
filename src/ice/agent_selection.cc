#include <algorithm>
#include <utility>

#include "ice/agent_core.h"

// Which pair carries data: nomination (RFC 8445 section 8), consent and liveness (RFC 7675), state.

namespace parley::ice {
namespace {

/// A request on the selected pair that stays unanswered so long is followed by another one.
constexpr Duration kProbeInterval = Duration::seconds(1);
constexpr Duration kMinUnanswered = Duration::seconds(2);
/// Peers that nominate aggressively send USE-CANDIDATE on several pairs at once: among nominations
/// closer than this the higher priority counts, otherwise the latest.
constexpr Duration kNominationOverlap = Duration::millis(500);

}  // namespace

Pair* AgentCore::pairById(uint32_t id) {
  if (oldPair_ && id != 0 && oldPair_->id == id) return oldPair_.get();
  return list_.byId(id);
}

const Pair* AgentCore::pairById(uint32_t id) const {
  return const_cast<AgentCore*>(this)->pairById(id);
}

void AgentCore::heard(Pair& pair, Timestamp now) {
  pair.lastHeard = now;
  pair.silent = false;
  if (pair.id == selected_) probeAt_ = unansweredSince_ = Timestamp::never();
}

void AgentCore::noteReceived(Timestamp now) {
  now = clock_.clamp(now);
  if (Pair* pair = selected()) {
    const bool wasSilent = pair->silent;
    heard(*pair, now);
    // The usual call, once per packet, costs nothing more; the state changes only after silence.
    if (wasSilent) pump(now);
  }
}

Timestamp AgentCore::silentAt(const Pair& pair) const {
  // A peer without data sends nothing but its consent checks.
  if (config_.lite)
    return pair.lastHeard + std::max(config_.disconnectedAfter, config_.consentInterval * 2.5);
  if (unansweredSince_.isNever()) return Timestamp::never();
  const Duration patience = std::max(kMinUnanswered, pair.rtt.value_or(Duration::zero()) * 4);
  const Timestamp quiet = pair.lastHeard + config_.disconnectedAfter;
  return std::max(quiet, unansweredSince_ + patience);
}

void AgentCore::markSilence(Timestamp now) {
  Pair* pair = selected();
  if (!pair || pair->silent || now < silentAt(*pair)) return;
  pair->silent = true;
  if (nominating_ == pair->id) {
    list_.untrigger(pair->id);
    nominating_ = 0;
  }
  recheckOthers();
}

// The path is lost or about to be: what failed or rested before may work now.
void AgentCore::recheckOthers() {
  if (config_.lite) return;
  for (const auto& pair : list_.pairs()) {
    if (pair->id == selected_ || pair->id == nominating_) continue;
    if (pair->state == PairState::Succeeded || pair->state == PairState::Failed) {
      pair->state = PairState::Waiting;
      pair->silent = pair->everSucceeded;  // its success may be as stale as the lost path's
    }
  }
}

Pair* AgentCore::bestUsable(Timestamp now, bool allowSilent) {
  for (const auto& pair : list_.pairs()) {
    if (pair->usable(now) && (allowSilent || !pair->silent)) return pair.get();
  }
  return nullptr;
}

// RFC 8445 section 8.1.1 leaves it to the controlling agent when to stop waiting for better pairs.
bool AgentCore::mayNominate(const Pair& best, Timestamp now) const {
  if (now >= firstUsableAt_ + config_.nominationSettle) return true;
  const bool betterPending = list_.anyUndecidedAbove(best.priority);
  if (betterPending) return false;
  return best.hostToHost() || (localDone_ && remoteDone_ && names_.empty());
}

// Regular nomination: one pair, chosen among those that work. Unlike RFC 8445, which ends with the
// first nomination, a pair that turns out better later is nominated as well, and so is another one
// when the nominated pair falls silent; peers follow the latest USE-CANDIDATE.
void AgentCore::nominateIfReady(Timestamp now) {
  if (role_ != Role::Controlling || nominating_ != 0 || !remote_) return;
  Pair* best = nullptr;
  for (const auto& pair : list_.pairs()) {
    if (pair->state == PairState::Succeeded && pair->usable(now) && !pair->silent) {
      best = pair.get();
      break;
    }
  }
  if (!best) return;
  const Pair* current = list_.byId(nominated_);
  const bool currentWorks = current && current->usable(now) && !current->silent;
  if (currentWorks ? best->priority <= current->priority : !mayNominate(*best, now)) return;
  nominating_ = best->id;
  list_.triggerFirst(*best);
}

void AgentCore::setNominated(Pair& pair) {
  pair.nominateOnSuccess = false;
  if (Pair* former = list_.byId(nominated_)) former->nominated = false;
  pair.nominated = true;
  nominated_ = pair.id;
  // RFC 8445 section 8.1.2: what is worse than the nominated pair is not pursued further.
  for (const auto& other : list_.pairs()) {
    if (other->priority >= pair.priority || other->state != PairState::InProgress) continue;
    cancelChecks(other->id);
    other->state = PairState::Frozen;
  }
}

void AgentCore::considerNominated(Pair& pair, Timestamp now) {
  pair.nominateOnSuccess = false;
  const Pair* current = list_.byId(nominated_);
  if (current == &pair) return;
  const bool currentWorks = current && current->usable(now) && !current->silent;
  if (currentWorks) {
    const bool numbered = pair.nominationValue != 0 || current->nominationValue != 0;
    const bool later = now - current->lastUseCandidate > kNominationOverlap;
    if (numbered ? pair.nominationValue < current->nominationValue
                 : pair.priority < current->priority && !later) {
      return;
    }
  }
  setNominated(pair);
}

void AgentCore::reselect(Timestamp now) {
  const auto works = [&](const Pair* pair) { return pair && pair->usable(now) && !pair->silent; };
  Pair* nominated = list_.byId(nominated_);
  Pair* choice = nullptr;
  if (works(nominated)) {
    choice = nominated;
  } else if (works(oldPair_.get())) {
    choice = oldPair_.get();  // after a restart, until a new pair is nominated
  } else if (Pair* best = bestUsable(now, false)) {
    choice = best;
  } else if (Pair* inUse = selected(); inUse && inUse->usable(now)) {
    choice = inUse;  // silent, but nothing else works
  } else {
    choice = bestUsable(now, true);
  }
  if (choice != selected() || hasPath_ != (choice != nullptr)) useSelected(choice, now);
  if (oldPair_ && choice != oldPair_.get()) retireOldPair();
}

void AgentCore::retireOldPair() {
  if (oldPair_->everSucceeded) {
    retired_ = Tuple{oldPair_->local->socket, oldPair_->remote->candidate.address};
  }
  const uint32_t id = oldPair_->id;
  std::erase_if(outstanding_, [&](const Outstanding& request) { return request.pair == id; });
  oldPair_.reset();
  oldLocal_.reset();
  oldRemote_.reset();
}

void AgentCore::useSelected(Pair* pair, Timestamp now) {
  selected_ = pair ? pair->id : 0;
  hasPath_ = pair != nullptr;
  consentAt_ = consentFrom_ = probeAt_ = unansweredSince_ = Timestamp::never();
  path_ = {};
  if (pair) {
    path_ = {pair->local->socket, pair->remote->candidate.address, pair->local->base.ip};
  }
  if (pair && !config_.lite) {
    planConsent(pair->consentUntil - config_.consentTimeout, now);
    if (pair->silent) probeAt_ = now;
  }
  raise(SelectedPairChanged{});
}

void AgentCore::sendConsent(Timestamp now) {
  Pair* pair = selected();
  if (!pair || (now < consentAt_ && now < probeAt_)) return;
  // A lone lost request must not cost liveness: after a second without answer a fresh one goes out,
  // so that silence means at least two losses in a row. Consent itself stays a matter of 30 s.
  sendRequest(*pair, RequestKind::Consent, now);
  if (unansweredSince_.isNever()) unansweredSince_ = now;
  probeAt_ = now + std::max(kProbeInterval, pair->rtt.value_or(Duration::zero()) * 2);
  if (now >= consentAt_) planConsent(now, now);
}

/// RFC 7675 section 5.1: between 0.8 and 1.2 of the interval after the last request, at random. We
/// draw from the upper half: others' requests may bring ours forward.
void AgentCore::planConsent(Timestamp last, Timestamp now) {
  consentFrom_ = std::max(now, last + config_.consentInterval * 0.8);
  consentAt_ = std::max(now, last + config_.consentInterval * (1.0 + 0.2 * env_.random.unit()));
}

void AgentCore::askForConsent(Timestamp now) {
  now = clock_.clamp(now);
  if (consentFrom_ > now || ended()) return;
  consentAt_ = std::min(consentAt_, now);
  pump(now);
}

IceConnectionState AgentCore::computeState(Timestamp now) {
  if (closed_) return IceConnectionState::Closed;
  if (failed_) return IceConnectionState::Failed;
  if (const Pair* pair = selected()) {
    const bool old = pair == oldPair_.get();
    hadPath_ = hadPath_ || !old;
    // A restart "effectively forgets that connectivity was previously lost" (webrtc-pc 5.6.4).
    if (pair->silent) return old ? IceConnectionState::Checking : IceConnectionState::Disconnected;
    const bool complete = !old && pair->nominated && localDone_ && remoteDone_ && names_.empty() &&
                          !list_.anyUndecidedAbove(pair->priority);
    return complete ? IceConnectionState::Completed : IceConnectionState::Connected;
  }
  if (hadPath_) {
    if (!graceUntil_.isNever() && now < graceUntil_) return IceConnectionState::Disconnected;
    fail();
    return IceConnectionState::Failed;
  }
  // RFC 8863 section 3: not before the timer, however hopeless the list looks: the peer may still
  // find us by its own checks.
  if (now >= pacDeadline_ && !list_.anyUndecided() && names_.empty()) {
    fail();
    return IceConnectionState::Failed;
  }
  const bool checking = remote_ && (config_.lite || !list_.pairs().empty());
  return checking || generation_ > 0 || state_ == IceConnectionState::Checking
             ? IceConnectionState::Checking
             : IceConnectionState::New;
}

void AgentCore::fail() {
  failed_ = true;
  outstanding_.clear();
  for (const auto& pair : list_.pairs()) pair->state = PairState::Failed;
  names_.clear();
  oldPair_.reset();
  retired_.reset();
  nominated_ = nominating_ = 0;
  if (hasPath_) useSelected(nullptr, clock_.last());
}

void AgentCore::updateState(Timestamp now) {
  const IceConnectionState state = computeState(now);
  if (state == state_) return;
  state_ = state;
  raise(StateChanged{state});
}

}  // namespace parley::ice
