#include <algorithm>
#include <iterator>
#include <utility>

#include "ice/agent_core.h"

// Credentials, candidates and generations (RFC 8445 sections 5 and 9, RFC 8838).

namespace parley::ice {
namespace {

constexpr size_t kMaxLocalCandidates = 64;
/// The mDNS machine gives up after 4 s; this is for the case that nobody answers the effect at all.
constexpr Duration kNameTimeout = Duration::seconds(5);

}  // namespace

void AgentCore::setRemoteCredentials(Credentials remote, bool remoteLite, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || remote_ == remote) return;
  if (remote_) beginGeneration(local_, now);
  undo_.reset();
  remote_ = std::move(remote);
  remoteLite_ = remoteLite;
  // RFC 8445 section 6.1.1: "if one agent is full and the other lite, the full one is controlling".
  if (remoteLite_ && role_ == Role::Controlled && !config_.lite) {
    switchRole(Role::Controlling);
    raise(RoleChanged{role_});
  }
  pacDeadline_ = now + config_.failedAfter;

  // Checks may have come before; keep those of the peer whose description we now have.
  const auto foreign = [&](const RemoteEntry& entry) {
    return entry.learnt && entry.candidate.ufrag != remote_->ufrag;
  };
  list_.eraseIf([&](const Pair& pair) { return foreign(*pair.remote); });
  std::erase_if(remotes_, [&](const auto& entry) { return foreign(*entry); });

  for (Candidate& candidate : std::exchange(early_, {})) addSignalled(std::move(candidate));
  pump(now);
}

void AgentCore::setRole(Role role, Timestamp now) {
  now = clock_.clamp(now);
  if (role == role_ || closed_ || config_.lite) return;
  switchRole(role);
  pump(now);
}

// RFC 8445 section 7.3.1.1: "A change in roles will require an agent to recompute pair priorities".
void AgentCore::switchRole(Role role) {
  role_ = role;
  if (nominating_ != 0) list_.untrigger(nominating_);
  nominating_ = 0;
  for (Outstanding& request : outstanding_) {
    if (request.kind == RequestKind::Nomination) request.cancelled = true;
  }
  for (const auto& pair : list_.pairs()) pair->nominateOnSuccess = false;
  list_.reprioritize(role_);
}

void AgentCore::addLocalCandidate(const Candidate& candidate, SocketId socket, Timestamp now) {
  now = clock_.clamp(now);
  const bool isTcp = candidate.protocol == Protocol::Tcp;
  if (closed_ || candidate.component != 1 || isTcp != candidate.tcpType.has_value()) return;
  const SocketAddress base = candidate.base.value_or(candidate.address);
  bool pairable = true;
  for (const auto& local : locals_) {
    if (local->socket == socket && local->candidate.address == candidate.address &&
        local->candidate.type == candidate.type) {
      return;
    }
    // RFC 8445 section 6.1.2.4: a reflexive candidate is replaced by its base, which makes it
    // redundant.
    if (local->pairable && local->socket == socket && local->base == base) pairable = false;
  }
  if (locals_.size() >= kMaxLocalCandidates) {
    ++counters_.overLimit;
    return;
  }
  auto entry = std::make_shared<LocalEntry>(LocalEntry{candidate, socket, base, pairable});
  locals_.push_back(entry);
  for (const auto& remote : remotes_) {
    if (config_.lite || !mayInitiate(*entry)) break;  // pairs are made by the peer's checks
    // A learnt candidate is known to be reachable from where it was seen only. After a failure the
    // candidate waits for the restart: the network may well come back before it.
    if (!remote->learnt && !failed_) list_.add(entry, remote, role_);
  }
  pump(now);
}

void AgentCore::setLocalEndOfCandidates(Timestamp now) {
  localDone_ = true;
  pump(clock_.clamp(now));
}

void AgentCore::setRemoteEndOfCandidates(Timestamp now) {
  remoteDone_ = true;
  pump(clock_.clamp(now));
}

