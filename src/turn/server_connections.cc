#include <algorithm>
#include <utility>

#include "parley/stun/turn.h"

#include "turn/server_core.h"

// Relayed TCP connections (RFC 6062 section 5): Connect, ConnectionBind, and the bytes.
//
// A connection to a peer is not read from until the client claims it with a connection of its own.
// From then on bytes go from one to the other as they are. Where they pile up (StreamPressure), and
// where a bandwidth cap is reached, the other side is not read from for a while (HoldStream).

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::StunError;

/// RFC 6062 section 5.2: "The timeout value MUST be at least 30 seconds", for the peer; and so long
/// has the client to claim the connection.
constexpr Duration kConnecting = Duration::seconds(30);
constexpr Duration kClaiming = Duration::seconds(30);
/// For the last bytes of a peer to reach a client that reads slowly.
constexpr Duration kDraining = Duration::seconds(60);

}  // namespace

DataConnection* ServerCore::connectionOfPeer(SocketId socket) {
  const auto at = peerSockets_.find(socket);
  return at == peerSockets_.end() ? nullptr : connections_.find(at->second)->second.get();
}

/// The connection that a ConnectionBind names, if it can be claimed.
DataConnection* ServerCore::claimedBy(const stun::Message& request) {
  const auto id = request.u32(AttributeType::ConnectionId);
  const auto at = id ? connections_.find(*id) : connections_.end();
  const bool found =
      at != connections_.end() && at->second->state == DataConnection::State::Unclaimed;
  return found ? at->second.get() : nullptr;
}

/// The address to connect to for a peer's; nullopt if it must not be reached. Relayed addresses of
/// this server are connected to as the machine itself knows them.
std::optional<SocketAddress> ServerCore::connectable(const SocketAddress& peer) const {
  if (isOwnRelay(peer.ip)) {
    const SocketAddress own{relayConfig(peer.ip.family())->bind, peer.port};
    if (tcpRelays_.contains(own)) return own.ip.isUnspecified() ? peer : own;
  }
  if (!mayReach(peer.ip)) return std::nullopt;
  return peer;
}

bool ServerCore::hasRoomForConnection(const Allocation& allocation) const {
  return allocation.connections.size() < config_.maxConnections &&
         connections_.size() < config_.maxStreams;
}

DataConnection& ServerCore::newConnection(Allocation& allocation, const SocketAddress& peer,
                                          SocketId peerSocket) {
  uint32_t id;
  do {
    id = static_cast<uint32_t>(env_.random.below(~uint32_t{0})) + 1;
  } while (connections_.contains(id));
  auto made = std::make_unique<DataConnection>();
  made->id = id;
  made->slot = allocation.slot;
  made->peer = peer;
  made->peerSocket = peerSocket;
  made->timer = newTimer(TimerKind::Connection, id);
  allocation.connections.push_back(id);
  peerSockets_[peerSocket] = id;
  return *(connections_[id] = std::move(made));
}

/// Frees a connection and closes what belongs to it.
void ServerCore::endConnection(uint32_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  const std::unique_ptr<DataConnection> gone = std::move(at->second);
  connections_.erase(at);
  peerSockets_.erase(gone->peerSocket);
  if (!gone->peerGone) effects_.push(CloseSocket{gone->peerSocket});
  dropTimer(gone->timer);
  if (slots_[gone->slot]) std::erase(slots_[gone->slot]->connections, id);
  const auto client = streams_.find(gone->clientSocket);
  if (client == streams_.end()) return;
  client->second->connection = 0;
  markBroken(*client->second);
}

// ---- to a peer ----

void ServerCore::handleConnect(const stun::Message& request, const ClientPath& path,
                               Allocation& allocation, const ServerAuth::Identity& identity,
                               Timestamp now) {
  const auto peer = request.xorAddress(AttributeType::XorPeerAddress);
  std::optional<SocketAddress> target;
  StunError error{};
  if (!allocation.tcp || !peer || peer->port == 0) {
    error = StunError::BadRequest;
  } else if (!allocation.relay(peer->ip.family()).open) {
    error = StunError::PeerAddressFamilyMismatch;
  } else if (target = connectable(*peer); !target) {
    ++counters_.forbiddenPeers;
    error = StunError::Forbidden;
  } else if (std::any_of(allocation.connections.begin(), allocation.connections.end(),
                         [&](uint32_t id) { return connections_[id]->peer == *peer; })) {
    error = StunError::ConnectionAlreadyExists;
  } else if (!hasRoomForConnection(allocation)) {
    error = StunError::InsufficientCapacity;
  }
  if (error != StunError{}) {
    refuse(request, path, error, &identity, now);
    return;
  }
  const SocketId socket = ids_.nextSocket();
  DataConnection& connection = newConnection(allocation, *peer, socket);
  connection.transaction = request.transactionId();
  connection.deadline = now + kConnecting;
  timers_.set(connection.timer, connection.deadline);
  const SocketAddress& from = allocation.relay(peer->ip.family()).bound;
  effects_.push(OpenTcp{socket, *target, from.ip, from.port, kConnecting});
}

