#include "parley/turn/server.h"

#include <algorithm>
#include <utility>

#include "parley/base/machine.h"
#include "parley/stun/channel_data.h"

#include "base/overloaded.h"
#include "turn/server_core.h"

namespace parley::turn {
namespace {

static_assert(Machine<Server>);

constexpr size_t kMaxEffects = 1u << 16;
/// Encrypted packets that may wait for the driver before data is dropped ahead of encryption.
constexpr size_t kMaxWaiting = 4096;

}  // namespace

ServerCore::ServerCore(Environment& environment, ServerConfig config)
    : env_(environment),
      config_(std::move(config)),
      auth_(environment, config_),
      budget_(environment.random),
      rate_(config_.maxRate),
      transmits_(environment.limits.maxQueuedTransmits),
      effects_(kMaxEffects) {}

void ServerCore::start(Timestamp now) {
  (void)clock_.clamp(now);
  if (started_) return;
  started_ = true;
  for (size_t i = 0; i < config_.listeners.size(); ++i) {
    const ServerListener& wanted = config_.listeners[i];
    listeners_.push_back({ids_.nextSocket(), wanted.transport, i});
    const SocketId socket = listeners_.back().socket;
    if (isStream(wanted.transport)) {
      effects_.push(ListenTcp{socket, wanted.local});
    } else {
      effects_.push(OpenUdp{socket, wanted.local, false});
    }
  }
}

void ServerCore::close(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  closed_ = true;
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot]) deleteAllocation(slot);
  }
  while (!streams_.empty()) closeStream(streams_.begin()->first, now);
  for (const Reservation& reservation : reservations_)
    effects_.push(CloseSocket{reservation.socket});
  reservations_.clear();
  for (const Listener& listener : listeners_) effects_.push(CloseSocket{listener.socket});
  listeners_.clear();
}

// ---- in ----

void ServerCore::handle(Input&& input, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  std::visit(Overloaded{
                 [&](Datagram& datagram) { handleDatagram(std::move(datagram), now); },
                 [&](StreamBytes& bytes) { handleBytes(std::move(bytes), now); },
                 [&](StreamPressure& pressure) { handlePressure(pressure, now); },
                 [&](SocketOpened& opened) { handleOpened(opened, now); },
                 [&](SocketFailed& failed) { handleFailed(failed, now); },
                 [&](TcpAccepted& accepted) { handleAccepted(accepted, now); },
                 [](Resolved&) {},
                 [](InterfacesChanged&) {},
             },
             input);
  if (!broken_.empty()) sweepBroken(now);
}

ServerCore::Listener* ServerCore::findListener(SocketId socket) {
  for (Listener& listener : listeners_) {
    if (listener.socket == socket) return &listener;
  }
  return nullptr;
}

void ServerCore::handleDatagram(Datagram&& datagram, Timestamp now) {
  if (datagram.socket != lastRelay_) {
    if (const Listener* listener = findListener(datagram.socket)) {
      const ClientPath path{datagram.socket, datagram.from, datagram.to, listener->transport};
      handleMessage(path, std::move(datagram.data), datagram.ecn, now);
      return;
    }
    const auto at = relays_.find(datagram.socket);
    if (at == relays_.end()) return;
    lastRelay_ = datagram.socket;
    lastRelayOwner_ = at->second;
  }
  if (lastRelayOwner_.reserved || lastRelayOwner_.slot == kNone) return;
  fromPeer(lastRelayOwner_.slot, datagram.from, std::move(datagram.data), datagram.ecn, now);
}

void ServerCore::handleOpened(const SocketOpened& opened, Timestamp now) {
  if (const Listener* listener = findListener(opened.socket)) {
    (void)events_.push(ListenerOpened{listener->index, opened.local});
    return;
  }
  if (DataConnection* connection = connectionOfPeer(opened.socket)) {
    peerOpened(*connection, now);
    return;
  }
  const auto at = relays_.find(opened.socket);
  if (at != relays_.end()) relayOpened(at->second, opened, now);
}

