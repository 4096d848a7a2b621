#include <algorithm>
#include <utility>

#include "ice/agent_core.h"

// Which pair carries data: nomination (RFC 8445 section 8), consent and liveness (RFC 7675), state.

namespace parley::ice {
namespace {

/// A request on the selected pair that stays unanswered so long is followed by another one.
constexpr Duration kProbeInterval = Duration::seconds(1);
constexpr Duration kMinUnanswered = Duration::seconds(2);
/// A pair that was heard within this time need not prove itself once more.
constexpr Duration kFresh = Duration::millis(300);
/// So many packets, none of them further behind the one before than this, are a stream of media.
constexpr uint8_t kStream = 20;
constexpr Duration kStreamGap = Duration::millis(80);
/// A path under suspicion is asked so often, close together: on a lossy one a single exchange is
/// lost too easily for its silence to mean anything.
constexpr uint8_t kSuspectRequests = 5;
/// While pairs are still being compared, checks come every way and mean nothing.
constexpr Duration kComparing = Duration::seconds(3);
/// Peers that nominate aggressively send USE-CANDIDATE on several pairs at once, with every check:
/// among nominations closer than this the higher priority counts, otherwise the latest. Who also
/// checks without it means each one, and the two sides need not agree on priorities: what is a host
/// candidate for one is a peer-reflexive one for the other.
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
    const bool follows = now - pair->lastHeard < kStreamGap;
    pair->streak = follows ? std::min<uint8_t>(pair->streak + 1, kStream) : 0;
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
  if (config_.lite) {
    // It asks for no answer, so that what a pair was heard last is all it knows of any: the path
    // must not move to one that has been silent for longer.
    for (const auto& pair : list_.pairs()) pair->silent = pair->silent || silentAt(*pair) <= now;
  }
  Pair* pair = selected();
  if (!pair || pair->silent) return;
  if (now < silentAt(*pair) && !isReplaced(*pair, now)) return;
  pair->silent = true;
  if (nominating_ == pair->id) {
    list_.untrigger(pair->id);
    nominating_ = 0;
  }
  recheckOthers(now);
}

// A check of the peer comes by another way than the one in use: its NAT may have forgotten a
// binding, or its interface be gone, and then nobody tells. The path is asked. Where it is silent
// from here on, for as long as an answer takes or as a stream of media never is, and the other way
// works, that one takes over.
void AgentCore::suspectPath(const Pair& elsewhere, Timestamp now) {
  Pair* pair = selected();
  if (!pair || pair == &elsewhere || pair->silent || !pair->nominated || nominating_ != 0) return;
  if (firstUsableAt_.isNever() || now < firstUsableAt_ + kComparing) return;
  if (config_.lite) {
    // It may not ask, and a full agent checks nothing but what it uses.
    if (now - pair->lastHeard >= kFresh) pair->silent = true;
    return;
  }
  if (!suspectAt_.isNever() && suspectAt_ > now) return;
  const Duration rtt = pair->rtt.value_or(Duration::millis(500));
  const bool streams = pair->streak >= kStream && now - pair->lastHeard < kStreamGap;
  suspectSince_ = now;
  suspectProbes_ = kSuspectRequests - 1;
  suspectAt_ = now + (streams ? std::max(rtt / 2, kStreamGap) : rtt + rtt / 8 + kStreamGap / 4);
  if (probeAt_.isNever() || probeAt_ > now) probeAt_ = now;
}

/// What is heard at first may have been under way before.
bool AgentCore::isReplaced(const Pair& pair, Timestamp now) const {
  if (suspectAt_ > now) return false;
  const Duration rtt = pair.rtt.value_or(Duration::millis(500));
  if (pair.lastHeard >= suspectSince_ + std::min(rtt / 2, kStreamGap / 2)) return false;
  return std::any_of(list_.pairs().begin(), list_.pairs().end(), [&](const auto& other) {
    return other.get() != &pair && other->usable(now) && now - other->lastHeard < kFresh * 4;
  });
}

// The path is lost or about to be: what failed or rested before may work now.
void AgentCore::recheckOthers(Timestamp now) {
  if (config_.lite) return;
  for (const auto& pair : list_.pairs()) {
    if (pair->id == selected_ || pair->id == nominating_ || pair->removed) continue;
    if (pair->state == PairState::Succeeded && now - pair->lastHeard < kFresh * 4) continue;
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
  if (Pair* pinned = workingPinned(now)) {
    if (nominated_ == pinned->id || pinned->state != PairState::Succeeded) return;
    nominating_ = pinned->id;
    list_.triggerFirst(*pinned);
    return;
  }
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
    bool follows = pair.nominationValue >= current->nominationValue;
    if (!numbered && plainChecks_) {
      follows = pair.lastUseCandidate >= current->lastUseCandidate;
    } else if (!numbered) {
      follows = pair.priority >= current->priority ||
                now - current->lastUseCandidate > kNominationOverlap;
    }
    if (!follows) return;
  }
  setNominated(pair);
}

void AgentCore::reselect(Timestamp now) {
  const auto works = [&](const Pair* pair) { return pair && pair->usable(now) && !pair->silent; };
  Pair* nominated = list_.byId(nominated_);
  Pair* choice = nullptr;
  if (Pair* pinned = workingPinned(now)) {
    choice = pinned;
  } else if (works(nominated)) {
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
  rememberSource(*oldPair_);
  const uint32_t id = oldPair_->id;
  std::erase_if(outstanding_, [&](const Outstanding& request) { return request.pair == id; });
  oldPair_.reset();
  oldLocal_.reset();
  oldRemote_.reset();
}

void AgentCore::useSelected(Pair* pair, Timestamp now) {
  selected_ = pair ? pair->id : 0;
  hasPath_ = pair != nullptr;
  consentAt_ = consentFrom_ = probeAt_ = unansweredSince_ = suspectAt_ = Timestamp::never();
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
  const Duration rtt = pair->rtt.value_or(Duration::zero());
  probeAt_ = now + std::max(kProbeInterval, rtt * 2);
  if (suspectProbes_ > 0 && now < suspectAt_) {
    // All answered in time, if they are: the wait is an eighth longer than the round trip.
    --suspectProbes_;
    probeAt_ = now + std::max(rtt / 32, Duration::millis(2));
  }
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
  former_.clear();
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