void ServerCore::peerOpened(DataConnection& connection, Timestamp now) {
  if (connection.state != DataConnection::State::Connecting) return;
  connection.state = DataConnection::State::Unclaimed;
  connection.deadline = now + kClaiming;
  timers_.set(connection.timer, connection.deadline);
  hold(connection, now);
  ++counters_.connectionsMade;
  const Allocation& allocation = *slots_[connection.slot];
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, stun::Method::Connect,
                               connection.transaction);
  builder.u32(AttributeType::ConnectionId, connection.id);
  answer(builder, std::move(packet), allocation.client, allocation.owner, now);
}

void ServerCore::peerFailed(DataConnection& connection, SocketFailure reason, Timestamp now) {
  const bool wasConnecting = connection.state == DataConnection::State::Connecting;
  connection.peerGone = true;  // its socket is closed already
  if (wasConnecting) {
    ++counters_.connectionsFailed;
    const Allocation& allocation = *slots_[connection.slot];
    PacketBuf packet = env_.pool.allocate();
    stun::MessageBuilder builder(packet, stun::Class::Error, stun::Method::Connect,
                                 connection.transaction);
    builder.error(StunError::ConnectionTimeoutOrFailure,
                  stun::reasonPhrase(StunError::ConnectionTimeoutOrFailure));
    answer(builder, std::move(packet), allocation.client, allocation.owner, now);
  }
  if (wasConnecting || reason != SocketFailure::Closed) {
    endConnection(connection.id);
  } else if (connection.state == DataConnection::State::Bound) {
    connection.deadline = now + kDraining;
    timers_.set(connection.timer, connection.deadline);
    finishIfDrained(connection);
  } else if (connection.early.empty()) {
    endConnection(connection.id);
  }
}

/// A peer's last bytes go out before the client's connection ends.
void ServerCore::finishIfDrained(DataConnection& connection) {
  if (!connection.peerGone) return;
  const auto client = streams_.find(connection.clientSocket);
  if (client == streams_.end() || !client->second->pressure) endConnection(connection.id);
}

// ---- from a peer ----

void ServerCore::acceptPeer(const TcpAccepted& accepted, RelayOwner owner, Timestamp now) {
  Allocation* allocation = owner.slot == kNone ? nullptr : slots_[owner.slot].get();
  SocketAddress peer = accepted.remote;
  if (const auto other = tcpRelays_.find(peer); other != tcpRelays_.end())
    peer = slots_[other->second.slot]->relays[other->second.index].advertised;
  if (!allocation || allocation->pending || !allocation->permits(peer.ip, now) ||
      !hasRoomForConnection(*allocation)) {
    ++counters_.connectionsRefused;
    effects_.push(CloseSocket{accepted.socket});
    return;
  }
  DataConnection& connection = newConnection(*allocation, peer, accepted.socket);
  connection.state = DataConnection::State::Unclaimed;
  connection.deadline = now + kClaiming;
  timers_.set(connection.timer, connection.deadline);
  hold(connection, now);
  ++counters_.connectionsMade;
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Indication, stun::Method::ConnectionAttempt,
                               stun::newTransactionId(env_.random));
  builder.u32(AttributeType::ConnectionId, connection.id)
      .xorAddress(AttributeType::XorPeerAddress, peer);
  if (builder.finishInto(packet))
    transmit(allocation->client, std::move(packet), TxClass::Control, Ecn::NotEct, now);
}

// ---- the client's side ----

