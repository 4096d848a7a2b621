#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/id_allocator.h"
#include "parley/base/ring_queue.h"
#include "parley/ice/candidate.h"

#include "ice/frame_reader.h"

namespace parley::ice {

/// The TCP connections of local candidates, as something that carries packets: who has a
/// candidate's socket id and a remote address sends and receives on them as on a UDP socket. A
/// connection is opened by the first packet to where none is, if the candidate may; the newest
/// packet is kept until it stands.
///
/// Bounds: Limits::maxTcpConnections at a time, of which accepted ones that prove nothing give way
/// to newer ones and are closed after 8 s; outgoing ones are tried four times, and broken ones for
/// as long as there are packets for them, with pauses that grow to 8 s; 30 s of silence close any.
/// When packets pile up on a slow connection, pictures and data are dropped, whole packets.
class TcpLinks {
 public:
  TcpLinks(Environment& environment, IdAllocator& ids);

  /// `socket` of a passive or simultaneous-open candidate is that of its listener.
  void addLocal(SocketId socket, TcpType type, const SocketAddress& local);
  /// Closes its connections too, silently.
  void removeLocal(SocketId socket);
  bool isLocal(SocketId socket) const { return findLocal(socket) != nullptr; }
  /// Whether there is any connection of the candidate.
  bool inUse(SocketId socket) const;
  void closeAll();

  /// False if the packet was dropped.
  bool send(TxPacket&& packet, Timestamp now);
  /// The peer has proved to be at the other end.
  void markProven(SocketId socket, const SocketAddress& remote);

  // Each answers false if it is about none of these connections.
  bool handleAccepted(const TcpAccepted& accepted, Timestamp now);
  bool handleOpened(const SocketOpened& opened, Timestamp now);
  bool handleFailed(const SocketFailed& failed, Timestamp now);
  bool handleStream(StreamBytes&& bytes, Timestamp now);
  bool handlePressure(const StreamPressure& pressure);

  struct Lost {
    SocketId socket{};  ///< of the candidate
    SocketAddress remote;
  };
  bool pollLost(Lost& out);
  bool pollReceived(Datagram& out);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

 private:
  struct Local {
    SocketId socket{};
    TcpType type;
    SocketAddress address;
  };
  enum class State : uint8_t { Connecting, Open, Resting };
  struct Link {
    explicit Link(PacketPool& pool) : reader(pool) {}
    SocketId socket{};  ///< of the candidate
    SocketId stream{};  ///< of the connection; meaningless while Resting
    SocketAddress local;
    SocketAddress remote;
    State state = State::Connecting;
    bool accepted = false;
    bool proven = false;
    bool greeted = false;  ///< its first packet was a check or the answer to one
    bool pressure = false;
    bool everOpen = false;
    int failures = 0;  ///< in a row
    Timestamp since;   ///< of the state
    Timestamp lastUsed;
    Timestamp retryAt;  ///< while Resting
    FrameReader reader;
    PacketBuf waiting;
  };
  using Links = std::vector<std::unique_ptr<Link>>;

  const Local* findLocal(SocketId socket) const;
  Link* find(SocketId socket, const SocketAddress& remote) const;
  Link* findStream(SocketId stream) const;
  Link* add(SocketId socket, const SocketAddress& remote, Timestamp now);
  bool makeRoom();
  void open(Link& link, Timestamp now);
  bool write(Link& link, TxPacket&& packet, Timestamp now);
  void setOpen(Link& link, const SocketAddress& local, Timestamp now);
  void rest(Link& link, Timestamp now);
  void failed(Link& link, SocketFailure reason, Timestamp now);
  /// Ends a connection that stands or is being made.
  void hangUp(const Link& link);
  void lose(const Link& link);
  void remove(const Link& link);
  Timestamp deadlineOf(const Link& link) const;
  void expire(Link& link, Timestamp now);

  Environment& env_;
  IdAllocator& ids_;
  MonotonicGuard clock_;
  std::vector<Local> locals_;
  Links links_;
  RingQueue<Datagram> received_{256};
  RingQueue<TxPacket> transmits_{256};
  RingQueue<Effect> effects_{128};
  RingQueue<Lost> lost_{64};
};

}  // namespace parley::ice
