#include "ice/agent_core.h"

#include <algorithm>
#include <utility>

#include "parley/stun/integrity.h"

namespace parley::ice {

AgentCore::AgentCore(Environment& environment, const AgentConfig& config, Credentials local)
    : env_(environment),
      config_(config),
      role_(config.lite ? Role::Controlled : config.role),
      tieBreaker_(environment.random.u64()),
      local_(std::move(local)),
      list_(environment.limits.maxCandidatePairs),
      pacing_(config.checkInterval),
      errors_(environment.limits.maxStunErrorsPerSecond) {}

void AgentCore::pump(Timestamp now) {
  if (!ended()) {
    runTransactions(now);
    expireNames(now);
    askNames(now);
    markSilence(now);
    reselect(now);
    updateState(now);
  }
  if (!ended()) {
    probePinned(now);
    nominateIfReady(now);
    sendChecks(now);
    sendConsent(now);
  }
  checkInvariants();
}

void AgentCore::advance(Timestamp now) {
  now = clock_.clamp(now);
  pump(now);
  PARLEY_DCHECK(nextDeadline() > now);
}

Timestamp AgentCore::nextDeadline() const {
  Timestamp next = Timestamp::never();
  if (ended()) return next;
  for (const Outstanding& request : outstanding_) {
    next = earliest(next, request.transaction.deadline());
  }
  for (const PendingName& name : names_) next = earliest(next, name.giveUpAt);

  const Timestamp last = clock_.last();
  if (const Pair* pair = selected()) {
    next = earliest(next, consentAt_, probeAt_, pair->consentUntil);
    if (suspectAt_ > last && !pair->silent) next = earliest(next, suspectAt_);
    if (!pair->silent) next = earliest(next, silentAt(*pair));
  } else {
    if (hadPath_ && graceUntil_ > last) next = earliest(next, graceUntil_);
    if (pacDeadline_ > last) next = earliest(next, pacDeadline_);
  }
  if (!remote_) return next;
  next = earliest(next, pinnedProbeAt_);
  if (config_.lite) return next;  // it checks nothing, whatever its pairs' states

  if (list_.hasTriggered()) {
    next = earliest(next, pacing_.readyAt(config_.checkBurst * 2));
  } else if (list_.hasOrdinary(ordinaryFloor(last))) {
    next = earliest(next, pacing_.readyAt(config_.checkBurst));
  }
  if (role_ == Role::Controlling && nominating_ == 0 && !firstUsableAt_.isNever()) {
    const Timestamp settled = firstUsableAt_ + config_.nominationSettle;
    if (settled > last) next = earliest(next, settled);
  }
  return next;
}

HandleResult AgentCore::handleStun(SocketId socket, const SocketAddress& from,
                                   const SocketAddress& to, ByteSpan datagram, Timestamp now) {
  now = clock_.clamp(now);
  if (!stun::Message::looksLikeStun(datagram)) return HandleResult::NotForUs;
  const auto message = stun::Message::parse(datagram);
  // RFC 8445 section 7.1: "A connectivity check MUST utilize the STUN FINGERPRINT mechanism", which
  // is also what keeps other traffic on the port from passing for STUN.
  if (!message || message->method() != stun::Method::Binding ||
      verifyFingerprint(*message) != stun::IntegrityCheck::Right) {
    ++counters_.malformed;
    return HandleResult::Dropped;
  }
  if (ended()) return HandleResult::Dropped;

  HandleResult result = HandleResult::Consumed;
  switch (message->messageClass()) {
    case stun::Class::Request:
      result = handleRequest(*message, socket, from, to, now);
      break;
    case stun::Class::Indication:
      break;  // a keepalive (RFC 8445 section 11): nothing to do
    case stun::Class::Success:
    case stun::Class::Error:
      result = handleResponse(*message, socket, from, now);
      break;
  }
  pump(now);
  return result;
}

void AgentCore::close(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  fail();
  closed_ = true;
  transmits_.clear();
  effects_.clear();
  updateState(now);
}

void AgentCore::transmit(const LocalEntry& local, const SocketAddress& to, PacketBuf packet) {
  TxPacket out;
  out.socket = local.socket;
  out.to = to;
  out.from = local.base.ip;
  out.data = std::move(packet);
  out.txClass = TxClass::Control;
  if (!out.data || !transmits_.push(std::move(out))) ++counters_.notSent;
}

void AgentCore::raise(AgentEvent event) {
  events_.push(event);
}

bool AgentCore::pollTransmit(TxPacket& out) {
  if (transmits_.empty()) return false;
  out = transmits_.pop();
  return true;
}

bool AgentCore::pollEffect(Effect& out) {
  if (effects_.empty()) return false;
  out = effects_.pop();
  return true;
}

bool AgentCore::pollEvent(AgentEvent& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

std::optional<SelectedPair> AgentCore::selectedPair() const {
  const Pair* pair = selected();
  if (!pair || !hasPath_) return std::nullopt;
  SelectedPair out;
  out.path = path_;
  out.local = pair->mapped ? pair->mapped->candidate : pair->local->candidate;
  out.remote = pair->remote->candidate;
  out.nominated = pair->nominated;
  out.rtt = pair->rtt;
  out.id = pair->id;
  return out;
}

bool AgentCore::isValidSource(SocketId socket, const SocketAddress& from) const {
  const auto proves = [&](const Pair& pair) {
    return pair.isProven() && pair.local->socket == socket &&
           pair.remote->candidate.address == from;
  };
  if (ended()) return false;
  if (hasPath_ && path_.socket == socket && path_.remote == from) return true;
  if (oldPair_ && proves(*oldPair_)) return true;
  for (const auto& pair : list_.pairs()) {
    if (proves(*pair)) return true;
  }
  return std::find(former_.begin(), former_.end(), Tuple{socket, from}) != former_.end();
}

void AgentCore::rememberSource(const Pair& pair) {
  if (!pair.isProven()) return;
  constexpr size_t kMaxFormerSources = 16;
  const Tuple source{pair.local->socket, pair.remote->candidate.address};
  std::erase(former_, source);
  if (former_.size() == kMaxFormerSources) former_.erase(former_.begin());
  former_.push_back(source);
}

std::vector<PairStats> AgentCore::pairStats() const {
  std::vector<PairStats> all;
  const auto append = [&](const Pair& pair) {
    if (pair.removed) return;
    PairStats stats;
    stats.id = pair.id;
    stats.local = pair.mapped ? pair.mapped->candidate : pair.local->candidate;
    stats.remote = pair.remote->candidate;
    stats.state = pair.state;
    stats.priority = pair.priority;
    stats.nominated = pair.nominated;
    stats.selected = hasPath_ && pair.id == selected_;
    stats.requestsSent = pair.requestsSent;
    stats.requestsReceived = pair.requestsReceived;
    stats.responsesSent = pair.responsesSent;
    stats.responsesReceived = pair.responsesReceived;
    stats.consentRequestsSent = pair.consentRequestsSent;
    stats.currentRtt = pair.rtt;
    stats.totalRtt = pair.totalRtt;
    all.push_back(std::move(stats));
  };
  if (oldPair_) append(*oldPair_);
  for (const auto& pair : list_.pairs()) append(*pair);
  return all;
}

std::vector<Candidate> AgentCore::localCandidates() const {
  std::vector<Candidate> all;
  for (const auto& local : locals_) all.push_back(local->candidate);
  return all;
}

std::vector<Candidate> AgentCore::remoteCandidates() const {
  std::vector<Candidate> all;
  for (const auto& remote : remotes_) all.push_back(remote->candidate);
  return all;
}

void AgentCore::checkInvariants() const {
  PARLEY_DCHECK(list_.pairs().size() <= env_.limits.maxCandidatePairs);
  PARLEY_DCHECK(nominating_ == 0 || role_ == Role::Controlling);
  PARLEY_DCHECK(hasPath_ == (selected() != nullptr));
  PARLEY_DCHECK(!failed_ || !hasPath_);
  PARLEY_DCHECK(oldPair_ == nullptr || oldLocal_.has_value());
}

}  // namespace parley::ice
