#include "parley/sim/node.h"

#include "parley/sim/dns.h"

#include "sim/kernel.h"

namespace parley::sim {
namespace {

/// Rounds of input and output at one instant after which a node counts as spinning.
constexpr int kMaxRounds = 10'000;
constexpr size_t kMaxTogether = 64;
/// Deadlines within one virtual millisecond after which it counts as spinning too.
constexpr uint32_t kMaxWakesPerMilli = 10'000;
/// Event argument: a deadline. Others are slots of resolving_.
constexpr uint64_t kDeadline = ~uint64_t{0};

}  // namespace

Node::Node(Kernel& kernel, Host& host, Driven& driven)
    : kernel_(kernel), host_(host), driven_(&driven) {}

void Node::detach() {
  driven_ = nullptr;
  inputs_.clear();
  sockets_.clear();
  host_.dropSinks(this, this);
}

// ---- running ----

void Node::markDirty() {
  if (dirty_ || !driven_) return;
  dirty_ = true;
  kernel_.markDirty(*this);
}

void Node::enqueue(Input&& input) {
  if (!driven_) return;
  if (!inputs_.push(std::move(input)))
    kernel_.violation("node on " + host_.name() + " does not keep up with its inputs");
  markDirty();
}

void Node::fire(uint64_t argument) {
  if (!driven_) return;
  if (argument != kDeadline) {
    const uint32_t slot = static_cast<uint32_t>(argument);
    Resolve request = std::move(resolving_[slot]);
    freeResolves_.push_back(slot);
    enqueue(Resolved{request.id,
                     request.host == "_gateway" ? gateways() : kernel_.dns->lookUp(request.host)});
    return;
  }
  // Deadlines that moved away leave their event behind.
  if (armedAt_ != kernel_.now()) return;
  armedAt_ = Timestamp::never();
  markDirty();
}

void Node::pump() {
  dirty_ = false;
  // A callback of the Driven may call World functions that pump.
  if (!driven_ || pumping_) return;
  pumping_ = true;
  int rounds = 0;
  for (bool first = true; driven_; first = false) {
    if (!cycle() && !first) break;
    if (!driven_) break;
    driven_->dispatch();
    if (++rounds > kMaxRounds) {
      kernel_.violation("node on " + host_.name() + " never comes to rest at one instant");
      break;
    }
  }
  pumping_ = false;
  dirty_ = false;
  if (driven_) armTimer();
}

bool Node::cycle() {
  bool worked = false;
  while (!inputs_.empty()) {
    worked = true;
    deliver();
  }
  if (driven_->nextDeadline() <= kernel_.now()) {
    worked = true;
    advanceIfDue();
  }
  while (const size_t count = driven_->pollTransmit(batch_)) {
    worked = true;
    for (size_t i = 0; i < count; ++i) {
      transmit(batch_[i]);
      batch_[i].data.reset();
    }
  }
  Effect effect;
  while (driven_->pollEffect(effect)) {
    worked = true;
    execute(effect);
  }
  return worked;
}

/// Datagrams as the driver on real sockets hands them on: those that arrived together at once.
void Node::deliver() {
  while (!inputs_.empty() && arrived_.size() < kMaxTogether &&
         std::holds_alternative<Datagram>(inputs_.front())) {
    arrived_.push_back(std::get<Datagram>(inputs_.pop()));
  }
  if (arrived_.empty()) {
    ++counters_.inputs;
    driven_->handle(inputs_.pop(), kernel_.now());
    return;
  }
  counters_.inputs += arrived_.size();
  driven_->handleDatagrams(arrived_, kernel_.now());
  arrived_.clear();
}

void Node::advanceIfDue() {
  ++counters_.advances;
  noteWake();
  driven_->advance(kernel_.now());
  if (driven_->nextDeadline() <= kernel_.now()) {
    kernel_.violation("machine rule M4: after advance(" + std::to_string(kernel_.now().nanos()) +
                      " ns) nextDeadline() is " + std::to_string(driven_->nextDeadline().nanos()) +
                      " ns, on " + host_.name());
  }
}

void Node::noteWake() {
  if (kernel_.now() - wakeWindow_ > Duration::millis(1)) {
    wakeWindow_ = kernel_.now();
    wakesInWindow_ = 0;
  }
  if (++wakesInWindow_ == kMaxWakesPerMilli)
    kernel_.violation("node on " + host_.name() + " wakes without end");
}

void Node::armTimer() {
  const Timestamp deadline = driven_->nextDeadline();
  if (deadline >= armedAt_) return;
  armedAt_ = deadline;
  kernel_.schedule(deadline, *this, kDeadline);
}

// ---- output ----

void Node::transmit(TxPacket& packet) {
  const auto at = sockets_.find(packet.socket);
  bool sent = false;
  if (at != sockets_.end() && at->second.kind == Socket::Kind::Udp) {
    sent = host_.sendUdp(at->second.handle, packet.to, packet.data.span(),
                         {packet.from, packet.dscp, packet.ecn, packet.txClass});
  } else if (at != sockets_.end() && at->second.kind == Socket::Kind::Stream) {
    sent = host_.sendTcp(at->second.handle, packet.data.span(), packet.txClass);
    if (!sent && packet.txClass == TxClass::Control) {
      // Control bytes must not be missing from a stream's middle: it fails, as a real one does.
      closeSocket(packet.socket);
      enqueue(SocketFailed{packet.socket, SocketFailure::Other});
    }
  }
  if (!sent) {
    ++counters_.unsent;
    return;
  }
  ++counters_.datagramsOut;
  counters_.bytesOut += packet.data.size();
}

void Node::execute(Effect& effect) {
  if (std::holds_alternative<WatchInterfaces>(effect)) {
    watchesInterfaces_ = true;
    enqueue(InterfacesChanged{host_.interfaces()});
  } else if (const auto* udp = std::get_if<OpenUdp>(&effect)) {
    openUdp(*udp);
  } else if (const auto* tcp = std::get_if<OpenTcp>(&effect)) {
    openTcp(*tcp);
  } else if (const auto* listener = std::get_if<ListenTcp>(&effect)) {
    listenTcp(*listener);
  } else if (const auto* holding = std::get_if<HoldStream>(&effect)) {
    const auto at = sockets_.find(holding->socket);
    if (at != sockets_.end() && at->second.kind == Socket::Kind::Stream)
      host_.holdTcp(at->second.handle, holding->hold);
  } else if (const auto* close = std::get_if<CloseSocket>(&effect)) {
    closeSocket(close->socket);
  } else if (auto* query = std::get_if<Resolve>(&effect)) {
    resolve(*query);
  } else if (const auto* join = std::get_if<JoinMulticast>(&effect)) {
    const auto at = sockets_.find(join->socket);
    if (at == sockets_.end() || at->second.kind != Socket::Kind::Udp) {
      enqueue(SocketFailed{join->socket, SocketFailure::Other});
      return;
    }
    // As on a real machine: a socket that is no member lives on.
    (void)host_.joinMulticast(at->second.handle, join->group, join->interfaceIndex);
  }
}

void Node::openUdp(const OpenUdp& effect) {
  if (sockets_.contains(effect.socket)) {
    enqueue(SocketFailed{effect.socket, SocketFailure::Other});
    return;
  }
  const SocketResult result =
      host_.bindUdp(effect.local, effect.reuseAddress, *this, effect.socket.value);
  if (result.handle == 0) {
    enqueue(SocketFailed{effect.socket, result.failure});
    return;
  }
  sockets_[effect.socket] = {Socket::Kind::Udp, result.handle};
  enqueue(SocketOpened{effect.socket, result.local});
}

void Node::openTcp(const OpenTcp& effect) {
  if (sockets_.contains(effect.socket)) {
    enqueue(SocketFailed{effect.socket, SocketFailure::Other});
    return;
  }
  const SocketResult result =
      host_.connectTcp(effect.remote, {effect.local, effect.localPort}, *this, effect.socket.value);
  if (result.handle == 0) {
    enqueue(SocketFailed{effect.socket, result.failure});
    return;
  }
  sockets_[effect.socket] = {Socket::Kind::Stream, result.handle};
}

void Node::listenTcp(const ListenTcp& effect) {
  if (sockets_.contains(effect.socket)) {
    enqueue(SocketFailed{effect.socket, SocketFailure::Other});
    return;
  }
  const SocketResult result = host_.listenTcp(effect.local, *this, effect.socket.value);
  if (result.handle == 0) {
    enqueue(SocketFailed{effect.socket, result.failure});
    return;
  }
  sockets_[effect.socket] = {Socket::Kind::Listener, result.handle};
  enqueue(SocketOpened{effect.socket, result.local});
}

void Node::closeSocket(SocketId id) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end()) return;
  const Socket socket = at->second;
  sockets_.erase(at);
  if (socket.kind == Socket::Kind::Udp) {
    host_.closeUdp(socket.handle);
  } else {
    host_.closeTcp(socket.handle);
  }
}

