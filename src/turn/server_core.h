#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parley/base/id_allocator.h"
#include "parley/base/ring_queue.h"
#include "parley/base/timer_heap.h"
#include "parley/stun/message_builder.h"
#include "parley/turn/server.h"

#include "turn/allocation.h"
#include "turn/data_connection.h"
#include "turn/server_auth.h"
#include "turn/source_budget.h"
#include "turn/stream_framer.h"

namespace parley::turn {

/// What stands behind `Server`.
///
/// Parts: server.cc (sockets, streams, timers), server_requests.cc (what clients ask for),
/// server_allocate.cc (Allocate and the opening of relays), server_relay.cc (the path of data),
/// server_connections.cc (relayed TCP connections).
class ServerCore {
 public:
  ServerCore(Environment& environment, ServerConfig config);

  void start(Timestamp now);
  void close(Timestamp now);
  bool pollEvent(ServerEvent& out);
  void handle(Input&& input, Timestamp now);
  void advance(Timestamp now);
  size_t pollTransmit(std::span<TxPacket> out);
  bool pollEffect(Effect& out);
  Timestamp nextDeadline() const;
  PacketPool& pool() { return env_.pool; }
  const ServerCounters& counters() const { return counters_; }
  size_t allocationCount() const { return live_; }
  size_t streamCount() const { return streams_.size(); }
  std::vector<AllocationInfo> allocations(Timestamp now) const;

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};

  enum class TimerKind : uint8_t { Allocation, Stream, Connection };
  struct Listener {
    SocketId socket{};
    Transport transport = Transport::Udp;
    size_t index = 0;
  };
  struct Stream {
    explicit Stream(PacketPool& pool) : framer(pool) {}
    ClientPath path;
    std::optional<dtls::TlsSession> tls;
    StreamFramer framer;
    uint32_t allocation = kNone;
    uint32_t connection = 0;  ///< carries bytes of this DataConnection, and no messages any more
    size_t timer = 0;
    Timestamp idleAt = Timestamp::never();
    bool pressure = false;
    bool broken = false;  ///< to be closed as soon as nobody holds a reference
  };
  struct RelayOwner {
    uint32_t slot = kNone;
    uint8_t index = 0;
    bool reserved = false;
  };
  struct Reservation {
    Bytes token;
    std::string account;
    SocketId socket{};
    SocketAddress bound;
    SocketAddress advertised;
    Timestamp expiresAt;
  };
  struct ClientKey {
    SocketId socket{};
    SocketAddress remote;
    bool operator==(const ClientKey&) const = default;
  };
  struct ClientKeyHash {
    size_t operator()(const ClientKey& key) const {
      return std::hash<SocketAddress>{}(key.remote) ^ (size_t{key.socket.value} * 0x9E3779B9u);
    }
  };

  // server.cc
  void handleDatagram(Datagram&& datagram, Timestamp now);
  void handleOpened(const SocketOpened& opened, Timestamp now);
  void handleFailed(const SocketFailed& failed, Timestamp now);
  void handleAccepted(const TcpAccepted& accepted, Timestamp now);
  void handlePressure(const StreamPressure& pressure, Timestamp now);
  void handleBytes(StreamBytes&& bytes, Timestamp now);
  void feedFrames(Stream& stream, ByteSpan bytes, Timestamp now);
  void pumpTls(Stream& stream, Timestamp now);
  void drainTls(Stream& stream);
  void markBroken(Stream& stream);
  void sweepBroken(Timestamp now);
  void closeStream(SocketId socket, Timestamp now);
  void armStream(Stream& stream, Timestamp now);
  Listener* findListener(SocketId socket);
  void deleteAllocation(uint32_t slot);
  void armAllocation(const Allocation& allocation);
  bool transmit(const ClientPath& path, PacketBuf message, TxClass txClass, Ecn ecn, Timestamp now);
  bool push(TxPacket&& packet);
  void runTimer(size_t key, Timestamp now);
  size_t newTimer(TimerKind kind, uint32_t value);
  void dropTimer(size_t key);

