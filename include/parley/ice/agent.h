#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/ice/candidate.h"

// ice: finding and keeping a path to the peer (RFC 8445, trickle: RFC 8838, consent: RFC 7675).
// May use base, crypto, stun, turn. Gatherer (gatherer.h) finds local candidates, Agent pairs and
// checks them, MdnsResolver (mdns_resolver.h) resolves the names that hide a peer's addresses.
//
// A STUN datagram from the peer goes Endpoint -> Agent::handleStun; what it answers, and its own
// checks, wait in pollTransmit. Data is not the agent's business: it only says where to send it
// (`sendPath`) and whose data to believe (`isValidSource`).

namespace parley::ice {

struct AgentConfig {
  Role role = Role::Controlling;
  /// Ta, the average distance of new checks (RFC 8445 section 14.2: SHOULD be 50 ms). See
  /// `checkBurst`.
  Duration checkInterval = Duration::millis(50);
  /// How many ordinary checks may go out at once before the rate of one per `checkInterval` binds.
  /// RFC 8445 has one per Ta strictly; a handful of ~100 byte packets at the start does no harm and
  /// saves connections from waiting a slot. Triggered and nominating checks may borrow as many
  /// again: they go to an address that has just proved to be the peer.
  int checkBurst = 5;
  /// How long the controlling agent waits for a better pair once one works (data flows meanwhile).
  /// A host-to-host pair that nothing pending can beat is nominated at once.
  Duration nominationSettle = Duration::millis(200);
  Duration consentInterval = Duration::seconds(5);  ///< RFC 7675 section 5.1, randomised by 20 %
  Duration consentTimeout = Duration::seconds(30);  ///< RFC 7675 section 5.1
  /// Silence on the selected pair that makes the state Disconnected. At least two requests in a row
  /// must have stayed without answer, so it can take a few seconds longer.
  Duration disconnectedAfter = Duration::seconds(5);
  /// The "patiently awaiting connectivity" timer (RFC 8863 section 3): Failed comes no earlier.
  Duration failedAfter = Duration::millis(39'500);
  /// Answer to a negotiated `a=ice-options:renomination`: nominations carry a rising number and the
  /// highest counts.
  bool renomination = false;
  /// Only answers (RFC 8445 section 2.5): for hosts whose address everybody reaches, such as media
  /// servers. Always controlled; a pair is valid as soon as an authentic check came over it, and
  /// consent lasts while checks go on coming (the peer's own, RFC 7675). Disconnected comes after
  /// two and a half `consentInterval` of silence, if `disconnectedAfter` is shorter. Two lite
  /// agents do not find each other.
  bool lite = false;
  /// Refuse remote candidates on loopback, private and link-local addresses (server builds).
  bool denyPrivateRemotes = false;
};

/// RTCIceTransportState. Failed is left by `restart` only.
enum class IceConnectionState : uint8_t {
  New,
  Checking,
  Connected,
  Completed,
  Disconnected,
  Failed,
  Closed
};
PARLEY_EXPORT const char* toString(IceConnectionState state);

struct StateChanged {
  IceConnectionState state = IceConnectionState::New;
};
/// The path for data changed or vanished: ask `selectedPair()`.
struct SelectedPairChanged {};
/// A role conflict was resolved against us (or a lite peer forced us to be controlling).
struct RoleChanged {
  Role role = Role::Controlling;
};
using AgentEvent = std::variant<StateChanged, SelectedPairChanged, RoleChanged>;

enum class HandleResult : uint8_t {
  NotForUs,       ///< not STUN, another user fragment, or the answer to nothing we asked
  Dropped,        ///< for us but malformed, unauthentic or over a limit; counted
  Consumed,       ///< handled; proves nothing about the sender
  Authenticated,  ///< handled, and the sender proved to know our password: its tuple is the peer's
};

/// Where data goes.
struct SendPath {
  SocketId socket{};
  SocketAddress remote;
  IpAddress local;  ///< source address
  bool operator==(const SendPath&) const = default;
};

struct SelectedPair {
  SendPath path;
  Candidate local;
  Candidate remote;
  bool nominated = false;  ///< false while data already flows on a pair that merely works
  std::optional<Duration> rtt;
  uint32_t id = 0;  ///< PairStats::id
};

enum class PairState : uint8_t { Frozen, Waiting, InProgress, Succeeded, Failed };

struct PairStats {
  uint32_t id = 0;
  Candidate local;
  Candidate remote;
  PairState state = PairState::Frozen;
  uint64_t priority = 0;
  bool nominated = false;
  bool selected = false;
  uint64_t requestsSent = 0;  ///< retransmissions and consent requests included
  uint64_t requestsReceived = 0;
  uint64_t responsesSent = 0;
  uint64_t responsesReceived = 0;
  uint64_t consentRequestsSent = 0;
  std::optional<Duration> currentRtt;
  Duration totalRtt;
};

struct AgentCounters {
  uint64_t malformed = 0;    ///< not a STUN message, or without a right FINGERPRINT
  uint64_t unauthentic = 0;  ///< integrity missing or wrong
  uint64_t unknownUfrag = 0;
  uint64_t unmatched = 0;    ///< response to no request of ours
  uint64_t wrongSource = 0;  ///< response from elsewhere than the request went
  uint64_t overLimit = 0;    ///< candidates, pairs, errors beyond the limits
  uint64_t errorsSent = 0;
  uint64_t candidatesIgnored = 0;  ///< remote ones: bad address or name, other generation
  uint64_t notSent = 0;            ///< no packet buffer, or the transmit queue was full
};

/// An ICE agent, full or lite, for one component of one bundled stream. A machine (src/README.md):
/// no call blocks, calls back or reads a clock. Thread-compatible.
///
/// Order is free: candidates may come before or after credentials, checks of the peer before
/// either. Queues: 64 packets (further ones are dropped and counted; STUN repeats), 64 events
/// (further ones are lost; the getters always tell the truth).
class PARLEY_EXPORT Agent {
 public:
  Agent(Environment& environment, const AgentConfig& config, Credentials local);
  /// With generated credentials.
  Agent(Environment& environment, const AgentConfig& config);
  ~Agent();
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;

