// What the facts about a connection mean.

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "parley/base/text.h"
#include "parley/transport/diagnosis.h"

namespace parley::transport {
namespace {

using ice::CandidateType;
using ice::IceConnectionState;

constexpr uint16_t kNotReached = 701;
/// UDP and IPv4 headers: what the network counts on top of a datagram.
constexpr size_t kHeaders = 28;
/// In a row; with 300 ms, doubled each time, they take 4.5 s at the least.
constexpr uint32_t kTimeoutsOfABlackHole = 4;
constexpr Duration kLongHandshake = Duration::seconds(3);

std::string seconds(Duration d) {
  return std::to_string((d.millis() + 500) / 1000) + " s";
}

/// "TURN/TLS", "STUN": as which servers are spoken of.
const char* kindOf(const std::string& url) {
  const bool tcp = url.find("transport=tcp") != std::string::npos;
  if (url.starts_with("turns:"))
    return url.find("transport=udp") != std::string::npos ? "TURN/DTLS" : "TURN/TLS";
  if (url.starts_with("turn:")) return tcp ? "TURN/TCP" : "TURN/UDP";
  return "STUN";
}

bool isStream(const ServerProblem& problem) {
  const std::string kind = kindOf(problem.url);
  return kind == "TURN/TLS" || kind == "TURN/TCP";
}

std::string meaningOf(const ServerProblem& problem) {
  switch (problem.code) {
    case 401:
    case 441:
      return "wrong credentials";
    case 403:
      return "forbidden";
    case 438:
      return "its nonces never hold";
    case 486:
      return "the user's quota is used up";
    case 508:
      return "no capacity left";
    case 300:
      return "it refers to another server";
    default:
      return problem.text.empty() ? "error" : problem.text;
  }
}

std::string wordsOf(const ServerProblem& problem) {
  if (problem.code == kNotReached)
    return std::string(kindOf(problem.url)) + " was not reached: " + problem.text;
  return std::string(kindOf(problem.url)) + " answered " + std::to_string(problem.code) + ": " +
         meaningOf(problem);
}

const ServerProblem* firstRefusal(const DiagnosisFacts& facts) {
  // The transport that gets furthest is the one to mend.
  const ServerProblem* found = nullptr;
  for (const ServerProblem& problem : facts.problems) {
    if (problem.code == kNotReached || !std::string_view(kindOf(problem.url)).starts_with("TURN"))
      continue;
    if (!found || (isStream(problem) && !isStream(*found))) found = &problem;
  }
  return found;
}

/// No datagram of anybody ever came back, and a server reached over TCP proves that there is a
/// network.
bool isUdpBlocked(const DiagnosisFacts& facts) {
  if (facts.udpServers == 0 || facts.udpAnswered || facts.checksAnswered > 0 ||
      facts.checksReceived > 0 || !facts.gathered) {
    return false;
  }
  const size_t unreachable = static_cast<size_t>(
      std::count_if(facts.problems.begin(), facts.problems.end(),
                    [](const ServerProblem& p) { return isStream(p) && p.code == kNotReached; }));
  return facts.streamServers > unreachable;
}

bool areServersUnreachable(const DiagnosisFacts& facts) {
  const bool any = facts.udpServers + facts.streamServers > 0;
  const bool none = std::all_of(facts.problems.begin(), facts.problems.end(),
                                [](const ServerProblem& p) { return p.code == kNotReached; });
  return any && none && !facts.problems.empty() && !facts.udpAnswered && facts.gathered &&
         facts.local.of(CandidateType::Relay) == 0;
}

const char* familyOf(const CandidateTally& tally) {
  return tally.of(true) > 0 ? "IPv6" : "IPv4";
}

std::optional<Verdict> withoutCandidates(const DiagnosisFacts& facts) {
  if (facts.local.total() == 0 && facts.gathered) {
    if (const ServerProblem* refusal = firstRefusal(facts))
      return Verdict{VerdictCode::RelayRefused, wordsOf(*refusal)};
    if (facts.relayOnly) {
      return Verdict{VerdictCode::NoLocalCandidates,
                     facts.problems.empty()
                         ? "no candidates: relay-only without a TURN server"
                         : "no candidates: relay-only, and " + wordsOf(facts.problems.front())};
    }
    return Verdict{VerdictCode::NoLocalCandidates,
                   "no candidates of our own: no network, or all addresses are filtered out"};
  }
  if (facts.remote.total() == 0 && facts.checksReceived == 0) {
    return Verdict{VerdictCode::NoRemoteCandidates, "no candidate pairs: the remote gave none"};
  }
  return std::nullopt;
}

std::optional<Verdict> withoutCommonFamily(const DiagnosisFacts& facts) {
  if (facts.remote.names > 0 || facts.remote.total() == 0 || facts.local.total() == 0)
    return std::nullopt;
  for (const bool v6 : {false, true}) {
    if (facts.local.of(v6) > 0 && facts.remote.of(v6) > 0) return std::nullopt;
  }
  return Verdict{VerdictCode::FamilyMismatch,
                 std::string("only ") + familyOf(facts.local) + " on our side and only " +
                     familyOf(facts.remote) + " on the other: a TURN server with both would help"};
}

/// There are pairs and none of them ever worked.
Verdict withoutPath(const DiagnosisFacts& facts) {
  if (isUdpBlocked(facts)) {
    std::string text = "UDP blocked";
    if (const ServerProblem* refusal = firstRefusal(facts)) {
      text += "; " + wordsOf(*refusal);
    } else if (facts.streamServers == 0) {
      text += ", and no TURN server over TCP or TLS";
    }
    return {VerdictCode::UdpBlocked, std::move(text)};
  }
  if (auto verdict = withoutCandidates(facts)) return *verdict;
  if (auto verdict = withoutCommonFamily(facts)) return *verdict;
  if (const ServerProblem* refusal = firstRefusal(facts);
      refusal && facts.local.of(CandidateType::Relay) == 0) {
    return {VerdictCode::RelayRefused, "no direct path; " + wordsOf(*refusal)};
  }
  if (facts.checksUnauthentic > 0 && facts.checksAnswered == 0) {
    return {VerdictCode::WrongPassword,
            "checks come with a wrong password: the descriptions of the two sides do not belong "
            "together"};
  }
  if (facts.checksReceived > 0 && facts.checksAnswered == 0) {
    return {VerdictCode::ChecksOneWay,
            "checks of the peer arrive, answers to ours do not: a firewall lets packets through "
            "one way only"};
  }
  if (areServersUnreachable(facts)) {
    return {VerdictCode::ServersUnreachable,
            "checks time out, and no STUN or TURN server answers: UDP blocked, or no way out of "
            "this network"};
  }
  if (facts.remote.names > 0 && facts.remote.names == facts.remote.total() && facts.pairs == 0) {
    return {VerdictCode::NamesUnresolved,
            "the peer hides all its addresses behind mDNS names, which do not resolve here: it is "
            "not on this network"};
  }
  const bool anyRelay =
      facts.local.of(CandidateType::Relay) > 0 || facts.remote.of(CandidateType::Relay) > 0;
  return {VerdictCode::ChecksTimeOut, anyRelay
                                          ? "checks time out, over the relay too: the TURN server "
                                            "cannot reach the peer, or the peer is gone"
                                          : "checks time out: firewall or NAT without TURN"};
}

std::optional<Verdict> ofHandshake(const DiagnosisFacts& facts) {
  constexpr uint8_t kBadCertificate = 42;
  constexpr uint8_t kCertificateUnknown = 46;
  if (facts.dtls == dtls::State::Closed && facts.dtlsReason == dtls::Reason::RemoteClose)
    return Verdict{VerdictCode::Closed, "the peer has closed the connection"};
  if (facts.dtls != dtls::State::Failed) return std::nullopt;
  switch (facts.dtlsReason) {
    case dtls::Reason::CertificateRejected:
      return Verdict{VerdictCode::FingerprintMismatch,
                     "fingerprint mismatch: the peer's certificate is not the one that its "
                     "description names"};
    case dtls::Reason::PeerAlert:
      if (facts.receivedAlert == kBadCertificate || facts.receivedAlert == kCertificateUnknown) {
        return Verdict{VerdictCode::FingerprintMismatch,
                       "fingerprint mismatch: the peer does not take our certificate for the one "
                       "that our description names"};
      }
      return Verdict{VerdictCode::PeerRefused, "the peer ended the DTLS handshake with alert " +
                                                   std::to_string(facts.receivedAlert.value_or(0))};
    case dtls::Reason::HandshakeTimeout:
      return Verdict{VerdictCode::HandshakeTimeout,
                     facts.dtlsReceived == 0
                         ? "DTLS handshake timed out: checks pass, and no DTLS packet ever came"
                         : "DTLS handshake timed out: some of its packets do not get through"};
    case dtls::Reason::NoSrtpProfile:
      return Verdict{VerdictCode::NoSrtpProfile, "no SRTP protection profile in common"};
    default:
      return Verdict{VerdictCode::HandshakeFailed,
                     "DTLS handshake failed: " + std::string(dtls::toString(facts.dtlsReason))};
  }
}

/// ICE has a path.
Verdict withPath(const DiagnosisFacts& facts) {
  if (facts.dtls != dtls::State::Connected) {
    if (facts.dtls == dtls::State::Connecting && facts.dtlsStateFor > kLongHandshake) {
      return {VerdictCode::HandshakeTimeout,
              "connected by ICE, and the DTLS handshake has gone on for " +
                  seconds(facts.dtlsStateFor) +
                  (facts.dtlsReceived == 0 ? ": no DTLS packet of the peer has come" : "")};
    }
    return {VerdictCode::Connecting, "connected by ICE; the DTLS handshake goes on"};
  }
  if (facts.dataTimeouts >= kTimeoutsOfABlackHole) {
    return {VerdictCode::MtuBlackHole, "MTU black hole: small packets arrive, packets of " +
                                           std::to_string(facts.largestSent + kHeaders) +
                                           " bytes do not"};
  }
  if (facts.dataWanted && facts.sctp == sctp::AssociationState::Failed)
    return {VerdictCode::DataFailed, "connected, but the SCTP association has ended"};
  std::string text = "connected";
  if (facts.pathLocal && facts.pathRemote) {
    text += ": " + facts.pathLocal->toString() + " to " + facts.pathRemote->toString();
    if (facts.rtt) text += ", round trip " + std::to_string(facts.rtt->millis()) + " ms";
  }
  return {VerdictCode::Working, std::move(text)};
}

}  // namespace

const char* toString(VerdictCode code) {
  constexpr std::array kNames = {"not-started",
                                 "connecting",
                                 "working",
                                 "closed",
                                 "waiting-for-peer",
                                 "no-local-candidates",
                                 "no-remote-candidates",
                                 "family-mismatch",
                                 "udp-blocked",
                                 "relay-refused",
                                 "servers-unreachable",
                                 "names-unresolved",
                                 "wrong-password",
                                 "checks-one-way",
                                 "checks-time-out",
                                 "peer-silent",
                                 "consent-lost",
                                 "fingerprint-mismatch",
                                 "peer-refused",
                                 "handshake-timeout",
                                 "handshake-failed",
                                 "no-srtp-profile",
                                 "mtu-black-hole",
                                 "data-failed"};
  static_assert(kNames.size() == static_cast<size_t>(VerdictCode::DataFailed) + 1);
  return kNames[static_cast<size_t>(code)];
}

Verdict judge(const DiagnosisFacts& facts) {
  if (facts.closed) return {VerdictCode::Closed, "closed"};
  if (auto verdict = ofHandshake(facts)) return *verdict;
  if (!facts.gathering && !facts.described)
    return {VerdictCode::NotStarted, "not started: no description has been set"};
  switch (facts.ice) {
    case IceConnectionState::Connected:
    case IceConnectionState::Completed:
      return withPath(facts);
    case IceConnectionState::Disconnected:
      return {VerdictCode::PeerSilent,
              facts.silence ? "nothing has come from the peer for " + seconds(*facts.silence)
                            : "nothing comes from the peer"};
    case IceConnectionState::Failed:
      if (facts.hadPath) {
        return {VerdictCode::ConsentLost, facts.silence
                                              ? "consent lost after " + seconds(*facts.silence)
                                              : "consent lost: the network of one side is gone"};
      }
      return withoutPath(facts);
    case IceConnectionState::Closed:
      return {VerdictCode::Closed, "closed"};
    case IceConnectionState::New:
    case IceConnectionState::Checking:
      break;
  }
  // What is wrong on this side shows without a peer.
  if (facts.gathered && facts.local.total() == 0) return withoutPath(facts);
  if (!facts.described) {
    return {VerdictCode::WaitingForPeer, "no description of the peer has come"};
  }
  constexpr Duration kPatience = Duration::seconds(5);
  if (facts.iceStateFor < kPatience) return {VerdictCode::Connecting, "looking for a path"};
  Verdict verdict = withoutPath(facts);
  verdict.text = "no path yet: " + verdict.text;
  return verdict;
}

namespace {

/// 0: it works; 1: not yet; 2: it does not.
int badness(VerdictCode code) {
  switch (code) {
    case VerdictCode::Working:
    case VerdictCode::Closed:
      return 0;
    case VerdictCode::NotStarted:
    case VerdictCode::Connecting:
    case VerdictCode::WaitingForPeer:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

Verdict judgeTogether(const Diagnosis& first) {
  Verdict worst = judge(first.facts);
  if (first.others.empty()) return worst;
  const std::string* mid = &first.mid;
  for (const Diagnosis& other : first.others) {
    const Verdict verdict = judge(other.facts);
    if (badness(verdict.code) <= badness(worst.code)) continue;
    worst = verdict;
    mid = &other.mid;
  }
  if (badness(worst.code) > 0) {
    worst.text = "section \"" + *mid + "\": " + worst.text;
  } else {
    worst.text += ", the first of " + std::to_string(first.others.size() + 1) + " transports";
  }
  return worst;
}

}  // namespace parley::transport
