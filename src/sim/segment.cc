#include "parley/sim/segment.h"

#include <algorithm>
#include <array>

#include "sim/kernel.h"

namespace parley::sim {

Port::Port(Kernel& kernel, Device& device, Segment& segment, const std::string& deviceName,
           PortConfig config)
    : name_(std::move(config.name)),
      up(kernel, *this, deviceName + "/" + name_ + "/up", config.up),
      down(kernel, *this, deviceName + "/" + name_ + "/down", config.down),
      device_(device),
      segment_(segment),
      addresses_(std::move(config.addresses)),
      mtu_(config.mtu) {
  if (addresses_.empty()) {
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
      if (const auto address = segment.allocate(family)) addresses_.push_back(*address);
    }
  }
  segment.add(*this);
}

std::optional<IpAddress> Port::address(AddressFamily family) const {
  for (const IpAddress& address : addresses_) {
    if (address.family() == family) return address;
  }
  return std::nullopt;
}

bool Port::owns(const IpAddress& address) const {
  return std::find(addresses_.begin(), addresses_.end(), address) != addresses_.end();
}

void Port::linkOutput(Link& link, Packet&& packet) {
  if (&link == &up) {
    segment_.route(*this, std::move(packet));
  } else {
    device_.receive(*this, std::move(packet));
  }
}

std::optional<IpAddress> Segment::allocate(AddressFamily family) {
  if (family == AddressFamily::V4) {
    if (!config_.v4Base || nextV4_ > 254) return std::nullopt;
    return IpAddress::v4(config_.v4Base->v4HostOrder() + nextV4_++);
  }
  if (!config_.v6Base) return std::nullopt;
  std::array<uint8_t, 16> bytes{};
  const ByteSpan base = config_.v6Base->bytes();
  std::copy(base.begin(), base.end(), bytes.begin());
  storeU32(&bytes[12], loadU32(&bytes[12]) + nextV6_++);
  return IpAddress::v6(bytes);
}

std::optional<IpAddress> Segment::gatewayAddress(AddressFamily family) const {
  return gateway_ ? gateway_->address(family) : std::nullopt;
}

void Segment::add(Port& port) {
  ports_.push_back(&port);
  for (const IpAddress& address : port.addresses()) owners_[address] = &port;
}

void Segment::changeAddresses(Port& port, std::vector<IpAddress> addresses) {
  for (const IpAddress& address : port.addresses_) {
    const auto at = owners_.find(address);
    if (at != owners_.end() && at->second == &port) owners_.erase(at);
  }
  port.addresses_ = std::move(addresses);
  for (const IpAddress& address : port.addresses_) owners_[address] = &port;
}

Port* Segment::routerTowards(const IpAddress& address, const Port* except) const {
  for (Port* port : ports_) {
    if (port != except && port->device().leadsTo(*port, address)) return port;
  }
  return nullptr;
}

bool Segment::reaches(const IpAddress& address) const {
  if (ownsLocally(address)) return true;
  if (searching_) return false;  // routers in a circle
  searching_ = true;
  const bool found = routerTowards(address, nullptr) != nullptr;
  searching_ = false;
  return found;
}

void Segment::route(Port& from, Packet&& packet) {
  const IpAddress& to = packet.to.ip;
  if (to.isMulticast()) {
    flood(from, packet);
    return;
  }
  if (packet.hopsLeft-- == 0) {
    ++unroutable_;
    return;
  }
  const auto owner = owners_.find(to);
  Port* next = owner != owners_.end() ? owner->second : routerTowards(to, &from);
  if (!next) next = gateway_;
  if (!next || next == &from) {
    ++unroutable_;
    return;
  }
  next->down.send(std::move(packet));
}

void Segment::flood(Port& from, const Packet& packet) {
  for (Port* port : ports_) {
    if (port != &from && port->device().wantsMulticast(*port, packet.to.ip))
      port->down.send(kernel_.duplicate(packet));
  }
}

}  // namespace parley::sim