void ServerCore::handleFailed(const SocketFailed& failed, Timestamp now) {
  if (const Listener* listener = findListener(failed.socket)) {
    (void)events_.push(ListenerFailed{listener->index, failed.reason});
    return;
  }
  if (streams_.contains(failed.socket)) {
    closeStream(failed.socket, now);
    return;
  }
  if (DataConnection* connection = connectionOfPeer(failed.socket)) {
    peerFailed(*connection, failed.reason, now);
    return;
  }
  const auto at = relays_.find(failed.socket);
  if (at != relays_.end()) relayFailed(at->second, failed.reason, now);
}

// ---- streams ----

void ServerCore::handlePressure(const StreamPressure& pressure, Timestamp now) {
  if (DataConnection* connection = connectionOfPeer(pressure.socket)) {
    connection->peerFull = pressure.high;
    hold(*connection, now);
    return;
  }
  const auto at = streams_.find(pressure.socket);
  if (at == streams_.end()) return;
  at->second->pressure = pressure.high;
  if (at->second->connection == 0) return;
  DataConnection& connection = *connections_.find(at->second->connection)->second;
  hold(connection, now);
  finishIfDrained(connection);
}

void ServerCore::handleAccepted(const TcpAccepted& accepted, Timestamp now) {
  if (const auto relay = relays_.find(accepted.listener); relay != relays_.end()) {
    acceptPeer(accepted, relay->second, now);
    return;
  }
  const Listener* listener = findListener(accepted.listener);
  size_t& fromThere = streamsFrom_[accepted.remote.ip];
  if (!listener || streams_.size() >= config_.maxStreams ||
      fromThere >= config_.maxStreamsPerAddress) {
    if (fromThere == 0) streamsFrom_.erase(accepted.remote.ip);
    ++counters_.streamsRefused;
    effects_.push(CloseSocket{accepted.socket});
    return;
  }
  ++fromThere;
  ++counters_.streamsAccepted;
  auto stream = std::make_unique<Stream>(env_.pool);
  stream->path = {accepted.socket, accepted.remote, accepted.local, listener->transport};
  stream->timer = newTimer(TimerKind::Stream, accepted.socket.value);
  stream->idleAt = now + config_.streamIdle;
  if (listener->transport == Transport::Tls) {
    stream->tls.emplace(env_, config_.tls);
    stream->tls->start(now);
  }
  armStream(*stream, now);
  streams_[accepted.socket] = std::move(stream);
}

void ServerCore::handleBytes(StreamBytes&& bytes, Timestamp now) {
  const auto at = streams_.find(bytes.socket);
  if (at == streams_.end()) {
    if (DataConnection* connection = connectionOfPeer(bytes.socket))
      fromPeerStream(*connection, std::move(bytes.data), now);
    return;
  }
  Stream& stream = *at->second;
  if (stream.tls) {
    stream.tls->handleBytes(bytes.data.span(), now);
    pumpTls(stream, now);
  } else if (stream.connection != 0) {
    fromClientStream(stream, std::move(bytes.data), now);
  } else {
    feedFrames(stream, bytes.data.span(), now);
  }
  armStream(stream, now);
}

void ServerCore::feedFrames(Stream& stream, ByteSpan bytes, Timestamp now) {
  PacketBuf frame;
  while (!stream.broken && stream.connection == 0 && stream.framer.take(bytes, frame))
    handleMessage(stream.path, std::move(frame), Ecn::NotEct, now);
  if (stream.connection != 0) {
    // A client in a hurry: what follows its ConnectionBind is for the peer.
    if (!bytes.empty()) fromClientStream(stream, env_.pool.copyOf(bytes), now);
    return;
  }
  if (stream.framer.broken()) {
    ++counters_.malformed;
    markBroken(stream);
  }
}

void ServerCore::pumpTls(Stream& stream, Timestamp now) {
  drainTls(stream);
  PacketBuf data;
  while (stream.tls->pollData(data)) {
    if (stream.connection != 0) {
      fromClientStream(stream, std::move(data), now);
    } else {
      feedFrames(stream, data.span(), now);
    }
  }
  const dtls::TlsSession::State state = stream.tls->state();
  if (state == dtls::TlsSession::State::Failed || state == dtls::TlsSession::State::Closed)
    markBroken(stream);
}