void AgentCore::addRemoteCandidate(const Candidate& candidate, Timestamp now) {
  now = clock_.clamp(now);
  if (ended()) return;
  if (!remote_) {
    if (early_.size() < env_.limits.maxRemoteCandidates) {
      early_.push_back(candidate);
    } else {
      ++counters_.overLimit;
    }
    return;
  }
  addSignalled(candidate);
  pump(now);
}

void AgentCore::addSignalled(Candidate candidate) {
  // RFC 8838 section 11: a candidate of another generation than the one in force is discarded.
  const bool otherGeneration = !candidate.ufrag.empty() && candidate.ufrag != remote_->ufrag;
  const bool unresolved = !candidate.hostname.empty();
  bool bad = unresolved ? !isMdnsCandidateName(candidate.hostname) || candidate.address.port == 0
                        : !isAcceptableRemote(candidate.address, config_.denyPrivateRemotes);
  const bool isTcp = candidate.protocol == Protocol::Tcp;
  const bool isActive = candidate.tcpType == TcpType::Active;
  bad = bad || isTcp != candidate.tcpType.has_value() ||
        (isTcp && !isActive &&
         !isAcceptableTcpPort(candidate.address.port, config_.denyPrivateRemotes));
  if (otherGeneration || bad || candidate.component != 1) {
    ++counters_.candidatesIgnored;
    return;
  }
  const auto signalled = static_cast<size_t>(std::count_if(
      remotes_.begin(), remotes_.end(), [](const auto& entry) { return !entry->learnt; }));
  if (signalled + names_.size() >= env_.limits.maxRemoteCandidates) {
    ++counters_.overLimit;
    return;
  }
  if (unresolved) {
    if (config_.lite || isActive) return;  // no check of ours needs the address
    // Every answer lists all candidates once more; what is known need not be looked up again.
    SeenName seen{candidate.hostname, candidate.address.port, candidate.protocol};
    if (std::find(seenNames_.begin(), seenNames_.end(), seen) != seenNames_.end()) return;
    if (seenNames_.size() >= env_.limits.maxRemoteCandidates) {
      ++counters_.overLimit;
      return;
    }
    seenNames_.push_back(std::move(seen));
    names_.push_back({std::move(candidate)});
    return;
  }

  candidate.ufrag = remote_->ufrag;
  if (auto known = findRemote(candidate.address, candidate.protocol)) {
    if (!known->learnt) return;
    // The peer-reflexive candidate turns out to be one that was merely signalled later than its
    // checks arrived: it takes the signalled type, foundation and priority; its pairs and their
    // states stay.
    known->learnt = false;
    known->candidate = std::move(candidate);
    for (const auto& pair : list_.pairs()) {
      if (pair->remote != known) continue;
      pair->foundation = pair->local->candidate.foundation + ':' + known->candidate.foundation;
    }
    list_.reprioritize(role_);
    pairWithLocals(known);
    return;
  }
  auto entry = std::make_shared<RemoteEntry>(RemoteEntry{std::move(candidate)});
  remotes_.push_back(entry);
  pairWithLocals(entry);
}

void AgentCore::pairWithLocals(const std::shared_ptr<RemoteEntry>& remote) {
  if (config_.lite) return;
  for (const auto& local : locals_) {
    if (mayInitiate(*local)) list_.add(local, remote, role_);
  }
}

// Few names at a time: each makes this host send multicast (rule: at most `maxPendingMdns`).
void AgentCore::askNames(Timestamp now) {
  size_t asked = 0;
  for (PendingName& name : names_) {
    if (!name.asked) {
      if (asked >= env_.limits.maxPendingMdns || effects_.full()) break;
      name.id = ResolveId(++lastResolve_);
      name.asked = true;
      name.giveUpAt = now + kNameTimeout;
      effects_.push(Resolve{name.id, name.candidate.hostname});
    }
    ++asked;
  }
}

void AgentCore::expireNames(Timestamp now) {
  std::erase_if(names_, [&](const PendingName& name) { return name.giveUpAt <= now; });
}