void Node::resolve(Resolve& effect) {
  if (kernel_.dns->isDead()) return;
  if (freeResolves_.empty()) {
    freeResolves_.push_back(static_cast<uint32_t>(resolving_.size()));
    resolving_.emplace_back();
  }
  const uint32_t slot = freeResolves_.back();
  freeResolves_.pop_back();
  resolving_[slot] = std::move(effect);
  kernel_.schedule(kernel_.now() + kernel_.dns->delay(), *this, slot);
}

/// What ice::kGatewayName stands for: the router of the first interface that is up and has one.
std::vector<IpAddress> Node::gateways() const {
  for (size_t i = 0; i < host_.portCount(); ++i) {
    if (!host_.port(i).isUp()) continue;
    if (const auto v4 = host_.port(i).segment().gatewayAddress(AddressFamily::V4)) return {*v4};
  }
  return {};
}

// ---- input ----

void Node::interfacesChanged() {
  if (watchesInterfaces_) enqueue(InterfacesChanged{host_.interfaces()});
}

void Node::udpArrived(uint32_t token, Packet&& packet) {
  if (!driven_) return;
  PacketBuf data = driven_->pool().copyOf(packet.data.span());
  if (!data) {
    ++counters_.poolExhausted;
    return;
  }
  ++counters_.datagramsIn;
  enqueue(Datagram{SocketId(token), packet.from, packet.to, std::move(data), packet.ecn});
}

