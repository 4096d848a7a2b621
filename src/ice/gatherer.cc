#include "parley/ice/gatherer.h"

#include <algorithm>
#include <utility>

#include "parley/base/machine.h"

#include "ice/address_selection.h"
#include "ice/gatherer_core.h"

namespace parley::ice {
namespace {

static_assert(Machine<Gatherer>);

constexpr size_t kMaxServers = 8;

}  // namespace

GathererCore::GathererCore(Environment& environment, IdAllocator& ids, GathererConfig config)
    : env_(environment),
      ids_(ids),
      config_(std::move(config)),
      relays_(environment, ids, config_),
      tcp_(environment, ids, config_),
      pacing_(config_.pacing) {
  if (config_.mapPorts && config_.hostAndReflexive) {
    mapper_.emplace(environment, ids);
    upnp_.emplace(environment, ids);
  }
  listServers();
}

void GathererCore::listServers() {
  // What was looked up before is known still.
  const std::vector<Server> former = std::exchange(servers_, {});
  for (const StunServer& server : config_.stunServers) {
    if (servers_.size() == kMaxServers) break;
    servers_.emplace_back().config = server;
  }
  for (const TurnServer& server : config_.turnServers) {
    const bool known = std::any_of(servers_.begin(), servers_.end(), [&](const Server& s) {
      return s.config.host == server.host && s.config.port == server.port;
    });
    if (servers_.size() == kMaxServers || known || server.transport != turn::Transport::Udp)
      continue;
    servers_.emplace_back().config = {server.host, server.port, server.url, true};
  }
  for (Server& server : servers_) {
    const auto same = std::find_if(former.begin(), former.end(), [&](const Server& s) {
      return s.config.host == server.config.host && s.config.port == server.config.port;
    });
    if (same == former.end()) continue;
    const StunServer config = server.config;
    server = *same;
    server.config = config;
  }
}

void GathererCore::reconfigure(GathererConfig config) {
  config_.stunServers = std::move(config.stunServers);
  config_.turnServers = std::move(config.turnServers);
  config_.turnMobility = config.turnMobility;
  config_.hostAndReflexive = config.hostAndReflexive;
  config_.tellHosts = config.tellHosts;
  reconfigured_ = true;
  if (started_) return;
  listServers();
  relays_.reconfigure();
}

void GathererCore::start(Timestamp now) {
  now = clock_.clamp(now);
  if (started_ || closed_) return;
  started_ = true;
  if (!config_.hostAndReflexive) {
    servers_.clear();
    config_.sockets.clear();
  }
  for (Server& server : servers_) lookUp(server, now);
  for (const BoundSocket& bound : config_.sockets) {
    if (sockets_.size() == kMaxHostAddresses) break;
    Socket& socket = sockets_.emplace_back();
    socket.id = bound.socket;
    socket.local = bound.local;
    socket.rank = nextRank_++;
    socket.open = true;
    socket.owned = false;
    tellHost(sockets_.back());
  }
  addressesKnown_ = !config_.sockets.empty() || (!config_.hostAndReflexive && relays_.empty());
  relays_.start(!addressesKnown_, now);
  if (!addressesKnown_) {
    addressesBy_ = now + config_.patience;
    effects_.push(WatchInterfaces{});
  }
  pump(now);
}

void GathererCore::restart(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  if (!started_) {
    start(now);
    return;
  }
  done_ = false;
  keepalives_ = config_.hostAndReflexive;
  requests_.clear();
  if (std::exchange(reconfigured_, false)) {
    listServers();
    relays_.reconfigure();
  }
  if (!config_.hostAndReflexive) servers_.clear();
  for (Socket& socket : sockets_) {
    socket.mapped.clear();
    if (!socket.open || !config_.hostAndReflexive) continue;
    tellHost(socket);
    tellForwarded(socket);
  }
  for (Server& server : servers_) {
    if (server.addresses.empty() && !server.pending) lookUp(server, now);
  }
  tcp_.restart();
  relays_.restart(now);
  pump(now);
}

void GathererCore::lookUp(Server& server, Timestamp now) {
  if (const auto ip = IpAddress::parse(server.config.host)) {
    server.addresses.push_back({*ip, server.config.port});
    return;
  }
  server.resolve = ids_.nextResolve();
  server.pending = true;
  server.giveUpAt = now + config_.patience;
  effects_.push(Resolve{server.resolve, server.config.host});
}

void GathererCore::close(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  closed_ = true;
  effects_.clear();
  transmits_.clear();
  for (const Socket& socket : sockets_) {
    if (socket.owned) effects_.push(CloseSocket{socket.id});
  }
  sockets_.clear();
  requests_.clear();
  tcp_.close();
  closeRelays(now);
}

bool GathererCore::handleStream(StreamBytes&& bytes, Timestamp now) {
  now = clock_.clamp(now);
  if (upnp_ && upnp_->handleStream(bytes.socket, bytes.data.span(), now)) {
    pump(now);
    return true;
  }
  if (!relays_.owns(bytes.socket)) return tcp_.links().handleStream(std::move(bytes), now);
  const bool ours = relays_.handleStream(std::move(bytes), now);
  pump(now);
  return ours;
}

void GathererCore::handleFromServer(Datagram&& datagram, Timestamp now) {
  now = clock_.clamp(now);
  if (!upnp_ || !upnp_->handleDatagram(datagram.socket, datagram.from, datagram.data.span(), now))
    relays_.handleDatagram(std::move(datagram), now);
  // It may have been what gathering waited for.
  pump(now);
}

bool GathererCore::handlePressure(const StreamPressure& pressure, Timestamp now) {
  return relays_.handlePressure(pressure, now) || tcp_.links().handlePressure(pressure);
}

void GathererCore::stopKeepalives() {
  keepalives_ = false;
  for (Request& request : requests_) request.refreshAt = Timestamp::never();
}

bool GathererCore::handleResolved(const Resolved& resolved, Timestamp now) {
  now = clock_.clamp(now);
  if (relays_.handleResolved(resolved, now) ||
      (mapper_ && mapper_->handleResolved(resolved, now))) {
    pump(now);
    return true;
  }
  const auto server = std::find_if(servers_.begin(), servers_.end(), [&](const Server& s) {
    return s.resolve == resolved.id && s.resolve != ResolveId{};
  });
  if (server == servers_.end() || closed_) return false;
  if (!server->pending) return true;
  server->pending = false;
  for (const IpAddress& ip : resolved.addresses) {
    const bool have =
        std::any_of(server->addresses.begin(), server->addresses.end(),
                    [&](const SocketAddress& a) { return a.ip.family() == ip.family(); });
    if (!have) server->addresses.push_back({ip, server->config.port});
  }
  if (server->addresses.empty() && !server->config.quiet) {
    events_.push(CandidateError{{}, server->config.url, kNotReached, "STUN host lookup failed"});
  }
  pump(now);
  return true;
}

void GathererCore::tellHost(Socket& socket) {
  if (!config_.tellHosts) return;
  bool isForwarded = false;
  for (const IpAddress& ip : config_.announced) {
    if (ip.family() != socket.local.ip.family() || socket.local.ip.isLoopback()) continue;
    isForwarded = true;
    tellHost(socket, {ip, socket.local.port});
  }
  if (!isForwarded) tellHost(socket, socket.local);
}

void GathererCore::tellHost(Socket& socket, const SocketAddress& address) {
  // The same port on several addresses is forwarded to one of them.
  for (const Socket& other : sockets_) {
    if (&other != &socket &&
        std::find(other.told.begin(), other.told.end(), address) != other.told.end())
      return;
  }
  if (std::find(socket.told.begin(), socket.told.end(), address) == socket.told.end())
    socket.told.push_back(address);
  Candidate candidate;
  candidate.type = CandidateType::Host;
  candidate.address = address;
  candidate.foundation = foundation(CandidateType::Host, socket.local.ip, {});
  candidate.priority =
      candidatePriority(CandidateType::Host, static_cast<uint16_t>(65535 - socket.rank));
  candidate.base = socket.local;
  events_.push(CandidateGathered{std::move(candidate), socket.id});
}

/// A forwarded port is one more server-reflexive address, and the one that lets anybody in.
void GathererCore::tellForwarded(Socket& socket) {
  if (socket.forwarded) tellReflexive(socket, *socket.forwarded, kMaxServers, "router", {});
}

void GathererCore::handleMapping(const PortMapperEvent& event) {
  const auto* mapped = std::get_if<PortMapped>(&event);
  const auto* gone = std::get_if<PortUnmapped>(&event);
  const auto* refused = std::get_if<PortRefused>(&event);
  Socket* socket = findSocket(mapped    ? mapped->socket
                              : gone    ? gone->socket
                              : refused ? refused->socket
                                        : SocketId{});
  if (!socket) return;
  if (refused) {
    upnp_->add(socket->id, socket->local, clock_.last());
    return;
  }
  socket->forwarded.reset();
  if (!mapped) return;
  socket->forwarded = mapped->external;
  tellForwarded(*socket);
}

void GathererCore::pumpMappers() {
  if (!mapper_) return;
  PortMapperEvent event;
  while (mapper_->pollEvent(event) || upnp_->pollEvent(event)) handleMapping(event);
}

void GathererCore::closeRelays(Timestamp now) {
  relays_.close(now);
  if (!mapper_) return;
  mapper_->close(clock_.clamp(now));
  upnp_->close(clock_.last());
}

void GathererCore::tellReflexive(Socket& socket, const SocketAddress& mapped, size_t server,
                                 const std::string& from, const std::string& url) {
  // RFC 8445 section 5.1.3: redundant if it equals the base or another candidate with that base.
  // A hidden host is told by what a server sees of it, be it the same address.
  if ((mapped == socket.local && !config_.hideHosts) || !isAcceptableRemote(mapped, false) ||
      std::find(socket.mapped.begin(), socket.mapped.end(), mapped) != socket.mapped.end() ||
      socket.mapped.size() >= kMaxServers) {
    return;
  }
  socket.mapped.push_back(mapped);
  Candidate candidate;
  candidate.type = CandidateType::ServerReflexive;
  candidate.address = mapped;
  candidate.base = socket.local;
  candidate.relatedAddress =
      config_.tellHosts ? socket.local : SocketAddress{IpAddress::any(socket.local.ip.family()), 0};
  candidate.foundation = foundation(CandidateType::ServerReflexive, socket.local.ip, from);
  // Local preferences are unique (RFC 8445 section 5.1.2.1): ranks stay below 256 in practice, and
  // each server has a block of 256.
  const auto preference =
      static_cast<uint16_t>(65535 - (socket.rank & 0xFF) - 256 * static_cast<unsigned>(server));
  candidate.priority = candidatePriority(CandidateType::ServerReflexive, preference);
  candidate.url = url;
  events_.push(CandidateGathered{std::move(candidate), socket.id});
}

std::string GathererCore::foundation(CandidateType type, const IpAddress& base,
                                     const std::string& server) {
  // RFC 8445 section 5.1.1.3: equal exactly if type, base address, server and protocol are. A table
  // instead of a hash: no collisions, and nothing about addresses leaks.
  const std::string key = std::string(toString(type)) + '|' + base.toString() + '|' + server;
  auto at = std::find(foundations_.begin(), foundations_.end(), key);
  if (at == foundations_.end()) at = foundations_.insert(foundations_.end(), key);
  return std::to_string(at - foundations_.begin() + 1);
}

// Effects may stay unanswered (base/driven.h), and gathering must end all the same: peers that do
// not trickle wait for it.
void GathererCore::giveUp(Timestamp now) {
  if (!addressesKnown_ && addressesBy_ <= now) {
    addressesKnown_ = true;
    relays_.goOnWithoutInterfaces(now);
  }
  for (Server& server : servers_) {
    if (!server.pending || server.giveUpAt > now) continue;
    server.pending = false;
    if (server.config.quiet) continue;
    events_.push(CandidateError{{}, server.config.url, kNotReached, "STUN host lookup timed out"});
  }
  for (size_t i = sockets_.size(); i-- > 0;) {
    const Socket& socket = sockets_[i];
    if (!socket.open && socket.giveUpAt <= now) dropSocket(socket.id, true);
  }
}

bool GathererCore::udpAnswered() const {
  return std::any_of(requests_.begin(), requests_.end(), [](const Request& request) {
    return request.state == RequestState::Answered || request.refresh;
  });
}

bool GathererCore::finished() const {
  if (!started_ || !addressesKnown_ || !relays_.finished() || !tcp_.finished()) return false;
  if (mapper_ && (!mapper_->settled() || !upnp_->settled())) return false;
  if (sockets_.empty()) return true;
  const bool opening = std::any_of(sockets_.begin(), sockets_.end(),
                                   [](const Socket& socket) { return !socket.open; });
  const bool resolving = std::any_of(servers_.begin(), servers_.end(),
                                     [](const Server& server) { return server.pending; });
  const bool asking = std::any_of(requests_.begin(), requests_.end(), [](const Request& request) {
    return !request.refresh &&
           (request.state == RequestState::Queued || request.state == RequestState::Sent);
  });
  return !opening && !resolving && !asking;
}

void GathererCore::pump(Timestamp now) {
  if (!started_ || closed_) return;
  giveUp(now);
  pumpMappers();
  queueRequests();
  runRequests(now);
  if (!done_ && finished()) {
    done_ = true;
    events_.push(GatheringDone{});
  }
}

void GathererCore::advance(Timestamp now) {
  now = clock_.clamp(now);
  relays_.advance(now);
  tcp_.advance(now);
  if (mapper_) mapper_->advance(now);
  if (upnp_) upnp_->advance(now);
  pump(now);
  PARLEY_DCHECK(nextDeadline() > now);
}

Timestamp GathererCore::nextDeadline() const {
  Timestamp next = earliest(relays_.nextDeadline(), tcp_.nextDeadline());
  if (mapper_) next = earliest(next, earliest(mapper_->nextDeadline(), upnp_->nextDeadline()));
  if (closed_ || !started_) return next;
  if (!addressesKnown_) next = earliest(next, addressesBy_);
  for (const Server& server : servers_) {
    if (server.pending) next = earliest(next, server.giveUpAt);
  }
  for (const Socket& socket : sockets_) {
    if (!socket.open) next = earliest(next, socket.giveUpAt);
  }
  for (const Request& request : requests_) {
    if (request.state == RequestState::Queued)
      next = earliest(next, pacing_.readyAt(kRequestBurst));
    if (request.state == RequestState::Sent) next = earliest(next, request.transaction->deadline());
    if (request.state == RequestState::Answered) next = earliest(next, request.refreshAt);
  }
  return next;
}

GathererCore::Socket* GathererCore::findSocket(SocketId id) {
  const auto at = std::find_if(sockets_.begin(), sockets_.end(),
                               [&](const Socket& socket) { return socket.id == id; });
  return at == sockets_.end() ? nullptr : &*at;
}

bool GathererCore::pollTransmit(TxPacket& out) {
  if (mapper_ && (mapper_->pollTransmit(out) || upnp_->pollTransmit(out))) return true;
  if (transmits_.empty()) return relays_.pollTransmit(out) || tcp_.pollTransmit(out);
  out = transmits_.pop();
  return true;
}

bool GathererCore::pollEffect(Effect& out) {
  if (mapper_ && (mapper_->pollEffect(out) || upnp_->pollEffect(out))) return true;
  if (effects_.empty()) return relays_.pollEffect(out) || tcp_.pollEffect(out);
  out = effects_.pop();
  return true;
}

bool GathererCore::pollEvent(GathererEvent& out) {
  // Relayed and TCP candidates before the end of gathering that they were waited for.
  if (!relays_.pollEvent(out) && !tcp_.pollEvent(out)) {
    if (events_.empty()) return false;
    out = events_.pop();
  }
  if (auto* found = std::get_if<CandidateGathered>(&out)) hide(found->candidate);
  return true;
}

bool GathererCore::pollName(HostName& out) {
  if (nameChanges_.empty()) return false;
  out = nameChanges_.pop();
  return true;
}

Gatherer::Gatherer(Environment& environment, IdAllocator& ids, GathererConfig config)
    : core_(std::make_unique<GathererCore>(environment, ids, std::move(config))) {}
Gatherer::~Gatherer() = default;
Gatherer::Gatherer(Gatherer&&) noexcept = default;
Gatherer& Gatherer::operator=(Gatherer&&) noexcept = default;

void Gatherer::start(Timestamp now) {
  core_->start(now);
}
void Gatherer::reconfigure(GathererConfig config) {
  core_->reconfigure(std::move(config));
}
void Gatherer::restart(Timestamp now) {
  core_->restart(now);
}
void Gatherer::close(Timestamp now) {
  core_->close(now);
}
void Gatherer::stopKeepalives() {
  core_->stopKeepalives();
}
void Gatherer::handleInterfaces(const InterfacesChanged& change, Timestamp now) {
  core_->handleInterfaces(change, now);
}
bool Gatherer::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  return core_->handleSocketOpened(opened, now);
}
bool Gatherer::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  return core_->handleSocketFailed(failed, now);
}
bool Gatherer::handleResolved(const Resolved& resolved, Timestamp now) {
  return core_->handleResolved(resolved, now);
}
bool Gatherer::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                              Timestamp now) {
  return core_->handleDatagram(socket, from, datagram, now);
}
bool Gatherer::pollTransmit(TxPacket& out) {
  return core_->pollTransmit(out);
}
bool Gatherer::pollEffect(Effect& out) {
  return core_->pollEffect(out);
}
bool Gatherer::pollEvent(GathererEvent& out) {
  return core_->pollEvent(out);
}
bool Gatherer::pollName(HostName& out) {
  return core_->pollName(out);
}
void Gatherer::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp Gatherer::nextDeadline() const {
  return core_->nextDeadline();
}
bool Gatherer::handleStream(StreamBytes&& bytes, Timestamp now) {
  return core_->handleStream(std::move(bytes), now);
}
bool Gatherer::handlePressure(const StreamPressure& pressure, Timestamp now) {
  return core_->handlePressure(pressure, now);
}
bool Gatherer::handleAccepted(const TcpAccepted& accepted, Timestamp now) {
  return core_->tcp().links().handleAccepted(accepted, now);
}
bool Gatherer::leadsToServer(SocketId socket) const {
  return core_->leadsToServer(socket);
}
void Gatherer::handleFromServer(Datagram&& datagram, Timestamp now) {
  core_->handleFromServer(std::move(datagram), now);
}
bool Gatherer::isIndirect(SocketId socket) const {
  return core_->tcp().links().isLocal(socket) || core_->relays().isRelay(socket);
}
bool Gatherer::sendIndirect(TxPacket&& packet, Timestamp now) {
  if (core_->relays().isRelay(packet.socket)) return core_->relays().send(std::move(packet), now);
  return core_->tcp().links().send(std::move(packet), now);
}
bool Gatherer::pollIndirect(Datagram& out) {
  return core_->relays().pollRelayed(out) || core_->tcp().links().pollReceived(out);
}
void Gatherer::markProven(SocketId socket, const SocketAddress& remote) {
  core_->tcp().links().markProven(socket, remote);
}
void Gatherer::permit(const IpAddress& peer, Timestamp now) {
  core_->relays().permit(peer, now);
}
void Gatherer::closeRelays(Timestamp now) {
  core_->closeRelays(now);
}
bool Gatherer::isEnding() const {
  return core_->isEnding();
}
bool Gatherer::udpAnswered() const {
  return core_->udpAnswered();
}
bool Gatherer::done() const {
  return core_->done();
}

}  // namespace parley::ice
