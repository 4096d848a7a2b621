#include "parley/sim/firewall.h"

#include <algorithm>

#include "sim/kernel.h"

namespace parley::sim {
namespace {

bool holds(const std::vector<uint16_t>& ports, uint16_t port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

}  // namespace

Firewall::Firewall(Kernel& kernel, std::string name, Segment& inside, Segment& outside,
                   FirewallConfig config, PortConfig insidePort, PortConfig outsidePort)
    : Router(kernel, std::move(name), inside, outside, std::move(insidePort),
             std::move(outsidePort)),
      config_(std::move(config)) {}

size_t Firewall::FlowHash::operator()(const Flow& flow) const noexcept {
  const std::hash<SocketAddress> hash;
  return hash(flow.inner) * 31 + hash(flow.outer) * 2 + static_cast<size_t>(flow.protocol);
}

bool Firewall::allowedOut(const Packet& packet) const {
  if (packet.protocol == Protocol::Udp)
    return !config_.blockUdp || holds(config_.allowedUdpPorts, packet.to.port);
  return config_.allowedTcpPorts.empty() || holds(config_.allowedTcpPorts, packet.to.port);
}

bool Firewall::outbound(Packet& packet) {
  const Flow flow{packet.from, packet.to, packet.protocol};
  const auto known = flows_.find(flow);
  const bool answers =
      known != flows_.end() && kernel_.now() - known->second <= config_.flowTimeout;
  const bool forbiddenUdp = packet.protocol == Protocol::Udp && !allowedOut(packet);
  if (forbiddenUdp || (!answers && !allowedOut(packet)) ||
      (config_.allow && !config_.allow(packet, true))) {
    ++dropped_;
    if (config_.rejectTcp && packet.protocol == Protocol::Tcp) reject(packet);
    return false;
  }
  flows_[flow] = kernel_.now();
  return true;
}

bool Firewall::inbound(Packet& packet) {
  const Flow flow{packet.to, packet.from, packet.protocol};
  const auto known = flows_.find(flow);
  const bool answers =
      known != flows_.end() && kernel_.now() - known->second <= config_.flowTimeout;
  const bool pass =
      answers || (!config_.stateful && (packet.protocol == Protocol::Tcp || !config_.blockUdp));
  if (!pass || (config_.allow && !config_.allow(packet, false))) {
    ++dropped_;
    return false;
  }
  flows_[flow] = kernel_.now();
  return true;
}

void Firewall::reject(const Packet& packet) {
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
  inside().up.send(std::move(answer));
}

}  // namespace parley::sim
