#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/sim/world.h"

namespace parley::sim {

struct PortGatewayConfig {
  bool pcp = true;           ///< RFC 6887
  bool natPmp = true;        ///< RFC 6886; without `pcp` it answers PCP with "unsupported version"
  uint32_t lifetime = 3600;  ///< seconds granted, at most
  /// Answers every mapping request with this error.
  uint8_t error = 0;
  /// Refuses to renew: a mapping that exists is answered with an error.
  bool noRenewal = false;
  /// What it tells instead of the truth.
  std::optional<SocketAddress> lie{};
};

/// The part of a home router that lets hosts inside ask for port mappings. Must die before the
/// World.
class PARLEY_EXPORT PortGateway {
 public:
  PortGateway(World& world, Nat& nat, PortGatewayConfig config = {});
  ~PortGateway();
  PortGateway(const PortGateway&) = delete;
  PortGateway& operator=(const PortGateway&) = delete;

  void setConfig(const PortGatewayConfig& config) { config_ = config; }
  /// As after a power cut: all mappings are forgotten and the epoch begins anew.
  void restart();
  size_t mappings() const { return external_.size(); }
  uint64_t requests() const { return requests_; }

 private:
  void handle(const Packet& packet);
  void handlePcp(const Packet& packet);
  void handleNatPmp(const Packet& packet);
  std::optional<SocketAddress> map(const SocketAddress& internal, uint16_t wanted,
                                   uint32_t lifetime);
  void answer(const Packet& request, ByteSpan bytes);
  uint32_t epoch() const;

  World& world_;
  Nat& nat_;
  PortGatewayConfig config_;
  std::map<SocketAddress, SocketAddress> external_;  ///< by internal address
  Timestamp startedAt_;
  uint64_t requests_ = 0;
};

}  // namespace parley::sim