  // server_requests.cc
  void handleMessage(const ClientPath& path, PacketBuf message, Ecn ecn, Timestamp now);
  void handleRequest(const stun::Message& request, const ClientPath& path, Timestamp now);
  void handleBinding(const stun::Message& request, const ClientPath& path, Timestamp now);
  const SocketAddress* discoveryAddress(const ClientPath& path);
  ClientPath pathFrom(const SocketAddress& local, const ClientPath& path) const;
  void handleRefresh(const stun::Message& request, const ClientPath& path, Allocation& allocation,
                     const ServerAuth::Identity& identity, Timestamp now);
  void handleMove(const stun::Message& request, const ClientPath& path, ByteSpan ticket,
                  const ServerAuth::Identity& identity, Timestamp now);
  void handlePermission(const stun::Message& request, const ClientPath& path,
                        Allocation& allocation, const ServerAuth::Identity& identity,
                        Timestamp now);
  void handleChannelBind(const stun::Message& request, const ClientPath& path,
                         Allocation& allocation, const ServerAuth::Identity& identity,
                         Timestamp now);
  void refuse(const stun::Message& request, const ClientPath& path, stun::StunError code,
              const ServerAuth::Identity* identity, Timestamp now,
              std::span<const uint16_t> unknown = {});
  void challenge(const stun::Message& request, const ClientPath& path, stun::StunError code,
                 Timestamp now);
  void answer(stun::MessageBuilder& builder, PacketBuf packet, const ClientPath& path,
              const ServerAuth::Identity& identity, Timestamp now);
  void answerUnproven(PacketBuf packet, size_t requestSize, const ClientPath& path, Timestamp now);
  void grantPermission(Allocation& allocation, const IpAddress& peer, Timestamp now);
  bool mayReach(const IpAddress& peer) const;
  bool isOwnRelay(const IpAddress& ip) const;
  Duration lifetimeFor(const stun::Message& request) const;
  Allocation* allocationOf(const ClientPath& path);

  // server_allocate.cc
  void handleAllocate(const stun::Message& request, const ClientPath& path,
                      const ServerAuth::Identity& identity, Timestamp now);
  struct RelayWish {
    bool v4 = false;
    bool v6 = false;
    bool additional = false;  ///< IPv6 is wished for but may be missing
    bool evenPort = false;
    bool reserve = false;
    bool tcp = false;
    ByteSpan token;
  };
  std::optional<RelayWish> relayWish(const stun::Message& request, const ClientPath& path,
                                     stun::StunError& error) const;
  Allocation* newAllocation(const stun::Message& request, const ClientPath& path,
                            const ServerAuth::Identity& identity, Timestamp now);
  bool takeReservation(Allocation& allocation, ByteSpan token);
  void openRelay(Allocation& allocation, AddressFamily family);
  void relayOpened(RelayOwner owner, const SocketOpened& opened, Timestamp now);
  void relayFailed(RelayOwner owner, SocketFailure reason, Timestamp now);
  void listenForPeers(Allocation& allocation, uint8_t index);
  void closeRelay(const Allocation& allocation, Allocation::Relay& relay);
  void tryFinish(Allocation& allocation, Timestamp now);
  void refuseAllocation(Allocation& allocation, stun::StunError code, Timestamp now);
  void sendAllocated(Allocation& allocation, Timestamp now);
  const ServerRelay* relayConfig(AddressFamily family) const;
  uint16_t randomPort(bool even);
  void expireReservations(Timestamp now);

