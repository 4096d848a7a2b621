// Named like a test so that it is built into the tests of this layer.
#include "unit/ice/agent_world.h"

#include <utility>

namespace parley::ice {

Peer::Peer(AgentWorld& world, std::string peerName, uint64_t seed, AgentConfig config)
    : name(std::move(peerName)), random(seed), agent(env, config), world_(world) {}

Candidate Peer::addHost(const std::string& address, const std::string& outside,
                        uint16_t localPreference) {
  const SocketAddress inside = *SocketAddress::parse(address);
  const SocketAddress shown = outside.empty() ? inside : *SocketAddress::parse(outside);
  const SocketId socket(++lastSocket_);
  world_.ports_[shown] = {this, socket, inside, !outside.empty(), {}};
  world_.outside_[{this, socket}] = shown;

  Candidate candidate;
  candidate.foundation = std::to_string(lastSocket_);
  candidate.type = CandidateType::Host;
  candidate.address = inside;
  candidate.priority = candidatePriority(CandidateType::Host, localPreference);
  candidate.ufrag = agent.localCredentials().ufrag;
  candidates.push_back(candidate);
  agent.addLocalCandidate(candidate, socket, world_.now);
  return candidate;
}

Peer& AgentWorld::add(std::string name, AgentConfig config) {
  peers_.push_back(std::make_unique<Peer>(*this, std::move(name), random_.u64(), config));
  return *peers_.back();
}

void AgentWorld::signal(Peer& from, Peer& to) {
  to.agent.setRemoteCredentials(from.agent.localCredentials(), false, now);
  for (Candidate candidate : from.candidates) {
    candidate.ufrag = from.agent.localCredentials().ufrag;
    to.agent.addRemoteCandidate(candidate, now);
  }
}

void AgentWorld::introduce(Peer& a, Peer& b) {
  signal(a, b);
  signal(b, a);
}

void AgentWorld::drain(Peer& peer) {
  TxPacket packet;
  while (peer.agent.pollTransmit(packet)) send(peer, std::move(packet));
  AgentEvent event;
  while (peer.agent.pollEvent(event)) {
    if (const auto* changed = std::get_if<StateChanged>(&event)) {
      peer.states.push_back(changed->state);
    } else if (std::holds_alternative<SelectedPairChanged>(event)) {
      ++peer.pairChanges;
    } else {
      ++peer.roleChanges;
    }
  }
  Effect effect;
  while (peer.agent.pollEffect(effect)) {
    if (const auto* resolve = std::get_if<Resolve>(&effect)) {
      peer.resolves.push_back(resolve->host);
      peer.resolveIds.push_back(resolve->id);
    }
  }
}

void AgentWorld::send(Peer& peer, TxPacket packet) {
  ++datagrams;
  ++peer.packetsSent;
  peer.sentAt.push_back(now);
  ASSERT_LE(packet.data.size(), 576u);
  const auto at = outside_.find({&peer, packet.socket});
  if (at == outside_.end()) return;
  const SocketAddress from = at->second;
  trace.push_back({now, from, packet.to, packet.data.size()});
  ports_[from].contacted.insert(packet.to);
  if (pass && !pass(from, packet.to, packet.data.span())) return;
  if (random_.unit() < loss) return;
  const Duration extra = jitter * random_.unit();
  flights_.emplace(now + delay + extra, Flight{from, packet.to, toBytes(packet.data.span())});
}

void AgentWorld::deliver(const Flight& flight) {
  const auto at = ports_.find(flight.to);
  if (at == ports_.end()) return;
  const Port& port = at->second;
  if (port.nat && !port.contacted.contains(flight.from)) return;
  ++delivered;
  port.peer->agent.handleStun(port.socket, flight.from, port.inside, flight.bytes, now);
}

bool AgentWorld::runUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now + limit;
  for (;;) {
    for (const auto& peer : peers_) drain(*peer);
    if (done()) return true;
    Timestamp next = flights_.empty() ? Timestamp::never() : flights_.begin()->first;
    for (const auto& peer : peers_) next = earliest(next, peer->agent.nextDeadline());
    if (next > end) {
      now = end;
      return false;
    }
    now = std::max(now, next);
    while (!flights_.empty() && flights_.begin()->first <= now) {
      const Flight flight = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      deliver(flight);
    }
    for (const auto& peer : peers_) {
      if (nervous) peer->agent.advance(now - Duration::seconds(1));
      peer->agent.advance(now);
      if (nervous) peer->agent.advance(now);
      EXPECT_GT(peer->agent.nextDeadline(), now) << peer->name;
    }
  }
}

}  // namespace parley::ice
