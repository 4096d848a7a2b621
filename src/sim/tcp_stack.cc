#include "sim/tcp_stack.h"

#include <algorithm>

#include "sim/kernel.h"

namespace parley::sim {

SocketResult TcpStack::listen(const SocketAddress& local, StreamSink& sink, uint32_t token) {
  SocketAddress bound = local;
  if (bound.port == 0) bound.port = host_.ephemeralPort();
  for (const Listener& other : listeners_) {
    if (other.local.port == bound.port && other.local.ip.family() == bound.ip.family() &&
        (other.local.ip == bound.ip || other.local.ip.isUnspecified() ||
         bound.ip.isUnspecified())) {
      return {.failure = SocketFailure::AddressInUse};
    }
  }
  listeners_.push_back({host_.nextHandle_++, bound, &sink, token});
  return {.handle = listeners_.back().handle, .local = bound};
}

SocketResult TcpStack::connect(const SocketAddress& local, const SocketAddress& remote,
                               StreamSink& sink, uint32_t token) {
  if (byTuple_.contains({local, remote})) return {.failure = SocketFailure::AddressInUse};
  const uint32_t id = host_.nextHandle_++;
  auto& connection = connections_[id];
  connection = std::make_unique<TcpConnection>(*this, id, &sink, token, local, remote,
                                               TcpConnection::State::SynSent);
  byTuple_[{local, remote}] = id;
  connection->start();
  return {.handle = id, .local = local};
}

TcpConnection* TcpStack::find(uint32_t id) {
  const auto at = connections_.find(id);
  return at == connections_.end() ? nullptr : at->second.get();
}

bool TcpStack::send(uint32_t id, ByteSpan bytes, TxClass txClass) {
  TcpConnection* connection = find(id);
  return connection && connection->write(bytes, txClass);
}

void TcpStack::hold(uint32_t id, bool hold) {
  if (TcpConnection* connection = find(id)) connection->hold(hold);
}

void TcpStack::close(uint32_t id) {
  std::erase_if(listeners_, [id](const Listener& listener) { return listener.handle == id; });
  if (TcpConnection* connection = find(id)) {
    connection->close();
    removeDead(id);
  }
}

void TcpStack::dropSink(const StreamSink* sink) {
  std::erase_if(listeners_, [sink](const Listener& listener) { return listener.sink == sink; });
  std::vector<uint32_t> ended;
  for (auto& [id, connection] : connections_) {
    if (connection->sink() == sink) ended.push_back(id);
  }
  for (const uint32_t id : ended) close(id);
}

void TcpStack::removeDead(uint32_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end() || !at->second->isDead()) return;
  byTuple_.erase({at->second->local(), at->second->remote()});
  connections_.erase(at);
}

TcpConnection* TcpStack::accept(const Packet& syn) {
  for (const Listener& listener : listeners_) {
    if (listener.local.port != syn.to.port) continue;
    if (listener.local.ip != syn.to.ip &&
        !(listener.local.ip.isUnspecified() && listener.local.ip.family() == syn.to.ip.family())) {
      continue;
    }
    const uint32_t id = host_.nextHandle_++;
    auto& connection = connections_[id];
    connection = std::make_unique<TcpConnection>(*this, id, listener.sink, listener.token, syn.to,
                                                 syn.from, TcpConnection::State::SynReceived);
    byTuple_[{syn.to, syn.from}] = id;
    connection->start();
    return connection.get();
  }
  return nullptr;
}

void TcpStack::refuse(const Packet& packet) {
  if (packet.tcp.rst) return;
  Packet answer;
  answer.from = packet.to;
  answer.to = packet.from;
  answer.protocol = Protocol::Tcp;
  answer.packetClass = PacketClass::Tcp;
  answer.data = kernel_.pool().allocate();
  answer.tcp.rst = true;
  answer.tcp.ack = true;
  answer.tcp.acknowledged = packet.tcp.sequence + 1;
  transmit(std::move(answer));
}

void TcpStack::receive(Packet&& packet) {
  const auto at = byTuple_.find({packet.to, packet.from});
  if (at != byTuple_.end()) {
    const uint32_t id = at->second;
    find(id)->receive(std::move(packet));
    removeDead(id);
    return;
  }
  if (packet.tcp.syn && !packet.tcp.ack && accept(packet)) return;
  refuse(packet);
}

void TcpStack::schedule(Timestamp when, uint32_t id, uint32_t generation) {
  constexpr uint64_t kTcpFlag = uint64_t{1} << 63;
  kernel_.schedule(when, host_, kTcpFlag | static_cast<uint64_t>(id) << 32 | generation);
}

void TcpStack::timer(uint64_t argument) {
  const uint32_t id = static_cast<uint32_t>(argument >> 32);
  TcpConnection* connection = find(id);
  if (!connection) return;
  connection->timer(static_cast<uint32_t>(argument));
  removeDead(id);
}

}  // namespace parley::sim
