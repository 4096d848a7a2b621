#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "parley/base/ring_queue.h"
#include "parley/ice/agent.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"
#include "parley/stun/transaction.h"

#include "ice/check_list.h"
#include "ice/error_limiter.h"
#include "ice/pacing.h"

namespace parley::ice {

/// What stands behind `Agent`. Every public entry clamps the time, changes state, and ends in
/// `pump`, which does all that is due; so no order of calls leaves something undone.
///
/// Parts: agent_control.cc (what the application decides), agent_candidates.cc (credentials,
/// candidates, generations), agent_server.cc (checks from the peer), agent_client.cc (our checks),
/// agent_selection.cc (nomination, consent, state).
class AgentCore {
 public:
  AgentCore(Environment& environment, const AgentConfig& config, Credentials local);

  // The interface of Agent; see there.
  const Credentials& localCredentials() const { return local_; }
  Role role() const { return role_; }
  IceConnectionState state() const { return state_; }
  void setRemoteCredentials(Credentials remote, bool remoteLite, Timestamp now);
  void setRole(Role role, Timestamp now);
  void addLocalCandidate(const Candidate& candidate, SocketId socket, Timestamp now);
  void setLocalEndOfCandidates(Timestamp now);
  void addRemoteCandidate(const Candidate& candidate, Timestamp now);
  void setRemoteEndOfCandidates(Timestamp now);
  void removeSocket(SocketId socket, Timestamp now);
  void handleConnectionLost(SocketId socket, const SocketAddress& remote, Timestamp now);
  void restart(Credentials local, Timestamp now);
  bool rollbackRestart(Timestamp now);
  void close(Timestamp now);
  bool selectPair(uint32_t id, Timestamp now);
  bool removePair(uint32_t id, Timestamp now);
  HandleResult handleStun(SocketId socket, const SocketAddress& from, const SocketAddress& to,
                          ByteSpan datagram, Timestamp now);
  void handleResolved(const Resolved& resolved, Timestamp now);
  void noteReceived(Timestamp now);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(AgentEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  Timestamp consentFrom() const { return ended() ? Timestamp::never() : consentFrom_; }
  void askForConsent(Timestamp now);
  const SendPath* sendPath() const { return hasPath_ ? &path_ : nullptr; }
  bool usesFormerPath() const { return hasPath_ && oldPair_ && oldPair_->id == selected_; }
  std::optional<SelectedPair> selectedPair() const;
  std::optional<Duration> pathRtt() const {
    return hasPath_ && selected() ? selected()->rtt : std::nullopt;
  }
  bool isValidSource(SocketId socket, const SocketAddress& from) const;
  std::vector<PairStats> pairStats() const;
  std::vector<Candidate> localCandidates() const;
  std::vector<Candidate> remoteCandidates() const;
  const AgentCounters& counters() const { return counters_; }

 private:
  enum class RequestKind : uint8_t { Check, Nomination, Consent };

  /// A request that may still be answered.
  struct Outstanding {
    stun::Transaction transaction;
    uint32_t pair;
    SocketId socket;
    SocketAddress to;
    RequestKind kind;
    Role role;
    uint64_t tieBreaker;
    uint32_t nominationValue;
    bool cancelled = false;  ///< no more retransmissions; a late answer still counts
  };

  /// A signalled candidate whose address is still a name.
  struct PendingName {
    Candidate candidate;
    ResolveId id{};
    Timestamp giveUpAt = Timestamp::never();
    bool asked = false;
  };

  /// A name that was signalled in this generation, whatever became of it.
  struct SeenName {
    std::string hostname;
    uint16_t port = 0;
    Protocol protocol = Protocol::Udp;
    bool operator==(const SeenName&) const = default;
  };

  struct Tuple {
    SocketId socket{};
    SocketAddress remote;
    friend bool operator==(const Tuple&, const Tuple&) = default;
  };

  void pump(Timestamp now);
  bool ended() const { return closed_ || failed_; }
  void transmit(const LocalEntry& local, const SocketAddress& to, PacketBuf packet);
  void raise(AgentEvent event);
  void checkInvariants() const;

  // agent_candidates.cc
  void beginGeneration(Credentials local, Timestamp now);
  void restoreLocal(std::shared_ptr<LocalEntry> entry);
  void losePath(Timestamp now);
  void addSignalled(Candidate candidate);
  void pairWithLocals(const std::shared_ptr<RemoteEntry>& remote);
  void askNames(Timestamp now);
  void expireNames(Timestamp now);
  void switchRole(Role role);
  LocalEntry* findLocal(SocketId socket, const SocketAddress& to);
  std::shared_ptr<LocalEntry> sharedLocal(const LocalEntry* local) const;
  std::shared_ptr<RemoteEntry> findRemote(const SocketAddress& address, Protocol protocol) const;

  // agent_server.cc
  HandleResult handleRequest(const stun::Message& request, SocketId socket,
                             const SocketAddress& from, const SocketAddress& to, Timestamp now);
  HandleResult handleOldRequest(const stun::Message& request, SocketId socket,
                                const SocketAddress& from, const SocketAddress& to, Timestamp now);
  void sendBareError(const stun::Message& request, SocketId socket, const SocketAddress& from,
                     const SocketAddress& to, stun::StunError code, Timestamp now);
  void sendSignedError(const stun::Message& request, const LocalEntry& local,
                       const SocketAddress& to, stun::StunError code,
                       std::span<const uint16_t> unknown = {});
  bool sendSuccess(const stun::Message& request, const LocalEntry& local, const SocketAddress& to,
                   std::string_view password);
  /// False if the request was answered with 487 or dropped.
  bool settleRoles(const stun::Message& request, const LocalEntry& local,
                   const SocketAddress& from);
  std::shared_ptr<RemoteEntry> learnRemote(const stun::Message& request, const LocalEntry& local,
                                           const SocketAddress& from, std::string_view ufrag,
                                           Timestamp now);
  bool forgetLearnt(Timestamp now);
  void acceptPair(Pair& pair, Timestamp now);
  void triggerCheck(Pair& pair, Timestamp now);
  void repeatNomination(Pair& pair);
  void handleUseCandidate(Pair& pair, const stun::Message& request, Timestamp now);

  // agent_client.cc
  void sendChecks(Timestamp now);
  void startCheck(Pair& pair, Timestamp now);
  void sendRequest(Pair& pair, RequestKind kind, Timestamp now);
  void writeRequest(Pair& pair, const Outstanding& request);
  void runTransactions(Timestamp now);
  HandleResult handleResponse(const stun::Message& response, SocketId socket,
                              const SocketAddress& from, Timestamp now);
  void handleErrorResponse(const stun::Message& response, const Outstanding& request, Pair& pair);
  void failCheck(const Outstanding& request, Pair& pair);
  void handleSuccess(const stun::Message& response, const Outstanding& request, Pair& pair,
                     Timestamp now);
  void handleConflict(const Outstanding& request, Pair& pair);
  std::shared_ptr<LocalEntry> mappedCandidate(const Pair& pair, const SocketAddress& mapped);
  void cancelChecks(uint32_t pair);
  void limitOutstanding(uint32_t pair);
  stun::RetransmitPolicy checkPolicy() const;
  uint64_t ordinaryFloor(Timestamp now) const;

  // agent_selection.cc
  Pair* pairById(uint32_t id);
  const Pair* pairById(uint32_t id) const;
  Pair* selected() { return pairById(selected_); }
  const Pair* selected() const { return pairById(selected_); }
  void heard(Pair& pair, Timestamp now);
  void markSilence(Timestamp now);
  Timestamp silentAt(const Pair& pair) const;
  void recheckOthers(Timestamp now);
  void suspectPath(const Pair& elsewhere, Timestamp now);
  bool isReplaced(const Pair& pair, Timestamp now) const;
  Pair* bestUsable(Timestamp now, bool allowSilent);
  Pair* workingPinned(Timestamp now);
  void probePinned(Timestamp now);
  void nominateIfReady(Timestamp now);
  bool mayNominate(const Pair& best, Timestamp now) const;
  void setNominated(Pair& pair);
  void considerNominated(Pair& pair, Timestamp now);
  void reselect(Timestamp now);
  void useSelected(Pair* pair, Timestamp now);
  void retireOldPair();
  void rememberSource(const Pair& pair);
  void sendConsent(Timestamp now);
  void planConsent(Timestamp last, Timestamp now);
  void updateState(Timestamp now);
  IceConnectionState computeState(Timestamp now);
  void fail();

  Environment& env_;
  AgentConfig config_;
  MonotonicGuard clock_;

  Role role_;
  uint64_t tieBreaker_;
  size_t roleSwitches_ = 0;
  Credentials local_;
  std::optional<Credentials> remote_;
  bool remoteLite_ = false;
  bool localDone_ = false;
  bool remoteDone_ = false;
  uint32_t generation_ = 0;

  std::vector<std::shared_ptr<LocalEntry>> locals_;
  std::vector<std::shared_ptr<RemoteEntry>> remotes_;
  std::vector<Candidate> early_;  ///< signalled before the remote credentials
  std::vector<PendingName> names_;
  std::vector<SeenName> seenNames_;
  uint32_t lastResolve_ = 0;
  CheckList list_;
  std::vector<Outstanding> outstanding_;
  std::string username_;  ///< of the last request; consent goes on without allocating
  Pacing pacing_;
  ErrorLimiter errors_;

  // The generation before this one, as long as its pair is in use.
  std::unique_ptr<Pair> oldPair_;
  std::optional<Credentials> oldLocal_;
  std::optional<Credentials> oldRemote_;
  /// Proven in generations before this one, newest last: packets may still be under way from there,
  /// and a peer that had not heard of a restart may have chosen such a pair.
  std::vector<Tuple> former_;
  /// To take back a restart.
  struct Undo {
    Credentials local;
    std::optional<Credentials> remote;
    std::vector<std::shared_ptr<LocalEntry>> locals;  ///< those that a restart gives up
    std::vector<std::shared_ptr<RemoteEntry>> remotes;
    std::vector<PendingName> names;
    std::vector<SeenName> seenNames;
    bool localDone;
    bool remoteDone;
  };
  std::optional<Undo> undo_;

  uint32_t selected_ = 0;  ///< pair ids; 0 = none
  uint32_t nominated_ = 0;
  uint32_t nominating_ = 0;  ///< controlling: the pair whose USE-CANDIDATE is under way
  uint32_t nominationCount_ = 0;
  bool plainChecks_ = false;  ///< the controlling peer checks without nominating, too
  uint32_t pinned_ = 0;       ///< the application's choice
  Timestamp pinnedProbeAt_ = Timestamp::never();  ///< while it does not work
  Timestamp firstUsableAt_ = Timestamp::never();
  Timestamp pacDeadline_ = Timestamp::never();
  Timestamp consentAt_ = Timestamp::never();
  Timestamp consentFrom_ = Timestamp::never();
  Timestamp graceUntil_ =
      Timestamp::never();                   ///< the path's socket vanished: time for another path
  Timestamp probeAt_ = Timestamp::never();  ///< next request while one is unanswered
  Timestamp suspectSince_;
  uint8_t suspectProbes_ = 0;                       ///< requests that still follow the first one
  Timestamp suspectAt_ = Timestamp::never();        ///< when silence means that the path is gone
  Timestamp unansweredSince_ = Timestamp::never();  ///< first consent request since last heard
  bool hadPath_ = false;                            ///< in this generation
  bool failed_ = false;
  bool closed_ = false;
  SendPath path_;
  bool hasPath_ = false;
  IceConnectionState state_ = IceConnectionState::New;

  RingQueue<TxPacket> transmits_{64};
  RingQueue<Effect> effects_{128};
  RingQueue<AgentEvent> events_{64};
  AgentCounters counters_;
};

}  // namespace parley::ice
