// What a transport remembers for the day that somebody asks why it does not work.

#include <algorithm>
#include <utility>

#include "parley/transport/peer_transport.h"
#include "parley/turn/transport.h"

namespace parley::transport {
namespace {

constexpr size_t kMaxProblems = 16;

bool isUdp(const ice::TurnServer& server) {
  return !turn::isStream(server.transport);
}

std::optional<Duration> since(Timestamp then, Timestamp now) {
  if (then.isNever()) return std::nullopt;
  return std::max(now - then, Duration());
}

}  // namespace

void PeerTransport::forgetGeneration(Timestamp now) {
  memory_.timeline.note(Milestone::IceRestarted, now);
  memory_.local = memory_.remote = {};
  memory_.problems.clear();
  memory_.described = memory_.remoteEnded = memory_.hadPath = false;
  memory_.silence.reset();
}

void PeerTransport::noteCandidate(const ice::Candidate& candidate, bool local, Timestamp now) {
  const CandidateKind kind = CandidateKind::of(candidate);
  (local ? memory_.local : memory_.remote).add(kind);
  memory_.timeline.note(local ? Milestone::CandidateFound : Milestone::RemoteCandidate, now,
                        kind.bits());
  if (local && candidate.relayProtocol == "udp") memory_.udpAnswered = true;
}

void PeerTransport::noteProblem(const ice::CandidateError& error, Timestamp now) {
  memory_.timeline.note(Milestone::ServerFailed, now, 0, error.code);
  ServerProblem problem{error.url, error.code, error.text};
  const bool known = std::find(memory_.problems.begin(), memory_.problems.end(), problem) !=
                     memory_.problems.end();
  if (!known && memory_.problems.size() < kMaxProblems)
    memory_.problems.push_back(std::move(problem));
  constexpr uint16_t kNotReached = 701;
  const auto& servers = config_.gatherer.turnServers;
  const bool answered = error.code != kNotReached;
  if (answered && std::any_of(servers.begin(), servers.end(), [&](const ice::TurnServer& server) {
        return server.url == error.url && isUdp(server);
      })) {
    memory_.udpAnswered = true;
  }
}

void PeerTransport::noteIceState(ice::IceConnectionState state, Timestamp now) {
  memory_.timeline.note(Milestone::IceState, now, static_cast<uint8_t>(state));
  memory_.iceSince = now;
  if (state == ice::IceConnectionState::Failed && memory_.hadPath)
    memory_.silence = since(memory_.heardAt, now);
}

void PeerTransport::notePath(Timestamp now) {
  const auto pair = agent_.selectedPair();
  if (!pair) {
    memory_.timeline.note(Milestone::PathLost, now);
    return;
  }
  memory_.hadPath = true;
  memory_.timeline.note(Milestone::PathChosen, now, CandidateKind::of(pair->local).bits(),
                        CandidateKind::of(pair->remote).bits());
}

void PeerTransport::noteDtls(const dtls::Event& event, Timestamp now) {
  memory_.dtls = event;
  memory_.dtlsSince = now;
  memory_.timeline.note(Milestone::DtlsState, now, static_cast<uint8_t>(event.state),
                        static_cast<uint16_t>(event.reason));
}

void PeerTransport::noteSctp(Timestamp now) {
  const sctp::AssociationState state = channels_->associationState();
  if (std::exchange(memory_.sctp, state) == state) return;
  memory_.timeline.note(Milestone::SctpState, now, static_cast<uint8_t>(state));
}

DiagnosisFacts PeerTransport::facts(Timestamp now) const {
  DiagnosisFacts out;
  out.closed = closed_;
  out.gathering = gathering_ != GatheringState::New;
  out.gathered = gathering_ == GatheringState::Complete;
  out.relayOnly = !config_.gatherer.hostAndReflexive;
  if (!out.relayOnly) out.udpServers = config_.gatherer.stunServers.size();
  for (const ice::TurnServer& server : config_.gatherer.turnServers)
    ++(isUdp(server) ? out.udpServers : out.streamServers);
  out.udpAnswered = memory_.udpAnswered || gatherer_.udpAnswered();
  out.local = memory_.local;
  out.remote = memory_.remote;
  out.problems = memory_.problems;
  out.described = memory_.described;
  out.remoteEnded = memory_.remoteEnded;

  out.ice = agent_.state();
  out.iceStateFor = since(memory_.iceSince, now).value_or(Duration());
  for (const ice::PairStats& pair : agent_.pairStats()) {
    ++out.pairs;
    out.checksSent += pair.requestsSent;
    out.checksAnswered += pair.responsesReceived;
    out.checksReceived += pair.requestsReceived;
  }
  out.checksUnauthentic = agent_.counters().unauthentic + agent_.counters().unknownUfrag;
  out.hadPath = memory_.hadPath;
  out.silence = memory_.silence ? memory_.silence : since(memory_.heardAt, now);
  if (const auto pair = agent_.selectedPair()) {
    out.pathLocal = CandidateKind::of(pair->local);
    out.pathRemote = CandidateKind::of(pair->remote);
    out.rtt = pair->rtt;
  }

  out.dtls = dtls_->state();
  // The association may be younger than the last event; its end is told by an event only.
  if (out.dtls == memory_.dtls.state || memory_.dtls.state == dtls::State::Failed) {
    out.dtls = memory_.dtls.state;
    out.dtlsReason = memory_.dtls.reason;
    out.sentAlert = memory_.dtls.sentAlert;
    out.receivedAlert = memory_.dtls.receivedAlert;
  }
  out.dtlsStateFor = since(memory_.dtlsSince, now).value_or(Duration());
  out.dtlsReceived = dtls_->counters().datagramsReceived;

  out.dataWanted = sctpRemotePort_.has_value();
  out.sctp = channels_->associationState();
  const sctp::AssociationStats stats = channels_->associationStats();
  if (stats.bytesInFlight > 0 || stats.unackedChunks > 0)
    out.dataTimeouts = stats.unansweredTimeouts;
  out.largestSent = memory_.largestSent;
  return out;
}

Diagnosis PeerTransport::diagnose(Timestamp now) const {
  Diagnosis out;
  out.facts = facts(now);
  out.verdict = judge(out.facts);
  out.timeline = memory_.timeline.entries();
  out.forgotten = memory_.timeline.forgotten();
  out.age = memory_.timeline.age(now);
  return out;
}

}  // namespace parley::transport
