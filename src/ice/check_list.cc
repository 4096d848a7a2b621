#include "ice/check_list.h"

#include <algorithm>

namespace parley::ice {

bool mayInitiate(const LocalEntry& local) {
  return local.candidate.tcpType != TcpType::Passive;
}

bool mayPair(const LocalEntry& local, const RemoteEntry& remote) {
  if (local.candidate.protocol != remote.candidate.protocol) return false;
  if (local.candidate.protocol == Protocol::Tcp &&
      (!local.candidate.tcpType || !remote.candidate.tcpType ||
       counterpartOf(*local.candidate.tcpType) != *remote.candidate.tcpType)) {
    return false;
  }
  const IpAddress& from = local.base.ip;
  const IpAddress& to = remote.candidate.address.ip;
  // RFC 8445 section 6.1.2.2: "... have the same component ID and the same IP address version"; a
  // link-local address pairs with link-local ones only. Loopback is the same kind of scope.
  return local.pairable && from.family() == to.family() && from.isLoopback() == to.isLoopback() &&
         from.isLinkLocal() == to.isLinkLocal();
}

uint64_t priorityFor(const Pair& pair, Role role) {
  const uint32_t ours = pair.local->candidate.priority;
  const uint32_t theirs = pair.remote->candidate.priority;
  return role == Role::Controlling ? pairPriority(ours, theirs) : pairPriority(theirs, ours);
}

Pair* CheckList::add(const std::shared_ptr<LocalEntry>& local,
                     const std::shared_ptr<RemoteEntry>& remote, Role role) {
  if (!mayPair(*local, *remote) || find(local.get(), remote.get())) return nullptr;
  auto pair = std::make_unique<Pair>();
  pair->local = local;
  pair->remote = remote;
  pair->priority = priorityFor(*pair, role);
  if (pairs_.size() >= maxPairs_ && !makeRoom(pair->priority)) return nullptr;
  pair->foundation = local->candidate.foundation + ':' + remote->candidate.foundation;
  pair->state = initialState(pair->foundation);
  pair->id = ++lastId_;
  Pair* added = pair.get();
  insert(std::move(pair));
  return added;
}

// RFC 8445 section 6.1.2.5: "discard ... the candidate pairs with the lowest priority". What works
// or is being tried is worth more than an untried pair.
bool CheckList::makeRoom(uint64_t priority) {
  for (auto it = pairs_.rbegin(); it != pairs_.rend(); ++it) {
    const Pair& pair = **it;
    if (pair.everSucceeded || pair.nominated || pair.state == PairState::InProgress) continue;
    if (pair.state != PairState::Failed && pair.priority >= priority) return false;
    untrigger(pair.id);
    pairs_.erase(std::next(it).base());
    return true;
  }
  return false;
}

// RFC 8838 section 12: a pair that comes late starts Waiting unless one of its foundation is
// already under test; then it waits for that one's outcome.
PairState CheckList::initialState(const std::string& foundation) const {
  for (const auto& pair : pairs_) {
    const bool tested = pair->state == PairState::Waiting || pair->state == PairState::InProgress;
    if (tested && pair->foundation == foundation) return PairState::Frozen;
  }
  return PairState::Waiting;
}

void CheckList::insert(std::unique_ptr<Pair> pair) {
  const auto at =
      std::upper_bound(pairs_.begin(), pairs_.end(), pair,
                       [](const auto& a, const auto& b) { return a->priority > b->priority; });
  pairs_.insert(at, std::move(pair));
}

std::unique_ptr<Pair> CheckList::release(uint32_t id) {
  for (auto it = pairs_.begin(); it != pairs_.end(); ++it) {
    if ((*it)->id != id) continue;
    std::unique_ptr<Pair> pair = std::move(*it);
    pairs_.erase(it);
    untrigger(id);
    return pair;
  }
  return nullptr;
}

void CheckList::clear() {
  pairs_.clear();
  triggered_.clear();
}

Pair* CheckList::find(const LocalEntry* local, const RemoteEntry* remote) {
  for (const auto& pair : pairs_) {
    if (pair->local.get() == local && pair->remote.get() == remote) return pair.get();
  }
  return nullptr;
}

Pair* CheckList::byId(uint32_t id) {
  if (id == 0) return nullptr;
  for (const auto& pair : pairs_) {
    if (pair->id == id) return pair.get();
  }
  return nullptr;
}

const Pair* CheckList::byId(uint32_t id) const {
  return const_cast<CheckList*>(this)->byId(id);
}

void CheckList::reprioritize(Role role) {
  for (const auto& pair : pairs_) pair->priority = priorityFor(*pair, role);
  sort();
}

void CheckList::sort() {
  std::stable_sort(pairs_.begin(), pairs_.end(),
                   [](const auto& a, const auto& b) { return a->priority > b->priority; });
}

Pair* CheckList::nextOrdinary(uint64_t floorPriority) {
  Pair* thawable = nullptr;
  for (const auto& pair : pairs_) {
    if (pair->priority <= floorPriority) break;
    if (pair->state == PairState::Waiting) return pair.get();
    if (pair->state != PairState::Frozen || thawable) continue;
    const bool held = std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& other) {
      return other->foundation == pair->foundation &&
             (other->state == PairState::Waiting || other->state == PairState::InProgress);
    });
    if (!held) thawable = pair.get();
  }
  return thawable;
}

void CheckList::thaw(const std::string& foundation) {
  for (const auto& pair : pairs_) {
    if (pair->state == PairState::Frozen && pair->foundation == foundation) {
      pair->state = PairState::Waiting;
    }
  }
}

void CheckList::trigger(Pair& pair) {
  if (std::find(triggered_.begin(), triggered_.end(), pair.id) == triggered_.end()) {
    triggered_.push_back(pair.id);
  }
}

void CheckList::triggerFirst(Pair& pair) {
  untrigger(pair.id);
  triggered_.insert(triggered_.begin(), pair.id);
}

void CheckList::untrigger(uint32_t id) {
  std::erase(triggered_, id);
}

Pair* CheckList::popTriggered() {
  const uint32_t id = triggered_.front();
  triggered_.erase(triggered_.begin());
  return byId(id);
}

size_t CheckList::activeCount() const {
  return static_cast<size_t>(std::count_if(pairs_.begin(), pairs_.end(), [](const auto& pair) {
    return pair->state == PairState::Waiting || pair->state == PairState::InProgress;
  }));
}

bool CheckList::anyUndecided() const {
  return std::any_of(pairs_.begin(), pairs_.end(),
                     [](const auto& pair) { return pair->undecided(); });
}

bool CheckList::anyUndecidedAbove(uint64_t priority) const {
  for (const auto& pair : pairs_) {
    if (pair->priority <= priority) return false;
    if (pair->undecided()) return true;
  }
  return false;
}

}  // namespace parley::ice
