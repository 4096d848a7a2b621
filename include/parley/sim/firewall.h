#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "parley/sim/router.h"

namespace parley::sim {

struct FirewallConfig {
  bool blockUdp = false;
  /// Destination ports allowed out although `blockUdp`.
  std::vector<uint16_t> allowedUdpPorts{};
  /// Destination ports allowed out for TCP; empty: all.
  std::vector<uint16_t> allowedTcpPorts{};
  /// Inbound only what answers an outbound flow of the last `flowTimeout`.
  bool stateful = true;
  Duration flowTimeout = Duration::seconds(60);
  /// Answer forbidden TCP SYNs with RST instead of silence.
  bool rejectTcp = false;
  /// A last word on packets that would pass; false drops.
  std::function<bool(const Packet&, bool outbound)> allow{};
};

/// The classic corporate firewall: "block UDP, allow 443".
class PARLEY_EXPORT Firewall final : public Router {
 public:
  Firewall(Kernel& kernel, std::string name, Segment& inside, Segment& outside,
           FirewallConfig config, PortConfig insidePort = {}, PortConfig outsidePort = {});

  /// Takes effect for the next packet; known flows stay known.
  void setConfig(FirewallConfig config) { config_ = std::move(config); }
  uint64_t dropped() const { return dropped_; }

 private:
  struct Flow {
    SocketAddress inner;
    SocketAddress outer;
    Protocol protocol;
    bool operator==(const Flow&) const = default;
  };
  struct FlowHash {
    size_t operator()(const Flow& flow) const noexcept;
  };
  bool outbound(Packet& packet) override;
  bool inbound(Packet& packet) override;
  bool allowedOut(const Packet& packet) const;
  void reject(const Packet& packet);

  FirewallConfig config_;
  std::unordered_map<Flow, Timestamp, FlowHash> flows_;
  uint64_t dropped_ = 0;
};

}  // namespace parley::sim