void ServerCore::drainTls(Stream& stream) {
  PacketBuf piece;
  while (stream.tls->pollTransmit(piece)) {
    TxPacket out;
    out.socket = stream.path.socket;
    out.data = std::move(piece);
    if (!push(std::move(out))) markBroken(stream);
  }
}

void ServerCore::markBroken(Stream& stream) {
  if (stream.broken) return;
  stream.broken = true;
  broken_.push_back(stream.path.socket);
}

void ServerCore::sweepBroken(Timestamp now) {
  // The end of one, of an allocation's, may be that of others.
  while (!broken_.empty()) {
    for (const SocketId socket : std::exchange(broken_, {})) closeStream(socket, now);
  }
}

void ServerCore::closeStream(SocketId socket, Timestamp now) {
  const auto at = streams_.find(socket);
  if (at == streams_.end()) return;
  Stream& stream = *at->second;
  if (stream.allocation != kNone) {
    Allocation& allocation = *slots_[stream.allocation];
    if (allocation.ticket.empty() || closed_) {
      deleteAllocation(stream.allocation);
    } else {
      // RFC 8016: the client may come back from elsewhere with its ticket, until the lifetime ends.
      allocation.client.socket = {};
    }
  }
  if (stream.connection != 0) endConnection(stream.connection);
  if (stream.tls) {
    stream.tls->close(now);
    drainTls(stream);
  }
  dropTimer(stream.timer);
  const auto from = streamsFrom_.find(stream.path.remote.ip);
  if (from != streamsFrom_.end() && --from->second == 0) streamsFrom_.erase(from);
  effects_.push(CloseSocket{socket});
  streams_.erase(at);
}

void ServerCore::armStream(Stream& stream, Timestamp now) {
  if (stream.broken) return;
  const bool isIdle = stream.allocation == kNone && stream.connection == 0;
  if (!isIdle) stream.idleAt = Timestamp::never();
  if (isIdle && stream.idleAt.isNever()) stream.idleAt = now + config_.streamIdle;
  timers_.set(stream.timer,
              stream.tls ? earliest(stream.idleAt, stream.tls->nextDeadline()) : stream.idleAt);
}

// ---- timers ----

size_t ServerCore::newTimer(TimerKind kind, uint32_t value) {
  size_t key;
  if (freeTimers_.empty()) {
    key = timerOwners_.size();
    timerOwners_.emplace_back();
  } else {
    key = freeTimers_.back();
    freeTimers_.pop_back();
  }
  timerOwners_[key] = {kind, value};
  return key;
}

void ServerCore::dropTimer(size_t key) {
  timers_.set(key, Timestamp::never());
  freeTimers_.push_back(key);
}

void ServerCore::runTimer(size_t key, Timestamp now) {
  const TimerOwner owner = timerOwners_[key];
  if (owner.kind == TimerKind::Connection) {
    connectionTimer(*connections_.find(owner.value)->second, now);
    return;
  }
  if (owner.kind == TimerKind::Allocation) {
    Allocation& allocation = *slots_[owner.value];
    if (allocation.pending) {
      refuseAllocation(allocation, stun::StunError::InsufficientCapacity, now);
    } else {
      ++counters_.allocationsExpired;
      deleteAllocation(owner.value);
    }
    return;
  }
  const SocketId socket(owner.value);
  Stream& stream = *streams_.find(socket)->second;
  if (stream.tls) {
    stream.tls->advance(now);
    pumpTls(stream, now);
  }
  if (stream.idleAt <= now) markBroken(stream);
  timers_.set(key, Timestamp::never());
  armStream(stream, now);
}

void ServerCore::advance(Timestamp now) {
  now = clock_.clamp(now);
  while (timers_.next() <= now) runTimer(timers_.nextKey(), now);
  expireReservations(now);
  if (!broken_.empty()) sweepBroken(now);
  PARLEY_DCHECK(nextDeadline() > now);
}