void ServerCore::handleConnectionBind(const stun::Message& request, const ClientPath& path,
                                      const ServerAuth::Identity& identity, Timestamp now) {
  DataConnection* connection = claimedBy(request);
  const auto at = isStream(path.transport) ? streams_.find(path.socket) : streams_.end();
  if (!connection || at == streams_.end() || at->second->allocation != kNone ||
      at->second->connection != 0) {
    refuse(request, path, StunError::BadRequest, &identity, now);
    return;
  }
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, request.method(),
                               request.transactionId());
  answer(builder, std::move(packet), path, identity, now);
  at->second->connection = connection->id;
  connection->clientSocket = path.socket;
  connection->state = DataConnection::State::Bound;
  connection->deadline = connection->peerGone ? now + kDraining : Timestamp::never();
  timers_.set(connection->timer, connection->deadline);
  while (!connection->early.empty()) {
    if (!toClientStream(*connection, connection->early.pop(), now)) return;
  }
  hold(*connection, now);
  finishIfDrained(*connection);
}

// ---- bytes ----

void ServerCore::fromPeerStream(DataConnection& connection, PacketBuf data, Timestamp now) {
  if (connection.state == DataConnection::State::Bound) {
    if (toClientStream(connection, std::move(data), now)) hold(connection, now);
  } else if (!connection.early.push(std::move(data))) {
    endConnection(connection.id);  // a driver that does not hold streams
  }
}

/// False if the connection has ended.
bool ServerCore::toClientStream(DataConnection& connection, PacketBuf data, Timestamp now) {
  Allocation& allocation = *slots_[connection.slot];
  Stream& stream = *streams_.find(connection.clientSocket)->second;
  const size_t size = data.size();
  bool sent;
  if (stream.tls) {
    sent = stream.tls->send(data.span(), now);
    drainTls(stream);
  } else {
    TxPacket out;
    out.socket = connection.clientSocket;
    out.data = std::move(data);
    sent = push(std::move(out));
  }
  if (!sent) {
    endConnection(connection.id);  // a byte is missing
    return false;
  }
  counters_.bytesToClients += size;
  allocation.bytesToClient += size;
  connection.peerPausedUntil =
      now + std::max({allocation.toClient.charge(size, now),
                      allocation.account->rate.charge(size, now), rate_.charge(size, now)});
  return true;
}

void ServerCore::fromClientStream(Stream& stream, PacketBuf data, Timestamp now) {
  DataConnection& connection = *connections_.find(stream.connection)->second;
  if (connection.peerGone || data.empty()) return;
  Allocation& allocation = *slots_[connection.slot];
  const size_t size = data.size();
  TxPacket out;
  out.socket = connection.peerSocket;
  out.data = std::move(data);
  if (!push(std::move(out))) {
    endConnection(connection.id);
    return;
  }
  counters_.bytesToPeers += size;
  allocation.bytesToPeers += size;
  connection.clientPausedUntil =
      now + std::max({allocation.toPeers.charge(size, now),
                      allocation.account->rate.charge(size, now), rate_.charge(size, now)});
  hold(connection, now);
}

/// Tells the driver from whom not to read, as far as that has changed.
void ServerCore::hold(DataConnection& connection, Timestamp now) {
  const bool isBound = connection.state == DataConnection::State::Bound;
  const auto client = streams_.find(connection.clientSocket);
  const bool clientFull = client != streams_.end() && client->second->pressure;
  const bool holdPeer = !isBound || clientFull || connection.peerPausedUntil > now;
  const bool holdClient = isBound && (connection.peerFull || connection.clientPausedUntil > now);
  if (holdPeer != connection.peerHeld && !connection.peerGone) {
    connection.peerHeld = holdPeer;
    effects_.push(HoldStream{connection.peerSocket, holdPeer});
  }
  if (holdClient != connection.clientHeld) {
    connection.clientHeld = holdClient;
    effects_.push(HoldStream{connection.clientSocket, holdClient});
  }
  if (!isBound) return;
  Timestamp next = connection.deadline;
  if (connection.peerPausedUntil > now) next = earliest(next, connection.peerPausedUntil);
  if (connection.clientPausedUntil > now) next = earliest(next, connection.clientPausedUntil);
  timers_.set(connection.timer, next);
}

void ServerCore::connectionTimer(DataConnection& connection, Timestamp now) {
  if (connection.deadline > now) {
    hold(connection, now);
    return;
  }
  if (connection.state == DataConnection::State::Connecting) {
    effects_.push(CloseSocket{connection.peerSocket});
    peerFailed(connection, SocketFailure::Unreachable, now);
    return;
  }
  if (connection.state == DataConnection::State::Unclaimed) ++counters_.connectionsUnclaimed;
  endConnection(connection.id);
}

}  // namespace parley::turn
