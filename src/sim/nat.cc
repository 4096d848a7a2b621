#include "parley/sim/nat.h"

#include <algorithm>

#include "sim/kernel.h"

namespace parley::sim {
namespace {

constexpr uint32_t kFirstPort = 1024;
constexpr uint32_t kPortCount = 65'536 - kFirstPort;

}  // namespace

NatConfig NatConfig::fullCone() {
  return {.filtering = NatBehavior::EndpointIndependent};
}
NatConfig NatConfig::addressRestricted() {
  return {.filtering = NatBehavior::AddressDependent};
}
NatConfig NatConfig::portRestricted() {
  return {};
}
NatConfig NatConfig::symmetric() {
  return {.mapping = NatBehavior::AddressAndPortDependent, .ports = NatPorts::Random};
}

Nat::Nat(Kernel& kernel, std::string name, Segment& inside, Segment& outside, NatConfig config,
         PortConfig insidePort, PortConfig outsidePort)
    : Router(kernel, std::move(name), inside, outside, std::move(insidePort),
             std::move(outsidePort)),
      config_(config),
      random_(splitSeed(kernel.seed(), this->name() + "/ports")) {}

size_t Nat::KeyHash::operator()(const Key& key) const noexcept {
  const std::hash<SocketAddress> hash;
  return hash(key.internal) * 31 + hash(key.remote) * 2 + static_cast<size_t>(key.protocol);
}

bool Nat::leadsTo(const Port& port, const IpAddress& address) const {
  // The inside's IPv4 addresses are nobody's business.
  return address.isV6() && config_.routeV6 && Router::leadsTo(port, address);
}

void Nat::changePublicAddresses(std::vector<IpAddress> addresses) {
  forgetMappings();
  outside().segment().changeAddresses(outside(), std::move(addresses));
}

void Nat::forgetMappings() {
  byExternal_.clear();
  mappings_.clear();
}

size_t Nat::mappings() const {
  return static_cast<size_t>(std::count_if(
      mappings_.begin(), mappings_.end(), [this](auto& entry) { return !expired(*entry.second); }));
}

std::optional<SocketAddress> Nat::externalOf(const SocketAddress& internal,
                                             Protocol protocol) const {
  const Mapping* oldest = nullptr;
  for (const auto& [key, mapping] : mappings_) {
    if (key.internal != internal || key.protocol != protocol || expired(*mapping)) continue;
    if (!oldest || mapping->external < oldest->external) oldest = mapping.get();
  }
  if (!oldest) return std::nullopt;
  return oldest->external;
}

bool Nat::expired(const Mapping& mapping) const {
  return !mapping.isForward && kernel_.now() - mapping.lastUsed > timeout(mapping.key.protocol);
}

void Nat::erase(Mapping& mapping) {
  byExternal_.erase({mapping.external, mapping.key.protocol});
  const Key key = mapping.key;
  mappings_.erase(key);
}

SocketAddress Nat::remotePart(NatBehavior behavior, const SocketAddress& remote) const {
  switch (behavior) {
    case NatBehavior::EndpointIndependent:
      return {};
    case NatBehavior::AddressDependent:
      return {remote.ip, 0};
    case NatBehavior::AddressAndPortDependent:
      break;
  }
  return remote;
}

Nat::Mapping* Nat::findByExternal(const SocketAddress& external, Protocol protocol) {
  const auto at = byExternal_.find({external, protocol});
  if (at == byExternal_.end()) return nullptr;
  if (!expired(*at->second)) return at->second;
  erase(*at->second);
  return nullptr;
}

IpAddress Nat::pairedAddress(const IpAddress& internal) const {
  std::vector<IpAddress> pool;
  for (const IpAddress& address : outside().addresses()) {
    if (address.isV4()) pool.push_back(address);
  }
  if (pool.empty()) return {};
  return pool[internal.v4HostOrder() % pool.size()];
}

bool Nat::isFree(const IpAddress& external, uint16_t port, Protocol protocol) {
  return port != 0 && findByExternal({external, port}, protocol) == nullptr;
}

bool Nat::choosePort(const Packet& packet, const IpAddress& external, uint16_t& port) {
  uint32_t start = packet.from.port;
  uint32_t step = 2;  // REQ-4: an even port stays even, an odd one odd
  if (config_.ports == NatPorts::Sequential) {
    start = nextPort_;
    step = 1;
  } else if (config_.ports == NatPorts::Random) {
    start = kFirstPort + static_cast<uint32_t>(random_.below(kPortCount));
    step = 1;
  }
  for (uint32_t tried = 0; tried < kPortCount; ++tried) {
    uint32_t candidate = start + tried * step;
    if (candidate > 65'535 || tried > 0) {
      candidate = kFirstPort + (candidate - kFirstPort) % kPortCount;
    }
    if (!isFree(external, static_cast<uint16_t>(candidate), packet.protocol)) continue;
    port = static_cast<uint16_t>(candidate);
    if (config_.ports == NatPorts::Sequential) nextPort_ = static_cast<uint16_t>(port + 1);
    return true;
  }
  return false;
}

Nat::Mapping* Nat::mappingFor(const Packet& packet) {
  const auto forwarded = mappings_.find(Key{packet.from, {}, packet.protocol});
  if (forwarded != mappings_.end() && forwarded->second->isForward) return forwarded->second.get();
  const Key key{packet.from, remotePart(config_.mapping, packet.to), packet.protocol};
  const auto known = mappings_.find(key);
  if (known != mappings_.end()) {
    if (!expired(*known->second)) return known->second.get();
    erase(*known->second);
  }
  const IpAddress external = pairedAddress(packet.from.ip);
  uint16_t port = 0;
  if (external.isUnspecified() || !choosePort(packet, external, port)) return nullptr;
  auto mapping = std::make_unique<Mapping>();
  mapping->key = key;
  mapping->external = {external, port};
  Mapping* raw = mapping.get();
  byExternal_[{raw->external, key.protocol}] = raw;
  mappings_[key] = std::move(mapping);
  return raw;
}

bool Nat::translateOut(Packet& packet) {
  Mapping* mapping = mappingFor(packet);
  if (!mapping) return false;
  mapping->lastUsed = kernel_.now();
  mapping->permitted[remotePart(config_.filtering, packet.to)] = kernel_.now();
  packet.from = mapping->external;
  return true;
}

bool Nat::translateIn(Packet& packet) {
  Mapping* mapping = findByExternal(packet.to, packet.protocol);
  if (!mapping) return false;
  const auto entry = mapping->permitted.find(remotePart(config_.filtering, packet.from));
  const bool permitted = entry != mapping->permitted.end() &&
                         kernel_.now() - entry->second <= timeout(packet.protocol);
  const bool open = mapping->isForward || config_.filtering == NatBehavior::EndpointIndependent;
  if (!permitted && !open) {
    ++filtered_;
    return false;
  }
  if (config_.inboundRefresh) {
    mapping->lastUsed = kernel_.now();
    if (permitted) entry->second = kernel_.now();
  }
  packet.to = mapping->key.internal;
  return true;
}

bool Nat::outbound(Packet& packet) {
  if (packet.to.ip.isV6()) return config_.routeV6;
  return translateOut(packet);
}

bool Nat::inbound(Packet& packet) {
  return packet.to.ip.isV6() && config_.routeV6;
}

std::optional<SocketAddress> Nat::forward(const SocketAddress& internal, Protocol protocol,
                                          uint16_t wanted) {
  const Key key{internal, {}, protocol};
  const auto known = mappings_.find(key);
  if (known != mappings_.end()) {
    known->second->isForward = true;
    return known->second->external;
  }
  const IpAddress external = pairedAddress(internal.ip);
  Packet asIfSent;
  asIfSent.from = {internal.ip, wanted != 0 ? wanted : internal.port};
  asIfSent.protocol = protocol;
  uint16_t port = wanted;
  if (external.isUnspecified()) return std::nullopt;
  const bool isFree = wanted != 0 && !byExternal_.contains({{external, wanted}, protocol});
  if (!isFree && !choosePort(asIfSent, external, port)) return std::nullopt;
  auto mapping = std::make_unique<Mapping>();
  mapping->key = key;
  mapping->external = {external, port};
  mapping->isForward = true;
  byExternal_[{mapping->external, protocol}] = mapping.get();
  const SocketAddress out = mapping->external;
  mappings_[key] = std::move(mapping);
  return out;
}

void Nat::endForward(const SocketAddress& internal, Protocol protocol) {
  const auto known = mappings_.find(Key{internal, {}, protocol});
  if (known != mappings_.end() && known->second->isForward) erase(*known->second);
}

void Nat::sendInside(const SocketAddress& from, const SocketAddress& to, ByteSpan payload) {
  Packet packet;
  packet.from = from;
  packet.to = to;
  packet.data = kernel_.pool().copyOf(payload);
  inside().up.send(std::move(packet));
}

void Nat::addressedToRouter(Port& port, Packet&& packet) {
  if (&port == &inside() && inside().owns(packet.to.ip)) {
    if (service_) service_(packet);
    return;
  }
  if (!outside().owns(packet.to.ip) || packet.to.ip.isV6()) return;
  if (&port == &inside()) {
    // Hairpin: translated both ways, so the source is the external one (RFC 4787 REQ-9).
    if (!config_.hairpin || !translateOut(packet)) return;
  }
  if (translateIn(packet)) inside().up.send(std::move(packet));
}

}  // namespace parley::sim
