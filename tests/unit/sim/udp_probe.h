#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parley/sim/world.h"

namespace parley::sim {

/// A bare UDP socket on a simulated host that remembers what came.
class UdpProbe final : public UdpSink {
 public:
  struct Arrived {
    Timestamp time;
    SocketAddress from;
    SocketAddress to;
    std::string text;
    Ecn ecn;
  };

  UdpProbe(World& world, Host& host, SocketAddress local = {}) : world_(world), host_(host) {
    result = host.bindUdp(local, false, *this, 1);
  }
  bool send(const SocketAddress& to, std::string_view text, Ecn ecn = Ecn::NotEct) {
    return host_.sendUdp(result.handle, to, asBytes(text), {.ecn = ecn});
  }
  SocketAddress address() const { return {*host_.address(), result.local.port}; }
  void udpArrived(uint32_t /*token*/, Packet&& packet) override {
    arrived.push_back({world_.now(), packet.from, packet.to,
                       std::string(asText(packet.data.span())), packet.ecn});
  }

  SocketResult result;
  std::vector<Arrived> arrived;

 private:
  World& world_;
  Host& host_;
};

}  // namespace parley::sim