  // server_relay.cc
  void handleSend(const stun::Message& message, Allocation& allocation, PacketBuf packet, Ecn ecn,
                  Timestamp now);
  void handleChannelData(Allocation& allocation, PacketBuf packet, Ecn ecn, Timestamp now);
  void toPeer(Allocation& allocation, const SocketAddress& peer, PacketBuf data, Ecn ecn,
              Timestamp now);
  void fromPeer(uint32_t slot, const SocketAddress& peer, PacketBuf data, Ecn ecn, Timestamp now);

  // server_connections.cc
  void handleConnect(const stun::Message& request, const ClientPath& path, Allocation& allocation,
                     const ServerAuth::Identity& identity, Timestamp now);
  void handleConnectionBind(const stun::Message& request, const ClientPath& path,
                            const ServerAuth::Identity& identity, Timestamp now);
  void acceptPeer(const TcpAccepted& accepted, RelayOwner owner, Timestamp now);
  DataConnection& newConnection(Allocation& allocation, const SocketAddress& peer,
                                SocketId peerSocket);
  std::optional<SocketAddress> connectable(const SocketAddress& peer) const;
  bool hasRoomForConnection(const Allocation& allocation) const;
  DataConnection* connectionOfPeer(SocketId socket);
  DataConnection* claimedBy(const stun::Message& request);
  void peerOpened(DataConnection& connection, Timestamp now);
  void peerFailed(DataConnection& connection, SocketFailure reason, Timestamp now);
  void fromPeerStream(DataConnection& connection, PacketBuf data, Timestamp now);
  void fromClientStream(Stream& stream, PacketBuf data, Timestamp now);
  bool toClientStream(DataConnection& connection, PacketBuf data, Timestamp now);
  void finishIfDrained(DataConnection& connection);
  void hold(DataConnection& connection, Timestamp now);
  void endConnection(uint32_t id);
  void connectionTimer(DataConnection& connection, Timestamp now);

  Environment& env_;
  const ServerConfig config_;
  IdAllocator ids_;
  MonotonicGuard clock_;
  ServerAuth auth_;
  SourceBudget budget_;
  RateLimit rate_;
  bool started_ = false;
  bool closed_ = false;

  std::vector<Listener> listeners_;
  std::unordered_map<SocketId, std::unique_ptr<Stream>> streams_;
  std::unordered_map<IpAddress, size_t> streamsFrom_;
  std::vector<SocketId> broken_;  ///< streams to close at the end of the call
  std::vector<std::unique_ptr<Allocation>> slots_;
  std::vector<uint32_t> freeSlots_;
  size_t live_ = 0;
  std::unordered_map<ClientKey, uint32_t, ClientKeyHash> clients_;  ///< of UDP
  std::unordered_map<SocketId, RelayOwner> relays_;
  std::unordered_map<SocketAddress, RelayOwner> relayAddresses_;  ///< advertised ones
  std::unordered_map<SocketAddress, RelayOwner> tcpRelays_;       ///< by bound address
  std::unordered_map<uint32_t, std::unique_ptr<DataConnection>> connections_;
  std::unordered_map<SocketId, uint32_t> peerSockets_;
  std::unordered_map<std::string, Account> accounts_;
  std::vector<Reservation> reservations_;
  // Bursts come from one client or peer: the last look-ups are remembered.
  ClientKey lastClient_;
  uint32_t lastClientSlot_ = kNone;
  SocketId lastRelay_{};
  RelayOwner lastRelayOwner_;

  /// Keys of the heap: what a timer is of.
  struct TimerOwner {
    TimerKind kind = TimerKind::Allocation;
    uint32_t value = 0;  ///< slot of an allocation, socket of a stream, or id of a connection
  };
  TimerHeap timers_;
  std::vector<TimerOwner> timerOwners_;
  std::vector<size_t> freeTimers_;
  std::vector<size_t> allocationTimers_;  ///< by slot

  RingQueue<TxPacket> transmits_;
  RingQueue<Effect> effects_;
  RingQueue<ServerEvent> events_{256};
  ServerCounters counters_;
};

}  // namespace parley::turn