void AgentCore::handleResolved(const Resolved& resolved, Timestamp now) {
  now = clock_.clamp(now);
  const auto at = std::find_if(names_.begin(), names_.end(), [&](const PendingName& name) {
    return name.asked && name.id == resolved.id;
  });
  if (ended() || at == names_.end()) return;
  Candidate candidate = std::move(at->candidate);
  names_.erase(at);
  // "If the name resolves to more than one address, ignore the candidate": section 3.2 of
  // draft-ietf-mmusic-mdns-ice-candidates.
  if (resolved.addresses.size() == 1) {
    const std::string name = std::exchange(candidate.hostname, {});
    candidate.address.ip = resolved.addresses[0];
    const SocketAddress address = candidate.address;
    const Protocol protocol = candidate.protocol;
    addSignalled(std::move(candidate));
    // Kept so that whoever shows the candidate can go on hiding the address.
    if (auto entry = findRemote(address, protocol)) entry->candidate.hostname = name;
  }
  pump(now);
}

void AgentCore::removeSocket(SocketId socket, Timestamp now) {
  now = clock_.clamp(now);
  const auto onSocket = [&](const Pair& pair) { return pair.local->socket == socket; };
  list_.eraseIf(onSocket);
  if (oldPair_ && onSocket(*oldPair_)) oldPair_.reset();
  std::erase_if(locals_, [&](const auto& local) { return local->socket == socket; });
  std::erase_if(outstanding_, [&](const Outstanding& o) { return o.socket == socket; });
  if (!list_.byId(nominating_)) nominating_ = 0;
  if (!list_.byId(nominated_)) nominated_ = 0;
  std::erase_if(former_, [&](const Tuple& tuple) { return tuple.socket == socket; });
  if (hasPath_ && path_.socket == socket) losePath(now);
  pump(now);
}

void AgentCore::losePath(Timestamp now) {
  useSelected(nullptr, now);
  graceUntil_ = now + config_.consentTimeout;
  recheckOthers(now);
}

// RFC 6544 section 7.1 has a pair fail whose connection cannot be made or breaks. Where the peer
// had connected, it comes back from another port and so with another pair. Where we had, the pair
// stays: if it was in use it is checked again, and with the check comes a new connection.
void AgentCore::handleConnectionLost(SocketId socket, const SocketAddress& remote, Timestamp now) {
  now = clock_.clamp(now);
  if (ended()) return;
  const auto hit = [&](const Pair& pair) {
    return pair.local->socket == socket && pair.remote->candidate.address == remote;
  };
  const bool wasPath = hasPath_ && path_.socket == socket && path_.remote == remote;
  std::erase_if(outstanding_,
                [&](const Outstanding& o) { return o.socket == socket && o.to == remote; });
  if (oldPair_ && hit(*oldPair_)) oldPair_.reset();
  std::erase(former_, Tuple{socket, remote});
  for (const auto& pair : list_.pairs()) {
    if (!hit(*pair)) continue;
    list_.untrigger(pair->id);
    if (nominating_ == pair->id) nominating_ = 0;
    if (nominated_ == pair->id) nominated_ = 0;
    pair->state = PairState::Failed;
    pair->nominated = pair->nominateOnSuccess = pair->inbound = false;
    pair->consentUntil = now;
    if (pair->remote->learnt) {
      std::erase_if(remotes_, [&](const auto& entry) { return entry == pair->remote; });
    }
  }
  list_.eraseIf([&](const Pair& pair) {
    return hit(pair) && (pair.remote->learnt || !mayInitiate(*pair.local));
  });
  if (wasPath) losePath(now);
  pump(now);
}

void AgentCore::restart(Credentials local, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  // What a server saw may be stale by now; the gatherer asks again. And checks of the new
  // generation need connections of their own: who multiplexes a port has tied the old ones to the
  // old user fragment. The gatherer tells active candidates again, with other sockets.
  const auto renewed = [](const auto& entry) {
    return entry->candidate.type == CandidateType::ServerReflexive ||
           entry->candidate.tcpType == TcpType::Active;
  };
  if (!undo_) {
    undo_ = Undo{local_, remote_, {}, remotes_, names_, seenNames_, localDone_, remoteDone_};
    std::copy_if(locals_.begin(), locals_.end(), std::back_inserter(undo_->locals), renewed);
  }
  std::erase_if(locals_, renewed);
  beginGeneration(std::move(local), now);
  ++generation_;
  pump(now);
}