  const Credentials& localCredentials() const;
  Role role() const;
  IceConnectionState state() const;

  /// Starts checking. Other credentials than before without a `restart` are taken as a restart by
  /// the peer. `remoteLite`: the peer only answers, so we become controlling (RFC 8445
  /// section 6.1.1).
  void setRemoteCredentials(Credentials remote, bool remoteLite, Timestamp now);
  void setRole(Role role, Timestamp now);
  /// `socket` is where the candidate's packets enter and leave; each TCP candidate has one of its
  /// own, whose connections are not the agent's business: packets name the remote address.
  /// Reflexive candidates are not paired beside their base (RFC 8445 section 6.1.2.4); without
  /// their host candidate they stand for it.
  void addLocalCandidate(const Candidate& candidate, SocketId socket, Timestamp now);
  void setLocalEndOfCandidates(Timestamp now);
  /// Ignored (and counted) if its address or TCP port may not be sent to, its name is not an mDNS
  /// one, its ufrag is not the peer's, or there are too many.
  void addRemoteCandidate(const Candidate& candidate, Timestamp now);
  void setRemoteEndOfCandidates(Timestamp now);
  /// The socket is gone: its candidates and pairs go too.
  void removeSocket(SocketId socket, Timestamp now);
  /// The TCP connection of a candidate's socket to `remote` could not be made, or broke.
  void handleConnectionLost(SocketId socket, const SocketAddress& remote, Timestamp now);

  /// Begins a new generation (RFC 8445 section 9). Local candidates stay; remote credentials,
  /// remote candidates and both ends of candidates are awaited anew. The pair in use stays in use,
  /// with its old credentials, until a pair of the new generation is nominated.
  void restart(Credentials local, Timestamp now);
  /// Takes back a restart whose offer was rolled back before remote credentials came. False (and
  /// nothing done) if there is none to take back.
  bool rollbackRestart(Timestamp now);
  /// Stops everything. Silent; no more packets.
  void close(Timestamp now);

  /// Uses this pair for data as long as it works, whatever else is better or nominated; a
  /// controlling agent nominates it. What falls silent is left for others, and taken again when it
  /// comes back. 0 takes it back. Holds until the pair goes, or the generation ends. False (and
  /// nothing done) if there is no such pair.
  bool selectPair(uint32_t pair, Timestamp now);
  /// Gives the pair up for this generation: it is not checked again, checks and data that come over
  /// it are dropped. False if there is no such pair, or it is that of the former generation.
  bool removePair(uint32_t pair, Timestamp now);

  /// A datagram that looks like STUN, with its socket, source and local destination.
  HandleResult handleStun(SocketId socket, const SocketAddress& from, const SocketAddress& to,
                          ByteSpan datagram, Timestamp now);
  /// Answers a `Resolve` effect.
  void handleResolved(const Resolved& resolved, Timestamp now);
  /// Authentic data (DTLS, SRTP) came from the selected pair's remote address: it is alive.
  void noteReceived(Timestamp now);

  bool pollTransmit(TxPacket& out);
  /// `Resolve` of an mDNS name; its id is unique within this agent.
  bool pollEffect(Effect& out);
  bool pollEvent(AgentEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  /// From when on askForConsent() has an effect; never() without a selected pair. A driver of many
  /// agents lets several ask at once, so that it wakes up less often.
  Timestamp consentFrom() const;
  /// Sends the next request for consent now rather than at its time, unless the last one is too
  /// recent (RFC 7675 section 5.1: 4 s).
  void askForConsent(Timestamp now);

  /// Where to send data now; null while nothing works or consent is lost. Valid until the next
  /// call.
  const SendPath* sendPath() const;
  std::optional<SelectedPair> selectedPair() const;
  /// Measured last on the path for data.
  std::optional<Duration> pathRtt() const;
  /// After a restart: `sendPath` is still that of the generation before.
  bool usesFormerPath() const;
  /// True if the tuple is the peer's: it answered a check of ours or sent an authentic one. The
  /// gate for everything that is not STUN.
  bool isValidSource(SocketId socket, const SocketAddress& from) const;

  std::vector<PairStats> pairStats() const;
  std::vector<Candidate> localCandidates() const;
  std::vector<Candidate> remoteCandidates() const;
  const AgentCounters& counters() const;

 private:
  std::unique_ptr<class AgentCore> core_;
};

}  // namespace parley::ice