Timestamp ServerCore::nextDeadline() const {
  Timestamp next = timers_.next();
  for (const Reservation& reservation : reservations_) next = earliest(next, reservation.expiresAt);
  return next;
}

// ---- allocations ----

void ServerCore::armAllocation(const Allocation& allocation) {
  timers_.set(allocationTimers_[allocation.slot], allocation.expiresAt);
}

void ServerCore::deleteAllocation(uint32_t slot) {
  const std::unique_ptr<Allocation> gone = std::move(slots_[slot]);
  for (const uint32_t id : std::exchange(gone->connections, {})) endConnection(id);
  for (Allocation::Relay& relay : gone->relays) closeRelay(*gone, relay);
  if (isStream(gone->client.transport)) {
    const auto stream = streams_.find(gone->client.socket);
    if (stream != streams_.end()) {
      stream->second->allocation = kNone;
      armStream(*stream->second, clock_.last());
    }
  } else {
    clients_.erase(ClientKey{gone->client.socket, gone->client.remote});
    lastClientSlot_ = kNone;
  }
  if (--gone->account->allocations == 0) accounts_.erase(gone->owner.account);
  dropTimer(allocationTimers_[slot]);
  freeSlots_.push_back(slot);
  --live_;
}

Allocation* ServerCore::allocationOf(const ClientPath& path) {
  uint32_t slot = kNone;
  if (isStream(path.transport)) {
    const auto stream = streams_.find(path.socket);
    if (stream != streams_.end()) slot = stream->second->allocation;
  } else if (lastClientSlot_ != kNone && lastClient_.remote == path.remote &&
             lastClient_.socket == path.socket) {
    slot = lastClientSlot_;
  } else {
    const auto client = clients_.find(ClientKey{path.socket, path.remote});
    if (client == clients_.end()) return nullptr;
    slot = client->second;
    lastClient_ = client->first;
    lastClientSlot_ = slot;
  }
  return slot == kNone ? nullptr : slots_[slot].get();
}

std::vector<AllocationInfo> ServerCore::allocations(Timestamp now) const {
  std::vector<AllocationInfo> out;
  for (const auto& allocation : slots_) {
    if (!allocation || allocation->pending) continue;
    AllocationInfo info;
    info.username = allocation->owner.username;
    info.transport = allocation->client.transport;
    info.client = allocation->client.remote;
    info.tcp = allocation->tcp;
    info.connections = allocation->connections.size();
    info.bytesToPeers = allocation->bytesToPeers;
    info.bytesToClient = allocation->bytesToClient;
    info.age = now - allocation->madeAt;
    for (const Allocation::Relay& relay : allocation->relays) {
      if (relay.open) info.relayed.push_back(relay.advertised);
    }
    out.push_back(std::move(info));
  }
  return out;
}

// ---- out ----

bool ServerCore::push(TxPacket&& packet) {
  if (transmits_.push(std::move(packet))) return true;
  ++counters_.droppedFull;
  return false;
}

bool ServerCore::transmit(const ClientPath& path, PacketBuf message, TxClass txClass, Ecn ecn,
                          Timestamp now) {
  TxPacket out;
  out.socket = path.socket;
  out.txClass = txClass;
  if (!isStream(path.transport)) {
    out.to = path.remote;
    out.from = path.local.ip;
    out.ecn = ecn;
    out.data = std::move(message);
    return push(std::move(out));
  }
  stun::padForStream(message);
  const auto at = streams_.find(path.socket);
  if (at == streams_.end() || at->second->broken) return false;
  Stream& stream = *at->second;
  if (!stream.tls) {
    out.data = std::move(message);
    return push(std::move(out));
  }
  const bool late = stream.pressure || transmits_.size() > kMaxWaiting;
  if (late && txClass != TxClass::Control) {
    ++counters_.droppedFull;
    return false;
  }
  const bool sent = stream.tls->send(message.span(), now);
  drainTls(stream);
  return sent;
}

