#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "parley/base/export.h"
#include "parley/sim/world.h"
#include "parley/stun/attributes.h"
#include "parley/turn/server.h"

namespace parley::sim {

/// What the server does wrong, for tests of clients.
struct TurnFaults {
  bool silent = false;  ///< receives and never answers
  /// Answers every Allocate request with this, with a fresh challenge if it is 401 or 438.
  std::optional<stun::StunError> allocateError{};
  /// Answers everything else (Refresh, CreatePermission, ChannelBind) with this.
  std::optional<stun::StunError> otherError{};
};

/// A STUN and TURN server on a simulated host: parley::turn::Server with UDP and TCP on port 3478
/// of both families and, if the configuration has a certificate, TLS on 5349. It relays from the
/// host's first addresses, also to the private ones that simulated networks have. Fill in `users`,
/// and whatever else is to differ. Must die before the World.
class PARLEY_EXPORT TurnServer final : private Driven {
 public:
  TurnServer(World& world, Host& host, turn::ServerConfig config);
  ~TurnServer() override;
  TurnServer(const TurnServer&) = delete;
  TurnServer& operator=(const TurnServer&) = delete;

  /// Where it listens for UDP and TCP.
  SocketAddress address(AddressFamily family = AddressFamily::V4) const;
  SocketAddress tlsAddress(AddressFamily family = AddressFamily::V4) const;
  /// For `iceServers`: "turn:10.1.0.2:3478?transport=udp".
  std::string url(turn::Transport transport = turn::Transport::Udp) const;
  /// As after a crash: all allocations and connections are gone, and nonces are void.
  void restart();
  void setFaults(const TurnFaults& faults) { faults_ = faults; }
  turn::Server& server() { return *server_; }

 private:
  void handle(Input&& input, Timestamp now) override;
  void advance(Timestamp now) override { server_->advance(now); }
  size_t pollTransmit(std::span<TxPacket> out) override;
  bool pollEffect(Effect& out) override { return server_->pollEffect(out); }
  Timestamp nextDeadline() const override { return server_->nextDeadline(); }
  PacketPool& pool() override { return pool_; }
  void begin();
  bool faulty(const Datagram& datagram);

  World& world_;
  Host& host_;
  turn::ServerConfig config_;
  TurnFaults faults_;
  int runs_ = 0;
  SeededRandom random_;
  PacketPool pool_;
  Environment environment_;
  std::unique_ptr<turn::Server> server_;
  Node* node_ = nullptr;
  std::vector<TxPacket> answers_;  ///< of faults
};

}  // namespace parley::sim