void Node::streamConnected(uint32_t token, const SocketAddress& local) {
  enqueue(SocketOpened{SocketId(token), local});
}

void Node::streamBytes(uint32_t token, ByteSpan bytes) {
  if (!driven_) return;
  PacketBuf data = driven_->pool().copyOf(bytes);
  if (!data) {
    // A stream must not lose bytes: better no stream.
    ++counters_.poolExhausted;
    closeSocket(SocketId(token));
    enqueue(SocketFailed{SocketId(token), SocketFailure::Other});
    return;
  }
  enqueue(StreamBytes{SocketId(token), std::move(data)});
}

void Node::streamPressure(uint32_t token, bool high) {
  enqueue(StreamPressure{SocketId(token), high});
}

void Node::streamEnded(uint32_t token, SocketFailure reason) {
  sockets_.erase(SocketId(token));
  enqueue(SocketFailed{SocketId(token), reason});
}

uint32_t Node::streamAccepted(uint32_t listenerToken, uint32_t stream, const SocketAddress& remote,
                              const SocketAddress& local) {
  SocketId id;
  do {
    id = SocketId(0x8000'0000 | nextAccepted_++);
  } while (sockets_.contains(id));
  sockets_[id] = {Socket::Kind::Stream, stream};
  enqueue(TcpAccepted{SocketId(listenerToken), id, remote, local});
  return id.value;
}

}  // namespace parley::sim
