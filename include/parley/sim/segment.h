#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/export.h"
#include "parley/sim/link.h"

namespace parley::sim {

class Port;
class Segment;

/// Anything with network interfaces: hosts, NATs, firewalls.
class Device {
 public:
  virtual ~Device() = default;
  /// A packet came in on one of the device's ports.
  virtual void receive(Port& port, Packet&& packet) = 0;
  /// Whether packets to `address`, met on the segment of `port`, should be given to this device.
  virtual bool leadsTo(const Port& /*port*/, const IpAddress& /*address*/) const { return false; }
  virtual bool wantsMulticast(const Port& /*port*/, const IpAddress& /*group*/) const {
    return false;
  }
};

/// How a device is plugged into a segment.
struct PortConfig {
  std::string name = "eth0";
  /// Empty: one address of each family that the segment has a prefix for.
  std::vector<IpAddress> addresses{};
  uint32_t mtu = 1500;
  LinkConfig up{};    ///< from the device into the segment
  LinkConfig down{};  ///< from the segment to the device
};

/// A network interface with its two links. Owned by the World.
class PARLEY_EXPORT Port final : private LinkEnd {
 public:
  Port(Kernel& kernel, Device& device, Segment& segment, const std::string& deviceName,
       PortConfig config);
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  const std::string& name() const { return name_; }
  const std::vector<IpAddress>& addresses() const { return addresses_; }
  /// The first address of the family.
  std::optional<IpAddress> address(AddressFamily family) const;
  bool owns(const IpAddress& address) const;
  uint32_t mtu() const { return mtu_; }
  /// The interface's own state; a link may be down although its interface is up.
  bool isUp() const { return isUp_; }
  Segment& segment() { return segment_; }
  const Segment& segment() const { return segment_; }
  Device& device() { return device_; }
  const Device& device() const { return device_; }

 private:
  std::string name_;

 public:
  Link up;
  Link down;

 private:
  friend class Segment;
  friend class Host;
  void linkOutput(Link& link, Packet&& packet) override;

  Device& device_;
  Segment& segment_;
  std::vector<IpAddress> addresses_;
  uint32_t mtu_;
  bool isUp_ = true;
};

struct SegmentConfig {
  std::string name = "net";
  /// Addresses are handed out upwards from here, starting with base + 1; at most 254 of v4 (a /24).
  std::optional<IpAddress> v4Base{};
  std::optional<IpAddress> v6Base{};
};

/// A subnet: moves packets between its ports by destination address and is the domain in which
/// multicast reaches. What no port owns goes to a router that leads there, else to the gateway.
class PARLEY_EXPORT Segment {
 public:
  Segment(Kernel& kernel, SegmentConfig config) : kernel_(kernel), config_(std::move(config)) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  const std::string& name() const { return config_.name; }
  /// A fresh address of the segment's prefix; nullopt if it has none of that family.
  std::optional<IpAddress> allocate(AddressFamily family);
  /// Where packets to foreign addresses go; null: nowhere.
  void setGateway(Port* port) { gateway_ = port; }
  bool hasGateway() const { return gateway_ != nullptr; }
  /// Its address here; nothing without one.
  std::optional<IpAddress> gatewayAddress(AddressFamily family) const;
  /// True if a port here, or one behind a router without translation, owns the address.
  bool reaches(const IpAddress& address) const;
  bool ownsLocally(const IpAddress& address) const { return owners_.contains(address); }
  /// Packets that had no way to go.
  uint64_t unroutable() const { return unroutable_; }

 private:
  friend class Port;
  friend class World;
  friend class Host;
  friend class Nat;
  void add(Port& port);
  void changeAddresses(Port& port, std::vector<IpAddress> addresses);
  void route(Port& from, Packet&& packet);
  void flood(Port& from, const Packet& packet);
  Port* routerTowards(const IpAddress& address, const Port* except) const;

  Kernel& kernel_;
  SegmentConfig config_;
  std::vector<Port*> ports_;
  std::unordered_map<IpAddress, Port*> owners_;
  Port* gateway_ = nullptr;
  uint32_t nextV4_ = 1;
  uint32_t nextV6_ = 1;
  uint64_t unroutable_ = 0;
  mutable bool searching_ = false;
};

}  // namespace parley::sim
