#include <algorithm>
#include <utility>

#include "parley/stun/integrity.h"

#include "ice/agent_core.h"

// Our checks: pacing, requests, retransmission, answers (RFC 8445 sections 6.1.4 and 7.2).

namespace parley::ice {
namespace {

constexpr Duration kMinRto = Duration::millis(500);
constexpr size_t kMaxOutstandingPerPair = 8;
constexpr size_t kMaxLearntLocals = 32;
constexpr size_t kMaxRoleSwitches = 8;

/// Of a peer-reflexive candidate that a check from `base` discovers.
uint32_t reflexivePriority(const Candidate& base) {
  return (base.priority & 0x00FFFFFFu) | typePreference(CandidateType::PeerReflexive, base.protocol)
                                             << 24;
}

/// The port of an active candidate is not known until it connects, so the address alone counts.
bool shows(const Candidate& candidate, const SocketAddress& mapped) {
  return candidate.address == mapped ||
         (candidate.tcpType == TcpType::Active && candidate.address.ip == mapped.ip);
}

}  // namespace

// Ordinary checks stop at the pair in use: once one is nominated only better ones are worth
// packets.
uint64_t AgentCore::ordinaryFloor(Timestamp now) const {
  const Pair* pair = list_.byId(nominated_);
  return pair && pair->usable(now) && !pair->silent ? pair->priority : 0;
}

void AgentCore::sendChecks(Timestamp now) {
  if (!remote_ || config_.lite) return;
  for (;;) {
    if (list_.hasTriggered()) {
      if (!pacing_.ready(now, config_.checkBurst * 2)) return;
      Pair* pair = list_.popTriggered();
      if (!pair) continue;
      if (pair->id == nominating_) {
        sendRequest(*pair, RequestKind::Nomination, now);
      } else if (pair->state != PairState::Succeeded) {
        startCheck(*pair, now);
      } else {
        continue;
      }
    } else {
      Pair* pair = list_.nextOrdinary(ordinaryFloor(now));
      if (!pair || !pacing_.ready(now, config_.checkBurst)) return;
      startCheck(*pair, now);
    }
    pacing_.take(now);
  }
}

void AgentCore::startCheck(Pair& pair, Timestamp now) {
  cancelChecks(pair.id);
  pair.state = PairState::InProgress;
  sendRequest(pair, RequestKind::Check, now);
  pair.current = outstanding_.back().transaction.id();
}

// RFC 8445 section 14.3: RTO = MAX (500ms, Ta * (Num-Waiting + Num-In-Progress)); RFC 8489's Rc and
// Rm.
stun::RetransmitPolicy AgentCore::checkPolicy() const {
  stun::RetransmitPolicy policy;
  policy.rto = std::max(kMinRto, config_.checkInterval * static_cast<int64_t>(list_.activeCount()));
  // Who wants to know earlier gets as many requests as there is room for, the waits doubling.
  if (config_.failedAfter < AgentConfig{}.failedAfter) {
    policy.maxSends = policy.lastWait = 1;
    while (policy.maxSends < 7 &&
           policy.rto * static_cast<int64_t>(4 * policy.lastWait - 1) <= config_.failedAfter) {
      ++policy.maxSends;
      policy.lastWait *= 2;
    }
  }
  return policy;
}

void AgentCore::sendRequest(Pair& pair, RequestKind kind, Timestamp now) {
  limitOutstanding(pair.id);
  stun::RetransmitPolicy policy = checkPolicy();
  // RFC 7675 section 5.1: each consent request is a new transaction and is not retransmitted.
  if (kind == RequestKind::Consent) policy = {config_.consentTimeout, 1, 1};
  Outstanding request{stun::Transaction(stun::newTransactionId(env_.random), policy, now),
                      pair.id,
                      pair.local->socket,
                      pair.remote->candidate.address,
                      kind,
                      role_,
                      tieBreaker_,
                      0};
  if (kind == RequestKind::Nomination && config_.renomination) {
    request.nominationValue = ++nominationCount_;
  }
  writeRequest(pair, request);
  outstanding_.push_back(std::move(request));
}

void AgentCore::writeRequest(Pair& pair, const Outstanding& request) {
  const bool old = &pair == oldPair_.get();
  const Credentials& ours = old ? *oldLocal_ : local_;
  const Credentials& theirs = old ? *oldRemote_ : *remote_;
  ++pair.requestsSent;
  if (request.kind == RequestKind::Consent) ++pair.consentRequestsSent;

  // RFC 8445 section 7.1.1: PRIORITY is what a peer-reflexive candidate found by this check would
  // have.
  const uint32_t priority = reflexivePriority(pair.local->candidate);
  const auto roleAttribute = request.role == Role::Controlling ? stun::AttributeType::IceControlling
                                                               : stun::AttributeType::IceControlled;
  username_.assign(theirs.ufrag).append(1, ':').append(ours.ufrag);

  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Request, stun::Method::Binding,
                               request.transaction.id());
  builder.text(stun::AttributeType::Username, username_)
      .u32(stun::AttributeType::Priority, priority)
      .u64(roleAttribute, request.tieBreaker);
  if (request.kind == RequestKind::Nomination) builder.flag(stun::AttributeType::UseCandidate);
  if (request.nominationValue != 0) {
    builder.u32(stun::AttributeType::GoogNomination, request.nominationValue);
  }
  builder.messageIntegrity(stun::shortTermKey(theirs.password)).fingerprint();
  if (!builder.finishInto(packet)) packet.reset();
  transmit(*pair.local, request.to, std::move(packet));
}

