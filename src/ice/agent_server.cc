#include <algorithm>
#include <limits>
#include <utility>

#include "parley/stun/integrity.h"

#include "ice/agent_core.h"

// Checks that come from the peer (RFC 8445 section 7.3).

namespace parley::ice {
namespace {

constexpr size_t kMaxRoleSwitches = 8;
/// A triggered check in flight that is younger than this is not repeated for each further request:
/// some peers check every 50 ms until they are answered.
constexpr Duration kTriggeredRepeat = Duration::millis(100);
/// A learnt source that was heard within this time keeps its place against a new one.
constexpr Duration kLearntSilence = Duration::seconds(5);

}  // namespace

HandleResult AgentCore::handleRequest(const stun::Message& request, SocketId socket,
                                      const SocketAddress& from, const SocketAddress& to,
                                      Timestamp now) {
  const auto username = request.text(stun::AttributeType::Username);
  if (!username) {
    sendBareError(request, socket, from, to, stun::StunError::BadRequest, now);
    return HandleResult::Dropped;
  }
  const size_t colon = username->find(':');
  const std::string_view ours = username->substr(0, colon);
  const std::string_view theirs =
      colon == std::string_view::npos ? std::string_view{} : username->substr(colon + 1);
  if (ours != local_.ufrag) {
    if (oldPair_ && ours == oldLocal_->ufrag) {
      return handleOldRequest(request, socket, from, to, now);
    }
    // Silence: an error would tell a stranger which user fragments exist.
    ++counters_.unknownUfrag;
    return HandleResult::NotForUs;
  }
  const auto integrity = verifyMessageIntegrity(request, stun::shortTermKey(local_.password));
  if (integrity != stun::IntegrityCheck::Right) {
    ++counters_.unauthentic;
    const bool missing = integrity == stun::IntegrityCheck::Missing;
    sendBareError(request, socket, from, to,
                  missing ? stun::StunError::BadRequest : stun::StunError::Unauthenticated, now);
    return HandleResult::Dropped;
  }

  // From here on the sender is known to have our password.
  LocalEntry* local = findLocal(socket, to);
  if (!local || from.port == 0) {
    ++counters_.candidatesIgnored;
    return HandleResult::Dropped;
  }
  uint16_t unknown[8];
  if (const size_t n = request.unknownRequired(unknown, stun::isKnownForBinding)) {
    sendSignedError(request, *local, from, stun::StunError::UnknownAttribute,
                    std::span(unknown).first(n));
    return HandleResult::Consumed;
  }
  if (!settleRoles(request, *local, from)) return HandleResult::Consumed;

  std::shared_ptr<RemoteEntry> remote = findRemote(from, local->candidate.protocol);
  if (!remote) remote = learnRemote(request, *local, from, theirs, now);
  Pair* pair = remote ? list_.find(local, remote.get()) : nullptr;
  if (remote && !pair) pair = list_.add(sharedLocal(local), remote, role_);
  if (pair && pair->removed) return HandleResult::Dropped;
  if (!pair || !sendSuccess(request, *local, from, local_.password)) {
    // Without a pair of ours a success would let the peer send what we then have to drop. Of a lite
    // agent's pair nothing is left to wait for: the peer's next check makes it what it can be.
    if (pair && config_.lite && !pair->everSucceeded) pair->state = PairState::Failed;
    ++counters_.overLimit;
    return HandleResult::Dropped;
  }
  pair->inbound = true;
  ++pair->requestsReceived;
  ++pair->responsesSent;
  heard(*pair, now);
  suspectPath(*pair, now);
  if (config_.lite) {
    acceptPair(*pair, now);
  } else {
    triggerCheck(*pair, now);
  }
  handleUseCandidate(*pair, request, now);
  repeatNomination(*pair);
  return HandleResult::Authenticated;
}

// Until the peer knows of our restart it goes on checking consent of the pair in use with the old
// credentials.
HandleResult AgentCore::handleOldRequest(const stun::Message& request, SocketId socket,
                                         const SocketAddress& from, const SocketAddress& to,
                                         Timestamp now) {
  if (verifyMessageIntegrity(request, stun::shortTermKey(oldLocal_->password)) !=
      stun::IntegrityCheck::Right) {
    ++counters_.unauthentic;
    return HandleResult::Dropped;
  }
  // An active TCP candidate is no longer among the local ones, but has its socket for itself.
  const bool known =
      oldPair_->local->socket == socket && oldPair_->remote->candidate.address == from &&
      (oldPair_->local->candidate.tcpType || oldPair_->local.get() == findLocal(socket, to));
  if (!known || !sendSuccess(request, *oldPair_->local, from, oldLocal_->password)) {
    return HandleResult::Dropped;
  }
  ++oldPair_->requestsReceived;
  ++oldPair_->responsesSent;
  heard(*oldPair_, now);
  if (config_.lite) acceptPair(*oldPair_, now);
  return HandleResult::Authenticated;
}

// RFC 8445 section 7.3.1.1. Tie-breakers compare as unsigned 64-bit numbers.
bool AgentCore::settleRoles(const stun::Message& request, const LocalEntry& local,
                            const SocketAddress& from) {
  const bool controlling = role_ == Role::Controlling;
  const auto theirs = request.u64(controlling ? stun::AttributeType::IceControlling
                                              : stun::AttributeType::IceControlled);
  if (!theirs) return true;
  // A lite agent cannot control, whoever wins.
  const bool weWin = config_.lite ? controlling : tieBreaker_ >= *theirs;
  if (controlling == weWin) {
    sendSignedError(request, local, from, stun::StunError::RoleConflict);
    return false;
  }
  // A peer that makes us turn round and round is broken or malicious.
  if (++roleSwitches_ > kMaxRoleSwitches) {
    ++counters_.overLimit;
    return false;
  }
  switchRole(controlling ? Role::Controlled : Role::Controlling);
  raise(RoleChanged{role_});
  return true;
}

std::shared_ptr<RemoteEntry> AgentCore::learnRemote(const stun::Message& request,
                                                    const LocalEntry& local,
                                                    const SocketAddress& from,
                                                    std::string_view ufrag, Timestamp now) {
  if (config_.denyPrivateRemotes && !isAcceptableRemote(from, true)) return nullptr;
  const auto learnt = static_cast<size_t>(std::count_if(
      remotes_.begin(), remotes_.end(), [](const auto& entry) { return entry->learnt; }));
  if (learnt >= env_.limits.maxPeerReflexive && !forgetLearnt(now)) return nullptr;
  Candidate candidate;
  candidate.type = CandidateType::PeerReflexive;
  candidate.protocol = local.candidate.protocol;
  if (local.candidate.tcpType) candidate.tcpType = counterpartOf(*local.candidate.tcpType);
  candidate.address = from;
  candidate.ufrag = ufrag;
  // RFC 8445 section 7.3.1.3: priority from the request.
  candidate.priority =
      request.u32(stun::AttributeType::Priority)
          .value_or(candidatePriority(CandidateType::PeerReflexive, 0, 1, candidate.protocol));
  // "An arbitrary value, different from the foundations of all other remote candidates", and of
  // ice-chars, as it is shown as one.
  candidate.foundation = "prflx" + std::to_string(std::hash<SocketAddress>{}(from));
  auto entry = std::make_shared<RemoteEntry>(RemoteEntry{std::move(candidate), true});
  if (!mayPair(local, *entry)) return nullptr;
  remotes_.push_back(entry);
  return entry;
}

// Makes room for a new source: NATs that rebind give a peer many in the course of a call. The one
// to go is that from which nothing has come for longest.
bool AgentCore::forgetLearnt(Timestamp now) {
  const RemoteEntry* victim = nullptr;
  Timestamp oldest = now - kLearntSilence;
  for (const auto& remote : remotes_) {
    if (!remote->learnt) continue;
    Timestamp heardAt = Timestamp::nanos(std::numeric_limits<int64_t>::min());
    bool inUse = false;
    for (const auto& pair : list_.pairs()) {
      if (pair->remote != remote) continue;
      heardAt = std::max(heardAt, pair->lastHeard);
      inUse = inUse || pair->id == selected_ || pair->id == nominated_ || pair->id == nominating_;
    }
    if (inUse || heardAt > oldest) continue;
    oldest = heardAt;
    victim = remote.get();
  }
  if (!victim) return false;
  list_.eraseIf([&](const Pair& pair) { return pair.remote.get() == victim; });
  std::erase_if(remotes_, [&](const auto& entry) { return entry.get() == victim; });
  return true;
}

// RFC 8445 section 7.3.2 makes a pair valid by USE-CANDIDATE. Any authentic check shows as much:
// the answer reaches the peer by the same way back; so data need not wait for the nomination.
void AgentCore::acceptPair(Pair& pair, Timestamp now) {
  pair.everSucceeded = true;
  pair.consentUntil = now + config_.consentTimeout;
  if (&pair == oldPair_.get()) return;
  pair.state = PairState::Succeeded;
  if (firstUsableAt_.isNever()) firstUsableAt_ = now;
}

// RFC 8445 section 7.3.1.4.
void AgentCore::triggerCheck(Pair& pair, Timestamp now) {
  // A success whose consent has run out since must be had again before a nomination can count.
  if (pair.state == PairState::Succeeded && pair.usable(now)) return;
  if (pair.state == PairState::InProgress) {
    for (const Outstanding& request : outstanding_) {
      const bool current = request.transaction.id() == pair.current;
      // The first request from the peer always triggers: it may have opened the peer's NAT for a
      // check of ours that was lost there.
      if (current && pair.requestsReceived > 1 &&
          now - request.transaction.lastSentAt() < kTriggeredRepeat) {
        return;
      }
    }
    cancelChecks(pair.id);
  }
  pair.state = PairState::Waiting;
  list_.trigger(pair);
}

// A peer whose first check comes after our nomination got that before it knew our credentials: with
// a slow answer it answers checks long before it can check itself. Firefox keeps one early check
// for each address, the first, and so has never heard of the nomination.
void AgentCore::repeatNomination(Pair& pair) {
  if (role_ != Role::Controlling || pair.id != nominated_ || pair.requestsReceived != 1) return;
  if (nominating_ != 0 || pair.state != PairState::Succeeded) return;
  nominating_ = pair.id;
  list_.triggerFirst(pair);
}

void AgentCore::handleUseCandidate(Pair& pair, const stun::Message& request, Timestamp now) {
  if (role_ != Role::Controlled) return;
  if (!request.has(stun::AttributeType::UseCandidate)) {
    plainChecks_ = true;
    return;
  }
  pair.lastUseCandidate = now;
  pair.nominationValue =
      config_.renomination ? request.u32(stun::AttributeType::GoogNomination).value_or(0) : 0;
  // RFC 8445 section 7.3.1.5: if our own check has not succeeded yet, the nomination waits for it.
  if (pair.state == PairState::Succeeded && pair.usable(now)) {
    considerNominated(pair, now);
  } else {
    pair.nominateOnSuccess = true;
  }
}

bool AgentCore::sendSuccess(const stun::Message& request, const LocalEntry& local,
                            const SocketAddress& to, std::string_view password) {
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, stun::Method::Binding,
                               request.transactionId());
  builder.xorAddress(stun::AttributeType::XorMappedAddress, to)
      .messageIntegrity(stun::shortTermKey(password))
      .fingerprint();
  if (!builder.finishInto(packet) || transmits_.full()) return false;
  transmit(local, to, std::move(packet));
  return true;
}

void AgentCore::sendSignedError(const stun::Message& request, const LocalEntry& local,
                                const SocketAddress& to, stun::StunError code,
                                std::span<const uint16_t> unknown) {
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Error, stun::Method::Binding,
                               request.transactionId());
  builder.error(code);
  if (!unknown.empty()) builder.unknownAttributes(unknown);
  builder.messageIntegrity(stun::shortTermKey(local_.password)).fingerprint();
  if (!builder.finishInto(packet)) return;
  ++counters_.errorsSent;
  transmit(local, to, std::move(packet));
}

// The answer to a request that proved nothing: rate-limited, and never larger than the request.
void AgentCore::sendBareError(const stun::Message& request, SocketId socket,
                              const SocketAddress& from, const SocketAddress& to,
                              stun::StunError code, Timestamp now) {
  LocalEntry* local = findLocal(socket, to);
  if (!local || !errors_.allow(from, now)) return;
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Error, stun::Method::Binding,
                               request.transactionId());
  builder.error(code).fingerprint();
  if (!builder.finishInto(packet) || packet.size() > request.bytes().size()) return;
  ++counters_.errorsSent;
  transmit(*local, from, std::move(packet));
}

}  // namespace parley::ice
