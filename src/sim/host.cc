#include "parley/sim/host.h"

#include <algorithm>

#include "sim/kernel.h"
#include "sim/tcp_stack.h"

namespace parley::sim {
namespace {

// Event arguments: a loopback packet's slot, or with the flag set a TCP timer.
constexpr uint64_t kTcpFlag = uint64_t{1} << 63;
constexpr uint32_t kLoopbackIndex = 1;
constexpr uint16_t kFirstEphemeral = 49'152;  // RFC 6335 section 6

}  // namespace

Host::Host(Kernel& kernel, std::string name)
    : kernel_(kernel),
      name_(std::move(name)),
      random_(splitSeed(kernel.seed(), name_)),
      tcp_(std::make_unique<TcpStack>(kernel, *this)),
      nextEphemeral_(static_cast<uint16_t>(kFirstEphemeral + random_.below(8192))) {}

Host::~Host() = default;

Port& Host::attach(Segment& segment, PortConfig config) {
  if (config.name == "eth0" && !ports_.empty()) config.name = "eth" + std::to_string(ports_.size());
  ports_.push_back(std::make_unique<Port>(kernel_, *this, segment, name_, std::move(config)));
  ++interfaceGeneration_;
  return *ports_.back();
}

std::optional<IpAddress> Host::address(AddressFamily family) const {
  for (const auto& port : ports_) {
    if (!port->isUp()) continue;
    if (const auto address = port->address(family)) return address;
  }
  return std::nullopt;
}

std::vector<NetworkInterface> Host::interfaces() const {
  std::vector<NetworkInterface> list;
  list.push_back({.name = "lo",
                  .index = kLoopbackIndex,
                  .addresses = {IpAddress::loopback(AddressFamily::V4),
                                IpAddress::loopback(AddressFamily::V6)},
                  .isLoopback = true,
                  .isUp = true,
                  .mtu = 65'535});
  for (size_t i = 0; i < ports_.size(); ++i) {
    const Port& port = *ports_[i];
    list.push_back({.name = port.name(),
                    .index = static_cast<uint32_t>(i) + kLoopbackIndex + 1,
                    .addresses = port.addresses(),
                    .isLoopback = false,
                    .isUp = port.isUp(),
                    .mtu = port.mtu()});
  }
  return list;
}

void Host::setUp(Port& port, bool up) {
  if (port.isUp() == up) return;
  port.isUp_ = up;
  port.up.setUp(up);
  port.down.setUp(up);
  ++interfaceGeneration_;
  kernel_.interfacesChanged(*this);
}

void Host::changeAddresses(Port& port, std::vector<IpAddress> addresses) {
  port.segment().changeAddresses(port, std::move(addresses));
  ++interfaceGeneration_;
  kernel_.interfacesChanged(*this);
}

bool Host::ownsAddress(const IpAddress& address) const {
  if (address.isLoopback()) return true;
  for (const auto& port : ports_) {
    if (port->isUp() && port->owns(address)) return true;
  }
  return false;
}

// ---- sending ----

Port* Host::route(const IpAddress& to, const IpAddress& from) const {
  Port* fallback = nullptr;
  Port* viaGateway = nullptr;
  for (const auto& port : ports_) {
    if (!port->isUp() || !port->address(to.family())) continue;
    if (!from.isUnspecified()) {
      // Strong host model: a packet leaves by the interface that owns its source address.
      if (port->owns(from)) return port.get();
      continue;
    }
    if (port->segment().ownsLocally(to)) return port.get();
    if (!viaGateway && port->segment().hasGateway()) viaGateway = port.get();
    if (!fallback) fallback = port.get();
  }
  // The first interface is the default route unless only another one has a gateway.
  if (!from.isUnspecified()) return nullptr;
  if (fallback && fallback->segment().reaches(to)) return fallback;
  return viaGateway ? viaGateway : fallback;
}

std::optional<IpAddress> Host::sourceFor(const IpAddress& to) const {
  if (to.isLoopback()) return to;
  if (ownsAddress(to)) return to;
  const Port* port = route(to, IpAddress::any(to.family()));
  if (!port) return std::nullopt;
  return port->address(to.family());
}

void Host::observe(const Packet& packet, bool arrival) {
  kernel_.trace.add(kernel_.now(), packet, arrival);
  if (capture_) capture_->add(kernel_.now(), packet);
  const auto& hooks = arrival ? kernel_.arrivalHooks : kernel_.sendHooks;
  if (hooks.empty()) return;
  const DatagramEvent event{kernel_.now(), *this, packet};
  for (const auto& hook : hooks) hook(event);
}

bool Host::transmit(Packet&& packet) {
  const bool toSelf = ownsAddress(packet.to.ip);
  Port* port = toSelf ? nullptr : route(packet.to.ip, packet.from.ip);
  if (!toSelf && !port) {
    ++counters_.noRoute;
    return false;
  }
  if (port && packet.wireSize() > port->mtu()) {
    ++counters_.tooBig;
    return false;
  }
  ++counters_.sent;
  observe(packet, false);
  if (toSelf || packet.to.ip.isMulticast()) {
    // IP_MULTICAST_LOOP: the host's other members of the group hear it too.
    Packet own = toSelf ? std::move(packet) : kernel_.duplicate(packet);
    kernel_.schedule(kernel_.now(), *this, kernel_.park(std::move(own)));
    if (toSelf) return true;
  }
  port->up.send(std::move(packet));
  return true;
}

bool Host::sendUdp(uint32_t handle, const SocketAddress& to, ByteSpan payload,
                   const SendOptions& options) {
  const UdpSocket* socket = findSocket(handle);
  if (!socket || to.port == 0 || to.ip.family() != socket->local.ip.family()) return false;
  Packet packet;
  packet.from = socket->local;
  if (packet.from.ip.isUnspecified()) {
    packet.from.ip = options.from;
    if (options.from.isUnspecified() || options.from.family() != to.ip.family()) {
      const auto source = sourceFor(to.ip);
      if (!source) {
        ++counters_.noRoute;
        return false;
      }
      packet.from.ip = *source;
    }
  }
  packet.to = to;
  packet.data = kernel_.pool().copyOf(payload);
  if (!packet.data) return false;
  packet.protocol = Protocol::Udp;
  packet.packetClass = classify(payload, packet.from.port, to.port);
  packet.txClass = options.txClass;
  packet.ecn = options.ecn;
  packet.dscp = options.dscp;
  return transmit(std::move(packet));
}

// ---- receiving ----

void Host::receive(Port& port, Packet&& packet) {
  arrive(&port, std::move(packet));
}

void Host::fire(uint64_t argument) {
  if (argument & kTcpFlag) {
    tcp_->timer(argument & ~kTcpFlag);
    return;
  }
  arrive(nullptr, kernel_.unpark(static_cast<uint32_t>(argument)));
}

void Host::arrive(const Port* port, Packet&& packet) {
  ++counters_.received;
  observe(packet, true);
  if (packet.protocol == Protocol::Tcp) {
    tcp_->receive(std::move(packet));
    return;
  }
  deliverUdp(port, std::move(packet));
}

void Host::deliverUdp(const Port* port, Packet&& packet) {
  if (packet.to.ip.isMulticast()) {
    bool heard = false;
    for (size_t i = 0; i < udp_.size(); ++i) {
      UdpSocket& socket = udp_[i];
      const bool member = std::any_of(
          socket.memberships.begin(), socket.memberships.end(), [&](const Membership& m) {
            return m.group == packet.to.ip && (m.port == nullptr || !port || m.port == port);
          });
      if (socket.local.port != packet.to.port || !member) continue;
      heard = true;
      socket.sink->udpArrived(socket.token, kernel_.duplicate(packet));
    }
    if (!heard) ++counters_.noSocket;
    return;
  }
  UdpSocket* best = nullptr;
  for (UdpSocket& socket : udp_) {
    if (socket.local.port != packet.to.port || socket.local.ip.family() != packet.to.ip.family()) {
      continue;
    }
    if (socket.local.ip == packet.to.ip) {
      best = &socket;
      break;
    }
    if (socket.local.ip.isUnspecified() && !best) best = &socket;
  }
  if (!best) {
    ++counters_.noSocket;
    return;
  }
  best->sink->udpArrived(best->token, std::move(packet));
}

bool Host::wantsMulticast(const Port& port, const IpAddress& group) const {
  for (const UdpSocket& socket : udp_) {
    for (const Membership& membership : socket.memberships) {
      if (membership.group == group && (!membership.port || membership.port == &port)) return true;
    }
  }
  return false;
}

// ---- sockets ----

Host::UdpSocket* Host::findSocket(uint32_t handle) {
  for (UdpSocket& socket : udp_) {
    if (socket.handle == handle) return &socket;
  }
  return nullptr;
}

bool Host::udpPortTaken(const SocketAddress& local, bool reuseAddress) const {
  return std::any_of(udp_.begin(), udp_.end(), [&](const UdpSocket& other) {
    if (other.local.port != local.port || other.local.ip.family() != local.ip.family())
      return false;
    if (reuseAddress && other.reuseAddress) return false;
    return other.local.ip == local.ip || other.local.ip.isUnspecified() || local.ip.isUnspecified();
  });
}

uint16_t Host::ephemeralPort() {
  const uint16_t port = nextEphemeral_;
  nextEphemeral_ = port == 65'535 ? kFirstEphemeral : static_cast<uint16_t>(port + 1);
  return port;
}

SocketResult Host::bindUdp(const SocketAddress& local, bool reuseAddress, UdpSink& sink,
                           uint32_t token) {
  if (!local.ip.isUnspecified() && !ownsAddress(local.ip))
    return {.failure = SocketFailure::AddressNotAvailable};
  SocketAddress bound = local;
  for (int tries = 0; bound.port == 0 && tries < 16'384; ++tries) {
    bound.port = ephemeralPort();
    if (udpPortTaken(bound, false)) bound.port = 0;
  }
  if (bound.port == 0 || udpPortTaken(bound, reuseAddress))
    return {.failure = SocketFailure::AddressInUse};
  udp_.push_back({nextHandle_++, token, bound, reuseAddress, &sink, {}});
  return {.handle = udp_.back().handle, .local = bound};
}

void Host::closeUdp(uint32_t handle) {
  std::erase_if(udp_, [handle](const UdpSocket& socket) { return socket.handle == handle; });
}

bool Host::joinMulticast(uint32_t handle, const IpAddress& group, uint32_t interfaceIndex) {
  UdpSocket* socket = findSocket(handle);
  if (!socket || !group.isMulticast()) return false;
  const Port* port = nullptr;
  if (interfaceIndex > kLoopbackIndex) {
    const size_t at = interfaceIndex - kLoopbackIndex - 1;
    if (at >= ports_.size()) return false;
    port = ports_[at].get();
  }
  socket->memberships.push_back({group, port});
  return true;
}

SocketResult Host::listenTcp(const SocketAddress& local, StreamSink& sink, uint32_t token) {
  if (!local.ip.isUnspecified() && !ownsAddress(local.ip))
    return {.failure = SocketFailure::AddressNotAvailable};
  return tcp_->listen(local, sink, token);
}

SocketResult Host::connectTcp(const SocketAddress& remote, const SocketAddress& local,
                              StreamSink& sink, uint32_t token) {
  IpAddress from = local.ip;
  if (from.isUnspecified()) {
    const auto source = sourceFor(remote.ip);
    if (!source) return {.failure = SocketFailure::Unreachable};
    from = *source;
  } else if (!ownsAddress(from)) {
    return {.failure = SocketFailure::AddressNotAvailable};
  }
  const uint16_t port = local.port != 0 ? local.port : ephemeralPort();
  return tcp_->connect({from, port}, remote, sink, token);
}

bool Host::sendTcp(uint32_t stream, ByteSpan bytes, TxClass txClass) {
  return tcp_->send(stream, bytes, txClass);
}

void Host::holdTcp(uint32_t stream, bool hold) {
  tcp_->hold(stream, hold);
}

void Host::closeTcp(uint32_t handle) {
  tcp_->close(handle);
}

void Host::dropSinks(const UdpSink* udp, const StreamSink* stream) {
  std::erase_if(udp_, [udp](const UdpSocket& socket) { return socket.sink == udp; });
  tcp_->dropSink(stream);
}

void Host::startCapture() {
  if (!capture_) capture_ = std::make_unique<PcapngWriter>(name_);
}

ByteSpan Host::capture() const {
  return capture_ ? capture_->bytes() : ByteSpan{};
}

}  // namespace parley::sim
