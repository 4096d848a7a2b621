#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/export.h"
#include "parley/sim/host.h"
#include "parley/stun/attributes.h"

namespace parley::sim {

struct StunServerConfig {
  uint16_t port = 3478;
  /// Receives and never answers.
  bool silent = false;
  /// Answers every request with this error.
  std::optional<stun::StunError> error{};
  /// The first `ignoreFirst` requests get no answer: tests retransmission.
  uint32_t ignoreFirst = 0;
  /// Answers with MAPPED-ADDRESS only, as RFC 3489 servers do.
  bool classic = false;
};

/// A STUN server for Binding requests (RFC 8489) on every IP family of a host, with fault switches.
/// Must die before the World.
class PARLEY_EXPORT StunServer final : private UdpSink {
 public:
  explicit StunServer(Host& host, StunServerConfig config = {});
  ~StunServer();
  StunServer(const StunServer&) = delete;
  StunServer& operator=(const StunServer&) = delete;

  /// Where it listens.
  SocketAddress address(AddressFamily family = AddressFamily::V4) const;
  void setConfig(const StunServerConfig& config) { config_ = config; }
  uint64_t requests() const { return requests_; }
  /// Datagrams that were no Binding request.
  uint64_t strays() const { return strays_; }

 private:
  void udpArrived(uint32_t token, Packet&& packet) override;
  Host& host_;
  StunServerConfig config_;
  std::vector<uint32_t> sockets_;
  uint64_t requests_ = 0;
  uint64_t strays_ = 0;
};

}  // namespace parley::sim
