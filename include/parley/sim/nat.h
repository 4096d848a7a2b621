#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "parley/sim/router.h"

namespace parley::sim {

/// How a NAT's mapping, or its filter, depends on the remote endpoint (RFC 4787 sections 4.1 and
/// 5).
enum class NatBehavior : uint8_t {
  EndpointIndependent,
  AddressDependent,
  AddressAndPortDependent,
};

/// How external ports are chosen (RFC 4787 section 4.2).
enum class NatPorts : uint8_t {
  Preserve,  ///< the internal port if it is free, else the next free one of the same parity
  Sequential,
  Random,
};

struct NatConfig {
  NatBehavior mapping = NatBehavior::EndpointIndependent;
  NatBehavior filtering = NatBehavior::AddressAndPortDependent;
  NatPorts ports = NatPorts::Preserve;
  /// Packets from inside to an own external address come back inside (RFC 4787 section 6).
  bool hairpin = true;
  /// Idle time after which a mapping and its filter entries end. REQ-5 asks for two minutes or
  /// more; real boxes go down to 30 s.
  Duration udpTimeout = Duration::seconds(120);
  Duration tcpTimeout = Duration::seconds(7440);  ///< RFC 5382 REQ-5: 2 h 4 min
  /// Packets from outside refresh mappings too (REQ-6 leaves it open).
  bool inboundRefresh = false;
  /// IPv6 passes untranslated. False: it is dropped.
  bool routeV6 = true;

  // The four names of RFC 3489, which tests like to speak.
  static NatConfig fullCone();
  static NatConfig addressRestricted();
  static NatConfig portRestricted();
  static NatConfig symmetric();
};

/// A network address translator for IPv4. Internal hosts keep one external address for all their
/// mappings (REQ-2 "paired"), also if there are several.
class PARLEY_EXPORT Nat final : public Router {
 public:
  Nat(Kernel& kernel, std::string name, Segment& inside, Segment& outside, NatConfig config,
      PortConfig insidePort = {}, PortConfig outsidePort = {});

  const NatConfig& config() const { return config_; }
  void setConfig(const NatConfig& config) { config_ = config; }
  /// The provider assigned other addresses: all mappings are gone, the old addresses are dead.
  void changePublicAddresses(std::vector<IpAddress> addresses);
  /// As after a reboot.
  void forgetMappings();
  /// The external address of the first mapping of an internal one; nullopt if it has none.
  std::optional<SocketAddress> externalOf(const SocketAddress& internal, Protocol protocol) const;
  size_t mappings() const;

  /// As a port mapping protocol does: what comes to the answered external port goes to `internal`,
  /// from anybody and without a time limit, and what `internal` sends leaves from there. `wanted`
  /// is the port that is granted if it is free. Nothing if no port is.
  std::optional<SocketAddress> forward(const SocketAddress& internal, Protocol protocol,
                                       uint16_t wanted);
  void endForward(const SocketAddress& internal, Protocol protocol);
  /// Gets the packets that hosts inside send to the router itself.
  void onRequest(std::function<void(const Packet&)> service) { service_ = std::move(service); }
  /// Answers them.
  void sendInside(const SocketAddress& from, const SocketAddress& to, ByteSpan payload);
  uint64_t filtered() const { return filtered_; }

  bool leadsTo(const Port& port, const IpAddress& address) const override;

 private:
  struct Key {
    SocketAddress internal;
    SocketAddress remote;  ///< what the mapping behaviour ignores is zero
    Protocol protocol = Protocol::Udp;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept;
  };
  struct Mapping {
    Key key;
    SocketAddress external;
    Timestamp lastUsed;
    bool isForward = false;
    std::unordered_map<SocketAddress, Timestamp> permitted;  ///< remote endpoints sent to
  };
  using ExternalKey = std::pair<SocketAddress, Protocol>;
  struct ExternalHash {
    size_t operator()(const ExternalKey& key) const noexcept {
      return std::hash<SocketAddress>{}(key.first) * 2 + static_cast<size_t>(key.second);
    }
  };

  bool outbound(Packet& packet) override;
  bool inbound(Packet& packet) override;
  void addressedToRouter(Port& port, Packet&& packet) override;
  Mapping* mappingFor(const Packet& packet);
  Mapping* findByExternal(const SocketAddress& external, Protocol protocol);
  bool translateOut(Packet& packet);
  bool translateIn(Packet& packet);
  SocketAddress remotePart(NatBehavior behavior, const SocketAddress& remote) const;
  bool choosePort(const Packet& packet, const IpAddress& external, uint16_t& port);
  bool isFree(const IpAddress& external, uint16_t port, Protocol protocol);
  IpAddress pairedAddress(const IpAddress& internal) const;
  bool expired(const Mapping& mapping) const;
  Duration timeout(Protocol protocol) const {
    return protocol == Protocol::Udp ? config_.udpTimeout : config_.tcpTimeout;
  }
  void erase(Mapping& mapping);

  NatConfig config_;
  SeededRandom random_;
  std::unordered_map<Key, std::unique_ptr<Mapping>, KeyHash> mappings_;
  std::unordered_map<ExternalKey, Mapping*, ExternalHash> byExternal_;
  std::function<void(const Packet&)> service_;
  uint16_t nextPort_ = 20'000;
  uint64_t filtered_ = 0;
};

}  // namespace parley::sim