void AgentCore::beginGeneration(Credentials local, Timestamp now) {
  const Pair* inUse = selected();
  if (inUse && inUse->usable(now) && inUse != oldPair_.get()) {
    oldPair_ = list_.release(selected_);
    oldLocal_ = local_;
    oldRemote_ = remote_;
  } else if (!inUse) {
    oldPair_.reset();
  }
  for (const auto& pair : list_.pairs()) rememberSource(*pair);
  list_.clear();
  remotes_.clear();
  early_.clear();
  names_.clear();
  seenNames_.clear();
  effects_.clear();
  std::erase_if(locals_, [](const auto& entry) {
    return entry->candidate.type == CandidateType::PeerReflexive;
  });
  const uint32_t kept = oldPair_ ? oldPair_->id : 0;
  std::erase_if(outstanding_, [&](const Outstanding& request) { return request.pair != kept; });
  local_ = std::move(local);
  remote_.reset();
  localDone_ = remoteDone_ = false;
  nominated_ = nominating_ = pinned_ = 0;
  firstUsableAt_ = pacDeadline_ = graceUntil_ = Timestamp::never();
  roleSwitches_ = 0;
  plainChecks_ = false;
  failed_ = hadPath_ = false;
  if (hasPath_ && selected_ != kept) useSelected(nullptr, now);
}

bool AgentCore::rollbackRestart(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || !undo_ || remote_) return false;
  Undo undo = std::move(*undo_);
  undo_.reset();
  std::unique_ptr<Pair> inUse = std::move(oldPair_);
  list_.clear();
  local_ = std::move(undo.local);
  remote_ = std::move(undo.remote);
  remotes_ = std::move(undo.remotes);
  names_ = std::move(undo.names);
  for (PendingName& name : names_) {
    name.asked = false;  // whoever answers has forgotten the question
    name.giveUpAt = Timestamp::never();
  }
  seenNames_ = std::move(undo.seenNames);
  for (auto& entry : undo.locals) restoreLocal(std::move(entry));
  localDone_ = undo.localDone;
  remoteDone_ = undo.remoteDone;
  early_.clear();
  oldLocal_.reset();
  oldRemote_.reset();
  if (inUse) {
    inUse->priority = priorityFor(*inUse, role_);
    if (inUse->nominated) nominated_ = inUse->id;
    hadPath_ = true;
    list_.insert(std::move(inUse));
  }
  for (const auto& remote : remotes_) {
    if (!remote->learnt) pairWithLocals(remote);
  }
  if (remote_) pacDeadline_ = now + config_.failedAfter;
  pump(now);
  return true;
}

void AgentCore::restoreLocal(std::shared_ptr<LocalEntry> entry) {
  const bool known = std::any_of(locals_.begin(), locals_.end(), [&](const auto& local) {
    const bool isRenewed =
        local->candidate.tcpType == TcpType::Active && entry->candidate.tcpType == TcpType::Active;
    return (local->socket == entry->socket || isRenewed) &&
           local->candidate.address == entry->candidate.address;
  });
  if (!known) locals_.push_back(std::move(entry));
}

LocalEntry* AgentCore::findLocal(SocketId socket, const SocketAddress& to) {
  LocalEntry* only = nullptr;
  size_t count = 0;
  for (const auto& local : locals_) {
    if (!local->pairable || local->socket != socket) continue;
    if (local->base.ip == to.ip) return local.get();
    only = local.get();
    ++count;
  }
  // A relayed candidate's socket, or a driver that cannot tell the destination address.
  return count == 1 || (only && to.ip.isUnspecified()) ? only : nullptr;
}

std::shared_ptr<LocalEntry> AgentCore::sharedLocal(const LocalEntry* local) const {
  for (const auto& entry : locals_) {
    if (entry.get() == local) return entry;
  }
  return nullptr;
}

std::shared_ptr<RemoteEntry> AgentCore::findRemote(const SocketAddress& address,
                                                   Protocol protocol) const {
  for (const auto& entry : remotes_) {
    if (entry->candidate.address == address && entry->candidate.protocol == protocol) return entry;
  }
  return nullptr;
}

}  // namespace parley::ice
