// Accepted TCP connections: those of a session's own listener go straight to it, those of a shared
// port to the session that their first check names.

#include <utility>

#include "parley/endpoint/endpoint.h"

#include "endpoint/waiting_streams.h"

namespace parley::endpoint {

void Endpoint::accept(TcpAccepted&& accepted, Timestamp now) {
  const SocketTable::Owner* owner = sockets_.find(accepted.listener);
  if (!owner || owner->session == SocketTable::kEndpoint) {
    ++counters_.streamsUnrouted;
    effects_.push(CloseSocket{accepted.socket});
    return;
  }
  if (owner->session != SocketTable::kSharedTcp) {
    const SocketTable::Owner listener = *owner;
    sockets_.addAccepted(listener.session, accepted.socket);
    accepted.listener = listener.sessionSocket;
    deliver(listener.session, std::move(accepted), now);
    return;
  }
  WaitingStream stream;
  stream.socket = accepted.socket;
  stream.port = owner->sessionSocket.value;
  stream.remote = accepted.remote;
  stream.local = accepted.local;
  stream.giveUpAt = now + WaitingStreams::kPatience;
  stream.held = pool_.allocate();
  if (!stream.held) {
    effects_.push(CloseSocket{accepted.socket});
    return;
  }
  sockets_.addAccepted(SocketTable::kSharedTcp, accepted.socket);
  if (const auto gone = waiting_->add(std::move(stream))) closeWaiting(*gone);
}

/// `socket` is no longer among those that wait.
void Endpoint::closeWaiting(SocketId socket) {
  ++counters_.streamsUnrouted;
  sockets_.remove(socket);
  effects_.push(CloseSocket{socket});
}

void Endpoint::expireWaiting(Timestamp now) {
  while (const auto gone = waiting_->takeExpired(now)) closeWaiting(*gone);
}

void Endpoint::handleWaiting(Input&& input, Timestamp now) {
  if (const auto* failed = std::get_if<SocketFailed>(&input)) {
    waiting_->remove(failed->socket);
    sockets_.remove(failed->socket);
    return;
  }
  auto* bytes = std::get_if<StreamBytes>(&input);
  WaitingStream* stream = bytes ? waiting_->find(bytes->socket) : nullptr;
  if (!stream) return;
  auto verdict = WaitingStreams::take(*stream, bytes->data.span());
  while (verdict == WaitingStreams::Verdict::Check) {
    if (handOver(*stream, now)) return;
    // For nobody yet: the check is repeated, and a server may have made its connection by then.
    verdict = WaitingStreams::skipFirst(*stream);
  }
  if (verdict == WaitingStreams::Verdict::Wait) return;
  waiting_->remove(bytes->socket);
  closeWaiting(bytes->socket);
}

/// Gives the stream to the session that its first packet names; false if there is none.
bool Endpoint::handOver(WaitingStream& waiting, Timestamp now) {
  const auto target = sharedTcp_.sessionOfCheck(WaitingStreams::firstPacket(waiting),
                                                waiting.remote, waiting.local);
  const SharedPorts::Use* use =
      target ? sharedTcp_.useOf(*target, waiting.port, waiting.local.ip) : nullptr;
  if (!use) return false;
  WaitingStream stream = std::move(waiting);
  const SocketId listener = use->sessionSocket;
  waiting_->remove(stream.socket);
  sockets_.remove(stream.socket);
  sockets_.addAccepted(*target, stream.socket);
  jsep::Session& session = *slots_[*target].session;
  session.handle(TcpAccepted{listener, stream.socket, stream.remote, stream.local}, now);
  session.handle(StreamBytes{stream.socket, std::move(stream.held)}, now);
  collect(*target, now);
  return true;
}

/// Gives the session its part of a shared TCP port; false if there are none.
bool Endpoint::shareListener(size_t index, const ListenTcp& wish, Timestamp now) {
  if (sharedTcp_.count() == 0 || !wish.mayShare) return false;
  jsep::Session& session = *slots_[index].session;
  const auto port = sharedTcp_.portFor(wish.local.ip);
  if (!port) {
    session.handle(SocketFailed{wish.socket, SocketFailure::AddressNotAvailable}, now);
    return true;
  }
  sharedTcp_.add(index, {wish.socket, *port, wish.local.ip});
  if (const auto& bound = sharedTcp_.bound(*port))
    session.handle(SocketOpened{wish.socket, {wish.local.ip, bound->port}}, now);
  return true;
}

}  // namespace parley::endpoint
