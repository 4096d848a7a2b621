#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/ring_queue.h"
#include "parley/sim/nat.h"
#include "parley/sim/world.h"

namespace parley::sim {

struct UpnpGatewayConfig {
  int version = 1;  ///< of the Internet Gateway Device: 1 or 2
  /// Knows no leases, as many devices of version 1: error 725.
  bool onlyPermanent = false;
  /// Ports that others have already: error 718, or another port from version 2.
  std::set<uint16_t> taken{};
  /// Answers every request for a mapping with this error.
  int error = 0;
  /// Answers nothing over TCP.
  bool mute = false;
  /// Bodies in chunks, as some devices send them.
  bool chunked = false;
  // What it says instead of what would help; empty: the truth.
  std::string location{};
  std::string description{};
  std::string externalAddress{};
};

/// A box in a home network that opens ports of the home's router by UPnP: SSDP, a description over
/// HTTP, SOAP. Must die before the World.
class PARLEY_EXPORT UpnpGateway final : private Driven {
 public:
  UpnpGateway(World& world, Segment& home, Nat& nat, UpnpGatewayConfig config = {});
  ~UpnpGateway() override;
  UpnpGateway(const UpnpGateway&) = delete;
  UpnpGateway& operator=(const UpnpGateway&) = delete;

  void setConfig(const UpnpGatewayConfig& config) { config_ = config; }
  /// As after a power cut.
  void restart();
  size_t mappings() const { return mappings_.size(); }
  uint64_t searches() const { return searches_; }
  /// Actions asked for, in order.
  const std::vector<std::string>& actions() const { return actions_; }

 private:
  void handle(Input&& input, Timestamp now) override;
  void advance(Timestamp) override {}
  size_t pollTransmit(std::span<TxPacket> out) override;
  bool pollEffect(Effect& out) override;
  Timestamp nextDeadline() const override { return Timestamp::never(); }
  PacketPool& pool() override { return pool_; }

  void answerSearch(const Datagram& datagram);
  void answerRequest(SocketId socket, const std::string& request);
  std::string act(const std::string& request, int& code);
  std::string map(const std::string& body, bool any, int& error);
  void send(SocketId socket, const SocketAddress& to, std::string_view text);

  World& world_;
  Nat& nat_;
  UpnpGatewayConfig config_;
  Host& host_;
  PacketPool pool_;
  IdAllocator ids_;
  SocketId search_{};
  SocketId listener_{};
  RingQueue<Effect> effects_{64};
  std::vector<TxPacket> transmits_;
  std::map<SocketId, std::string> requests_;    ///< by stream, as far as they have come
  std::map<uint16_t, SocketAddress> mappings_;  ///< by external port
  std::vector<std::string> actions_;
  uint64_t searches_ = 0;
  Node* node_ = nullptr;
};

}  // namespace parley::sim
