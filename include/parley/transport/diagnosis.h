#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/dtls/connection.h"
#include "parley/ice/agent.h"
#include "parley/sctp/association.h"

// Why a connection came about, or did not. PeerTransport keeps a Timeline while it works and fills
// in DiagnosisFacts when asked; `judge` makes a verdict of them and nothing else.

namespace parley::transport {

/// What a Timeline remembers; `detail` and `value` are those of its entry.
enum class Milestone : uint8_t {
  GatheringStarted,
  CandidateFound,  ///< detail: CandidateKind
  ServerFailed,    ///< value: STUN error code, or 701
  GatheringDone,
  RemoteDescribed,
  RemoteCandidate,  ///< detail: CandidateKind
  RemoteEnd,
  IceState,    ///< detail: ice::IceConnectionState
  PathChosen,  ///< detail: CandidateKind of the local end; value: of the remote end
  PathLost,
  IceRestarted,
  DtlsState,  ///< detail: dtls::State; value: dtls::Reason
  SctpStarted,
  SctpState,  ///< detail: sctp::AssociationState
  FirstMediaSent,
  FirstMediaReceived,
  Closed,
};

/// Type, IP version and protocol of a candidate, packed.
class CandidateKind {
 public:
  CandidateKind() = default;
  explicit CandidateKind(uint8_t bits) : bits_(bits) {}
  PARLEY_EXPORT static CandidateKind of(const ice::Candidate& candidate);
  uint8_t bits() const { return bits_; }
  ice::CandidateType type() const { return static_cast<ice::CandidateType>(bits_ & 3); }
  bool isV6() const { return bits_ & 4; }
  bool isTcp() const { return bits_ & 8; }
  bool isName() const { return bits_ & 16; }  ///< mDNS: the version is not known
  PARLEY_EXPORT std::string toString() const;

 private:
  uint8_t bits_ = 0;
};

/// One thing that happened: 8 bytes, so that every connection can afford to remember.
struct TimelineEntry {
  uint32_t at = 0;  ///< tenths of a millisecond since the first entry; stops at five days
  Milestone what{};
  uint8_t detail = 0;
  uint16_t value = 0;

  Duration when() const { return Duration::micros(int64_t{at} * 100); }
  PARLEY_EXPORT std::string toString() const;
};

/// What happened first (a half) and last (the other); what lies between is counted and forgotten.
class PARLEY_EXPORT Timeline {
 public:
  static constexpr size_t kKept = 64;

  void note(Milestone what, Timestamp now, uint8_t detail = 0, uint16_t value = 0);
  std::vector<TimelineEntry> entries() const;
  /// How many were forgotten, between the first and the second half of `entries()`.
  uint64_t forgotten() const { return forgotten_; }
  /// Since the first entry; zero before it.
  Duration age(Timestamp now) const;

 private:
  std::vector<TimelineEntry> first_;
  std::vector<TimelineEntry> last_;  ///< a ring once it is full
  size_t oldest_ = 0;
  uint64_t forgotten_ = 0;
  Timestamp begin_ = Timestamp::never();
};

/// How many candidates of each type and IP version.
struct CandidateTally {
  std::array<std::array<uint16_t, 2>, 4> byType{};  ///< [ice::CandidateType][is IPv6]
  uint16_t names = 0;                               ///< hidden behind mDNS
  uint16_t tcp = 0;                                 ///< of those above

  PARLEY_EXPORT void add(CandidateKind kind);
  PARLEY_EXPORT size_t total() const;
  PARLEY_EXPORT size_t of(bool v6) const;
  PARLEY_EXPORT size_t of(ice::CandidateType type) const;
};

/// A STUN or TURN server that gave no candidate.
struct ServerProblem {
  std::string url;
  uint16_t code = 701;  ///< STUN error code, or 701: it was never reached
  std::string text;
  bool operator==(const ServerProblem&) const = default;
};

/// Media that a circuit breaker has stopped (RFC 8083).
struct StoppedStream {
  std::string mid;
  std::string rid;
  std::string reason;  ///< "media-timeout", "rtcp-timeout", "congestion"
};

/// What is known about a connection. Durations are ages at the time of asking.
struct DiagnosisFacts {
  bool closed = false;
  bool gathering = false;  ///< it has begun
  bool gathered = false;   ///< and has ended
  bool relayOnly = false;  ///< the policy
  size_t udpServers = 0;   ///< STUN and TURN servers to be reached by UDP
  size_t streamServers = 0;
  bool udpAnswered = false;  ///< one of them did, whatever it said
  CandidateTally local;
  CandidateTally remote;
  std::vector<ServerProblem> problems;
  bool described = false;  ///< the peer's description has come
  bool remoteEnded = false;

