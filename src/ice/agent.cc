#include "parley/ice/agent.h"

#include <utility>

#include "parley/base/machine.h"

#include "ice/agent_core.h"

namespace parley::ice {

static_assert(Machine<Agent>);

const char* toString(IceConnectionState state) {
  switch (state) {
    case IceConnectionState::New:
      return "new";
    case IceConnectionState::Checking:
      return "checking";
    case IceConnectionState::Connected:
      return "connected";
    case IceConnectionState::Completed:
      return "completed";
    case IceConnectionState::Disconnected:
      return "disconnected";
    case IceConnectionState::Failed:
      return "failed";
    case IceConnectionState::Closed:
      return "closed";
  }
  return "?";
}

Agent::Agent(Environment& environment, const AgentConfig& config, Credentials local)
    : core_(std::make_unique<AgentCore>(environment, config, std::move(local))) {}
Agent::Agent(Environment& environment, const AgentConfig& config)
    : Agent(environment, config, Credentials::generate(environment.random)) {}
Agent::~Agent() = default;
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;

const Credentials& Agent::localCredentials() const {
  return core_->localCredentials();
}
Role Agent::role() const {
  return core_->role();
}
IceConnectionState Agent::state() const {
  return core_->state();
}
void Agent::setRemoteCredentials(Credentials remote, bool remoteLite, Timestamp now) {
  core_->setRemoteCredentials(std::move(remote), remoteLite, now);
}
void Agent::setRole(Role role, Timestamp now) {
  core_->setRole(role, now);
}
void Agent::addLocalCandidate(const Candidate& candidate, SocketId socket, Timestamp now) {
  core_->addLocalCandidate(candidate, socket, now);
}
void Agent::setLocalEndOfCandidates(Timestamp now) {
  core_->setLocalEndOfCandidates(now);
}
void Agent::addRemoteCandidate(const Candidate& candidate, Timestamp now) {
  core_->addRemoteCandidate(candidate, now);
}
void Agent::setRemoteEndOfCandidates(Timestamp now) {
  core_->setRemoteEndOfCandidates(now);
}
void Agent::removeSocket(SocketId socket, Timestamp now) {
  core_->removeSocket(socket, now);
}
void Agent::handleConnectionLost(SocketId socket, const SocketAddress& remote, Timestamp now) {
  core_->handleConnectionLost(socket, remote, now);
}
void Agent::restart(Credentials local, Timestamp now) {
  core_->restart(std::move(local), now);
}
bool Agent::rollbackRestart(Timestamp now) {
  return core_->rollbackRestart(now);
}
bool Agent::selectPair(uint32_t pair, Timestamp now) {
  return core_->selectPair(pair, now);
}
bool Agent::removePair(uint32_t pair, Timestamp now) {
  return core_->removePair(pair, now);
}
std::optional<Duration> Agent::pathRtt() const {
  return core_->pathRtt();
}
void Agent::close(Timestamp now) {
  core_->close(now);
}
HandleResult Agent::handleStun(SocketId socket, const SocketAddress& from, const SocketAddress& to,
                               ByteSpan datagram, Timestamp now) {
  return core_->handleStun(socket, from, to, datagram, now);
}
void Agent::handleResolved(const Resolved& resolved, Timestamp now) {
  core_->handleResolved(resolved, now);
}
void Agent::noteReceived(Timestamp now) {
  core_->noteReceived(now);
}
bool Agent::pollTransmit(TxPacket& out) {
  return core_->pollTransmit(out);
}
bool Agent::pollEffect(Effect& out) {
  return core_->pollEffect(out);
}
bool Agent::pollEvent(AgentEvent& out) {
  return core_->pollEvent(out);
}
void Agent::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp Agent::nextDeadline() const {
  return core_->nextDeadline();
}
Timestamp Agent::consentFrom() const {
  return core_->consentFrom();
}
void Agent::askForConsent(Timestamp now) {
  core_->askForConsent(now);
}
const SendPath* Agent::sendPath() const {
  return core_->sendPath();
}
std::optional<SelectedPair> Agent::selectedPair() const {
  return core_->selectedPair();
}
bool Agent::usesFormerPath() const {
  return core_->usesFormerPath();
}
bool Agent::isValidSource(SocketId socket, const SocketAddress& from) const {
  return core_->isValidSource(socket, from);
}
std::vector<PairStats> Agent::pairStats() const {
  return core_->pairStats();
}
std::vector<Candidate> Agent::localCandidates() const {
  return core_->localCandidates();
}
std::vector<Candidate> Agent::remoteCandidates() const {
  return core_->remoteCandidates();
}
const AgentCounters& Agent::counters() const {
  return core_->counters();
}

}  // namespace parley::ice