void AgentCore::runTransactions(Timestamp now) {
  for (size_t i = 0; i < outstanding_.size();) {
    Outstanding& request = outstanding_[i];
    Pair* pair = pairById(request.pair);
    const auto due = pair ? request.transaction.advance(now) : stun::Transaction::Due::TimedOut;
    if (due == stun::Transaction::Due::Retransmit && !request.cancelled) {
      writeRequest(*pair, request);
      // One unanswered check must not hold up its whole foundation until it fails after 39.5 s:
      // some peers give all their candidates the same foundation.
      if (request.kind == RequestKind::Check) list_.thaw(pair->foundation);
    }
    if (due != stun::Transaction::Due::TimedOut) {
      ++i;
      continue;
    }
    if (pair && !request.cancelled) {
      if (request.kind == RequestKind::Check && pair->state == PairState::InProgress) {
        pair->state = PairState::Failed;
      } else if (request.kind == RequestKind::Nomination && nominating_ == pair->id) {
        nominating_ = 0;
        pair->state = PairState::Failed;
        pair->consentUntil = now;
      }
    }
    outstanding_.erase(outstanding_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void AgentCore::cancelChecks(uint32_t pair) {
  for (Outstanding& request : outstanding_) {
    if (request.pair == pair && request.kind == RequestKind::Check) request.cancelled = true;
  }
}

void AgentCore::limitOutstanding(uint32_t pair) {
  const auto mine = [&](const Outstanding& request) { return request.pair == pair; };
  const auto count = std::count_if(outstanding_.begin(), outstanding_.end(), mine);
  if (static_cast<size_t>(count) < kMaxOutstandingPerPair) return;
  auto victim = std::find_if(outstanding_.begin(), outstanding_.end(), [&](const auto& request) {
    return mine(request) && (request.cancelled || request.kind == RequestKind::Consent);
  });
  if (victim == outstanding_.end()) {
    victim = std::find_if(outstanding_.begin(), outstanding_.end(), mine);
  }
  outstanding_.erase(victim);
}

HandleResult AgentCore::handleResponse(const stun::Message& response, SocketId socket,
                                       const SocketAddress& from, Timestamp now) {
  const stun::TransactionId id = response.transactionId();
  const auto at =
      std::find_if(outstanding_.begin(), outstanding_.end(),
                   [&](const Outstanding& request) { return request.transaction.id() == id; });
  Pair* pair = at == outstanding_.end() ? nullptr : pairById(at->pair);
  if (!pair) {
    ++counters_.unmatched;
    return HandleResult::NotForUs;
  }
  const Credentials& theirs = pair == oldPair_.get() ? *oldRemote_ : *remote_;
  if (verifyMessageIntegrity(response, stun::shortTermKey(theirs.password)) !=
      stun::IntegrityCheck::Right) {
    ++counters_.unauthentic;
    return HandleResult::Dropped;
  }
  uint16_t unknown[1];
  if (response.unknownRequired(unknown, stun::isKnownForBinding) != 0) {
    ++counters_.malformed;
    return HandleResult::Dropped;
  }
  const Outstanding request = *at;
  outstanding_.erase(at);

  // RFC 8445 section 7.2.5.2.1: source and destination of request and response must mirror each
  // other, otherwise the pair fails.
  if (from != request.to || socket != request.socket) {
    ++counters_.wrongSource;
    failCheck(request, *pair);
    return HandleResult::Dropped;
  }
  if (response.messageClass() == stun::Class::Error) {
    handleErrorResponse(response, request, *pair);
    return HandleResult::Consumed;
  }
  handleSuccess(response, request, *pair, now);
  return HandleResult::Authenticated;
}

void AgentCore::handleErrorResponse(const stun::Message& response, const Outstanding& request,
                                    Pair& pair) {
  const auto error = response.error();
  if (!error) ++counters_.malformed;
  if (error && error->code == static_cast<uint16_t>(stun::StunError::RoleConflict)) {
    handleConflict(request, pair);
  } else {
    failCheck(request, pair);  // RFC 8445 section 7.2.5.2.4
  }
}

// The request is answered and gone, so nothing else would end what waits for it. Consent is lost by
// expiry only; a cancelled check has a successor that decides.
void AgentCore::failCheck(const Outstanding& request, Pair& pair) {
  if (request.kind == RequestKind::Consent || request.cancelled) return;
  if (request.kind == RequestKind::Nomination) {
    if (nominating_ == pair.id) nominating_ = 0;
    pair.state = PairState::Failed;
  } else if (pair.state == PairState::InProgress) {
    pair.state = PairState::Failed;
  }
}

// RFC 8445 section 7.2.5.1: switch the role (unless that has happened since), take a new
// tie-breaker, and check the pair again.
void AgentCore::handleConflict(const Outstanding& request, Pair& pair) {
  if (++roleSwitches_ > kMaxRoleSwitches) {
    ++counters_.overLimit;
    failCheck(request, pair);
    return;
  }
  if (request.role == role_) {
    switchRole(role_ == Role::Controlling ? Role::Controlled : Role::Controlling);
    tieBreaker_ = env_.random.u64();
    raise(RoleChanged{role_});
  }
  if (pair.state != PairState::Succeeded && list_.byId(pair.id)) {
    cancelChecks(pair.id);
    pair.state = PairState::Waiting;
    list_.trigger(pair);
  }
}

void AgentCore::handleSuccess(const stun::Message& response, const Outstanding& request, Pair& pair,
                              Timestamp now) {
  const auto mapped = response.xorAddress(stun::AttributeType::XorMappedAddress);
  if (!mapped) {
    ++counters_.malformed;
    failCheck(request, pair);
    return;
  }
  ++pair.responsesReceived;
  // A retransmitted request has no RTT: the answer may be to any of its copies (Karn).
  if (request.transaction.sends() == 1) {
    pair.rtt = now - request.transaction.firstSentAt();
    pair.totalRtt += *pair.rtt;
  }
  heard(pair, now);
  pair.consentUntil = now + config_.consentTimeout;
  pair.everSucceeded = true;
  if (&pair == oldPair_.get()) return;

  if (auto candidate = mappedCandidate(pair, *mapped)) pair.mapped = std::move(candidate);
  pair.state = PairState::Succeeded;
  cancelChecks(pair.id);
  if (pair.id != nominating_) list_.untrigger(pair.id);
  list_.thaw(pair.foundation);
  if (firstUsableAt_.isNever()) firstUsableAt_ = now;

  if (request.kind == RequestKind::Nomination && !request.cancelled && nominating_ == pair.id) {
    nominating_ = 0;
    setNominated(pair);
  }
  if (pair.nominateOnSuccess) considerNominated(pair, now);
}

// RFC 8445 section 7.2.5.3.1: the mapped address is one of our candidates, or a new peer-reflexive
// one with the priority that the request announced.
std::shared_ptr<LocalEntry> AgentCore::mappedCandidate(const Pair& pair,
                                                       const SocketAddress& mapped) {
  if (shows(pair.local->candidate, mapped)) return pair.local;
  size_t learnt = 0;
  for (const auto& local : locals_) {
    if (local->socket == pair.local->socket && local->candidate.address == mapped) return local;
    if (local->candidate.type == CandidateType::PeerReflexive) ++learnt;
  }
  if (learnt >= kMaxLearntLocals) return nullptr;
  Candidate candidate;
  candidate.type = CandidateType::PeerReflexive;
  candidate.address = mapped;
  candidate.base = pair.local->base;
  candidate.relatedAddress = pair.local->base;
  candidate.priority = reflexivePriority(pair.local->candidate);
  candidate.protocol = pair.local->candidate.protocol;
  candidate.tcpType = pair.local->candidate.tcpType;
  candidate.foundation = "prflx" + pair.local->candidate.foundation;
  candidate.ufrag = local_.ufrag;
  auto entry = std::make_shared<LocalEntry>(
      LocalEntry{std::move(candidate), pair.local->socket, pair.local->base, false});
  locals_.push_back(entry);
  return entry;
}

}  // namespace parley::ice