  ice::IceConnectionState ice = ice::IceConnectionState::New;
  Duration iceStateFor;
  uint64_t checksSent = 0;
  uint64_t checksAnswered = 0;
  uint64_t checksReceived = 0;
  uint64_t checksUnauthentic = 0;  ///< with a wrong password or user fragment
  size_t pairs = 0;
  bool hadPath = false;
  /// How long nothing had come from the peer when the path was given up, or now if it is quiet.
  std::optional<Duration> silence;
  std::optional<CandidateKind> pathLocal;
  std::optional<CandidateKind> pathRemote;
  std::optional<Duration> rtt;

  dtls::State dtls = dtls::State::New;
  dtls::Reason dtlsReason = dtls::Reason::None;
  std::optional<uint8_t> sentAlert;
  std::optional<uint8_t> receivedAlert;
  Duration dtlsStateFor;
  uint64_t dtlsReceived = 0;  ///< datagrams

  bool dataWanted = false;  ///< both descriptions have data channels
  sctp::AssociationState sctp = sctp::AssociationState::New;
  /// Retransmission timeouts in a row without anything acknowledged in between.
  uint32_t dataTimeouts = 0;
  size_t largestSent = 0;  ///< UDP payload of the largest datagram sent to the peer
  std::vector<StoppedStream> stoppedStreams;
};

/// The one reason, for programs: what each means in a case is in Verdict::text.
enum class VerdictCode : uint8_t {
  NotStarted,
  Connecting,
  Working,
  Closed,
  WaitingForPeer,  ///< no description of the peer has come
  NoLocalCandidates,
  NoRemoteCandidates,
  FamilyMismatch,  ///< one side has IPv6 only, the other IPv4 only
  UdpBlocked,
  RelayRefused,  ///< a TURN server answered with an error, and there is no other way
  ServersUnreachable,
  NamesUnresolved,  ///< all candidates of the peer are mDNS names that lead nowhere
  WrongPassword,    ///< the two sides use descriptions that do not belong together
  ChecksOneWay,
  ChecksTimeOut,
  PeerSilent,  ///< there is a path, and nothing comes from there now
  ConsentLost,
  FingerprintMismatch,
  PeerRefused,  ///< a fatal alert
  HandshakeTimeout,
  HandshakeFailed,
  NoSrtpProfile,
  MtuBlackHole,
  DataFailed,
};
PARLEY_EXPORT const char* toString(VerdictCode code);  ///< "udp-blocked"

/// Why a connection works or does not.
struct Verdict {
  VerdictCode code = VerdictCode::NotStarted;
  std::string text;  ///< one line
  bool operator==(const Verdict&) const = default;
};

/// The one reason that explains the facts best. Pure.
PARLEY_EXPORT Verdict judge(const DiagnosisFacts& facts);

/// What PeerConnection::diagnose() answers.
struct Diagnosis {
  /// With `others` that of the connection as a whole: see judgeTogether.
  Verdict verdict;
  std::vector<TimelineEntry> timeline;
  uint64_t forgotten = 0;  ///< see Timeline
  Duration age;            ///< since the first entry
  DiagnosisFacts facts;
  /// Where the peer does not bundle: the section that stands for this transport, and the other
  /// transports, which have no others.
  std::string mid{};
  std::vector<Diagnosis> others{};

  /// For people: the verdict, then a line per event.
  PARLEY_EXPORT std::string text() const;
  /// One JSON object: verdict, summary, age_s, timeline[{at_ms, event}], candidates, servers; with
  /// others also mid and others[], of the same form.
  PARLEY_EXPORT std::string json() const;
};

/// Of transports that make one connection: what is wrong with the first that has something wrong,
/// else what is not done yet, else that all work.
PARLEY_EXPORT Verdict judgeTogether(const Diagnosis& first);

}  // namespace parley::transport
