#pragma once

#include <cstdint>

#include "parley/base/driven.h"
#include "parley/base/ring_queue.h"
#include "parley/stun/message.h"

namespace parley::turn {

/// A TCP connection between an allocation's relayed address and a peer, and once the client has
/// claimed it the client's own that carries the same bytes (RFC 6062 section 5).
struct DataConnection {
  enum class State : uint8_t { Connecting, Unclaimed, Bound };

  uint32_t id = 0;    ///< CONNECTION-ID
  uint32_t slot = 0;  ///< of the allocation
  State state = State::Connecting;
  SocketAddress peer;
  SocketId peerSocket{};
  SocketId clientSocket{};            ///< once bound
  stun::TransactionId transaction{};  ///< of the Connect request
  size_t timer = 0;
  Timestamp deadline = Timestamp::never();
  RingQueue<PacketBuf> early{64};  ///< from the peer, until the client claims them
  bool peerHeld = false;           ///< what the driver was told
  bool clientHeld = false;
  bool peerFull = false;        ///< bytes for the peer pile up
  bool peerGone = false;        ///< its last bytes are on their way to the client
  Timestamp peerPausedUntil{};  ///< bandwidth caps
  Timestamp clientPausedUntil{};
};

}  // namespace parley::turn