size_t ServerCore::pollTransmit(std::span<TxPacket> out) {
  size_t count = 0;
  while (count < out.size() && !transmits_.empty()) out[count++] = transmits_.pop();
  return count;
}

bool ServerCore::pollEffect(Effect& out) {
  if (effects_.empty()) return false;
  out = effects_.pop();
  return true;
}

bool ServerCore::pollEvent(ServerEvent& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

// ---- the public face ----

std::vector<ServerListener> discoveryListeners(const ServerDiscovery& discovery) {
  std::vector<ServerListener> out;
  for (const SocketAddress& address : {discovery.primary, discovery.alternate}) {
    for (const SocketAddress& port : {discovery.primary, discovery.alternate})
      out.push_back({Transport::Udp, {address.ip, port.port}});
  }
  return out;
}

Result<void> Server::check(const ServerConfig& config) {
  if (config.listeners.empty()) return fail(ErrorCode::Type, "a server needs a listener");
  for (const ServerListener& listener : config.listeners) {
    if (listener.transport == Transport::Dtls)
      return fail(ErrorCode::NotSupported, "DTLS cannot be listened on: use TLS");
    if (listener.transport == Transport::Tls && !config.tls)
      return fail(ErrorCode::InvalidAccess, "a TLS listener needs a certificate");
  }
  if (config.tls &&
      (!config.tls->isServer() || config.tls->transport() != dtls::TlsTransport::Stream)) {
    return fail(ErrorCode::InvalidAccess, "the TLS context is not one for a server of streams");
  }
  for (const ServerRelay& relay : config.relays) {
    if (relay.bind.isUnspecified() && !relay.advertised)
      return fail(ErrorCode::Type, "a relay needs an address that peers can be told");
  }
  if (config.discovery) {
    const auto& [primary, alternate] = *config.discovery;
    if (primary.ip == alternate.ip || primary.port == alternate.port ||
        primary.ip.family() != alternate.ip.family()) {
      return fail(ErrorCode::Range, "the two discovery addresses differ in address and port");
    }
    for (const ServerListener& wanted : discoveryListeners(*config.discovery)) {
      const bool there = std::any_of(
          config.listeners.begin(), config.listeners.end(), [&](const ServerListener& listener) {
            return listener.transport == Transport::Udp && listener.local == wanted.local;
          });
      if (!there) {
        return fail(ErrorCode::Type,
                    "discovery wants a UDP listener on " + wanted.local.toString());
      }
    }
  }
  if (config.minPort == 0 || config.minPort > config.maxPort)
    return fail(ErrorCode::Range, "the range of relayed ports is empty");
  if (config.realm.empty() || config.realm.size() > 127)
    return fail(ErrorCode::Range, "a realm has 1 to 127 bytes");
  return ok();
}

Server::Server(Environment& environment, ServerConfig config)
    : core_(std::make_unique<ServerCore>(environment, std::move(config))) {}
Server::~Server() = default;

void Server::start(Timestamp now) {
  core_->start(now);
}
void Server::close(Timestamp now) {
  core_->close(now);
}
bool Server::pollEvent(ServerEvent& out) {
  return core_->pollEvent(out);
}
void Server::handle(Input&& input, Timestamp now) {
  core_->handle(std::move(input), now);
}
void Server::advance(Timestamp now) {
  core_->advance(now);
}
size_t Server::pollTransmit(std::span<TxPacket> out) {
  return core_->pollTransmit(out);
}
bool Server::pollEffect(Effect& out) {
  return core_->pollEffect(out);
}
Timestamp Server::nextDeadline() const {
  return core_->nextDeadline();
}
PacketPool& Server::pool() {
  return core_->pool();
}
const ServerCounters& Server::counters() const {
  return core_->counters();
}
size_t Server::allocationCount() const {
  return core_->allocationCount();
}
size_t Server::streamCount() const {
  return core_->streamCount();
}
std::vector<AllocationInfo> Server::allocations(Timestamp now) const {
  return core_->allocations(now);
}

}  // namespace parley::turn
