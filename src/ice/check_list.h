#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/time.h"
#include "parley/ice/agent.h"
#include "parley/stun/message.h"

namespace parley::ice {

struct LocalEntry {
  Candidate candidate;
  SocketId socket{};
  SocketAddress base;
  bool pairable = true;  ///< false: stands beside its base, only names what a check's answer shows
};

struct RemoteEntry {
  Candidate candidate;
  bool learnt = false;  ///< peer-reflexive: seen in a check and not (yet) signalled
};

/// A candidate pair (RFC 8445 section 6.1.2). Candidates are shared: the pair in use survives the
/// lists of its generation.
struct Pair {
  uint32_t id = 0;
  std::shared_ptr<LocalEntry> local;
  std::shared_ptr<RemoteEntry> remote;
  std::shared_ptr<LocalEntry> mapped;  ///< the candidate that the peer sees us as; null before
  std::string foundation;
  uint64_t priority = 0;
  PairState state = PairState::Frozen;
  stun::TransactionId current{};  ///< the check that InProgress stands for

  bool inbound = false;  ///< an authentic request came this way
  bool everSucceeded = false;
  bool nominated = false;
  bool nominateOnSuccess =
      false;             ///< controlled: USE-CANDIDATE came before our own check succeeded
  bool removed = false;  ///< by the application: kept so that it is not made again
  bool silent = false;   ///< Disconnected was declared while it was selected
  uint32_t nominationValue = 0;
  uint8_t streak = 0;  ///< packets of data in a row, without a pause
  Timestamp lastUseCandidate;
  Timestamp lastHeard;
  Timestamp consentUntil;  ///< RFC 7675; meaningful once everSucceeded
  std::optional<Duration> rtt;

  uint64_t requestsSent = 0;
  uint64_t requestsReceived = 0;
  uint64_t responsesSent = 0;
  uint64_t responsesReceived = 0;
  uint64_t consentRequestsSent = 0;
  Duration totalRtt;

  /// May carry data: our check succeeded and consent is fresh.
  bool isProven() const { return inbound || everSucceeded; }
  bool usable(Timestamp now) const { return everSucceeded && now < consentUntil; }
  bool undecided() const {
    return state == PairState::Frozen || state == PairState::Waiting ||
           state == PairState::InProgress;
  }
  bool hostToHost() const {
    return local->candidate.type == CandidateType::Host &&
           remote->candidate.type == CandidateType::Host;
  }
};

/// The checklist: pairs by falling priority, with their states and the triggered-check queue. Knows
/// nothing of STUN or time.
class CheckList {
 public:
  explicit CheckList(size_t maxPairs) : maxPairs_(maxPairs) {}

  /// The new pair; or nullptr if it exists already, may not exist (family, scope) or the list is
  /// full of better pairs.
  Pair* add(const std::shared_ptr<LocalEntry>& local, const std::shared_ptr<RemoteEntry>& remote,
            Role role);
  Pair* find(const LocalEntry* local, const RemoteEntry* remote);
  Pair* byId(uint32_t id);
  const Pair* byId(uint32_t id) const;
  /// Takes the pair out of the list.
  std::unique_ptr<Pair> release(uint32_t id);
  void insert(std::unique_ptr<Pair> pair);
  void clear();
  template <class Predicate>
  void eraseIf(Predicate predicate) {
    std::erase_if(pairs_, [&](const auto& pair) { return predicate(*pair); });
  }

  /// After a change of role or of a candidate's priority.
  void reprioritize(Role role);

  /// The pair for the next ordinary check (RFC 8445 section 6.1.4.2), only among those above
  /// `floorPriority`: Waiting ones, else a Frozen one that may thaw. Does not change states.
  Pair* nextOrdinary(uint64_t floorPriority);
  bool hasOrdinary(uint64_t floorPriority) const {
    return const_cast<CheckList*>(this)->nextOrdinary(floorPriority) != nullptr;
  }
  /// Frozen pairs of this foundation become Waiting.
  void thaw(const std::string& foundation);

  void trigger(Pair& pair);
  /// Puts a pair at the head of the triggered queue.
  void triggerFirst(Pair& pair);
  void untrigger(uint32_t id);
  bool hasTriggered() const { return !triggered_.empty(); }
  /// nullptr if the pair at the head is gone; the queue moves on either way.
  Pair* popTriggered();

  /// RTO is scaled by this (RFC 8445 section 14.3).
  size_t activeCount() const;
  bool anyUndecided() const;
  bool anyUndecidedAbove(uint64_t priority) const;
  const std::vector<std::unique_ptr<Pair>>& pairs() const { return pairs_; }

 private:
  void sort();
  bool makeRoom(uint64_t priority);
  PairState initialState(const std::string& foundation) const;

  std::vector<std::unique_ptr<Pair>> pairs_;
  std::vector<uint32_t> triggered_;
  uint32_t lastId_ = 0;
  size_t maxPairs_;
};

/// Whether packets can go from one to the other: same protocol, TCP types that fit (RFC 6544
/// section 6.2), same family, and loopback and link-local addresses only among themselves.
bool mayPair(const LocalEntry& local, const RemoteEntry& remote);
/// False for passive TCP candidates: their pairs come with the peer's connections (RFC 6544
/// section 6.2: pairs with a local passive one are pruned).
bool mayInitiate(const LocalEntry& local);
uint64_t priorityFor(const Pair& pair, Role role);

}  // namespace parley::ice
