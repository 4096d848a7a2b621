#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "parley/base/driven.h"
#include "parley/stun/message.h"
#include "parley/turn/transport.h"

#include "turn/rate_limit.h"
#include "turn/server_auth.h"

namespace parley::turn {

/// Where a client's messages come from and its answers go to.
struct ClientPath {
  SocketId socket{};  ///< the listener's of UDP, the connection's of streams
  SocketAddress remote;
  SocketAddress local;
  Transport transport = Transport::Udp;
};

/// What all allocations of one user share. Lives as long as one of them.
struct Account {
  size_t allocations = 0;
  RateLimit rate;
};

/// What the server keeps for one client (RFC 8656 section 2.2).
struct Allocation {
  struct Relay {
    SocketId socket{};
    SocketAddress bound;
    SocketAddress advertised;
    bool wanted = false;
    bool open = false;
    int attempts = 0;
    /// EVEN-PORT with reservation: the socket of the next port, until it has its own allocation.
    SocketId reserved{};
    bool reservedOpen = false;
  };
  struct Permission {
    IpAddress peer;
    Timestamp expiresAt;
  };
  struct Channel {
    uint16_t number = 0;
    SocketAddress peer;
    Timestamp expiresAt;
  };

  uint32_t slot = 0;
  ClientPath client;
  ServerAuth::Identity owner;
  Account* account = nullptr;
  std::array<Relay, 2> relays;        ///< [0] IPv4, [1] IPv6
  stun::TransactionId transaction{};  ///< of the Allocate request
  bool pending = true;                ///< relays are being opened; not answered yet
  bool evenPort = false;
  bool reserve = false;
  bool bothFamilies = false;
  bool tcp = false;                   ///< RFC 6062
  std::vector<uint32_t> connections;  ///< ids of the relayed ones
  Bytes reservationToken;
  Bytes ticket;  ///< RFC 8016
  Duration lifetime;
  Timestamp madeAt;
  Timestamp expiresAt;
  std::vector<Permission> permissions;
  std::vector<Channel> channels;
  size_t lastChannel = 0;     ///< index of the channel that was used last, out and in
  size_t lastPermission = 0;  ///< the same of permissions
  RateLimit toPeers;
  RateLimit toClient;
  uint64_t bytesToPeers = 0;
  uint64_t bytesToClient = 0;

  Relay& relay(AddressFamily family) { return relays[family == AddressFamily::V4 ? 0 : 1]; }

  bool permits(const IpAddress& peer, Timestamp now) {
    if (lastPermission < permissions.size() && permissions[lastPermission].peer == peer)
      return permissions[lastPermission].expiresAt > now;
    for (size_t i = 0; i < permissions.size(); ++i) {
      if (permissions[i].peer != peer) continue;
      lastPermission = i;
      return permissions[i].expiresAt > now;
    }
    return false;
  }
  const Channel* channelTo(const SocketAddress& peer, Timestamp now) {
    const auto hit = [&](size_t i) { return channels[i].peer == peer; };
    size_t at = lastChannel;
    if (at >= channels.size() || !hit(at)) {
      for (at = 0; at < channels.size() && !hit(at);) ++at;
    }
    if (at == channels.size() || channels[at].expiresAt <= now) return nullptr;
    lastChannel = at;
    return &channels[at];
  }
  const Channel* channelBy(uint16_t number, Timestamp now) {
    const auto hit = [&](size_t i) { return channels[i].number == number; };
    size_t at = lastChannel;
    if (at >= channels.size() || !hit(at)) {
      for (at = 0; at < channels.size() && !hit(at);) ++at;
    }
    if (at == channels.size() || channels[at].expiresAt <= now) return nullptr;
    lastChannel = at;
    return &channels[at];
  }
};

}  // namespace parley::turn
