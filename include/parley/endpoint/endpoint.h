#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/ring_queue.h"
#include "parley/base/strong_id.h"
#include "parley/base/timer_heap.h"
#include "parley/endpoint/shared_ports.h"
#include "parley/endpoint/socket_table.h"
#include "parley/ice/mdns_resolver.h"
#include "parley/jsep/session.h"

// The endpoint layer: many sessions, their sockets, and who gets which datagram. It may use jsep
// and what lies below; it knows neither threads nor callbacks (api) nor real sockets (io).
//
// Path of a packet in: handle(Datagram) -> SocketTable (who owns the socket, O(1)) ->
// Session::handle. Out: Session::pollTransmit -> number of the socket translated -> pollTransmit.
// Every session opens sockets of its own, as browsers do, unless the endpoint was given ports that
// all share (SharedPorts), as servers want it. Names that end in .local are looked up
// here for all of them, with one pair of multicast sockets; other names are the driver's to look
// up.

namespace parley::endpoint {

/// Names a session of an endpoint; a number that is given again comes with another generation.
using SessionId = StrongId<struct SessionIdTag>;
struct WaitingStream;

/// What an endpoint is made with; fixed from then on.
struct EndpointConfig {
  Limits limits{};
  size_t maxPacketSlots = 65536;  ///< bound of the packet pool, 2 KiB each
  /// For drivers that fill received packets and drop sent ones while another thread is inside the
  /// endpoint. Must outlive it.
  PoolLock* poolLock = nullptr;
  /// What transfers may take beyond each connection's beginning; null: a budget of the endpoint's
  /// own of Limits::maxSharedBuffers. One given here may be shared with other endpoints and must
  /// outlive them all.
  MemoryBudget* memory = nullptr;
  /// Addresses to bind (port 0: any free one; address unspecified: all of that family), one UDP
  /// port each, which all sessions share: host candidates are made of these alone. Empty: each
  /// session has sockets of its own. Two connections between the same two addresses cannot be told
  /// apart, so peers should not share a port among connections to here themselves.
  std::vector<SocketAddress> sharedPorts{};
  /// The same for TCP: where sessions that listen do so. An accepted connection belongs to the
  /// session whose user fragment its first check names, which has to come within 5 s.
  std::vector<SocketAddress> sharedTcpPorts{};
};

/// Counters of what never reached a session.
struct EndpointCounters {
  uint64_t datagramsUnrouted = 0;  ///< no session wanted them
  uint64_t datagramsOversized = 0;
  uint64_t streamsUnrouted = 0;  ///< accepted connections that were closed as nobody's
};

/// Runs any number of sessions over one `Driven`. Thread-compatible: one thread at a time.
class PARLEY_EXPORT Endpoint final : public Driven {
 public:
  Endpoint(Random& random, LogSink& log, EndpointConfig config = {});
  ~Endpoint() override;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Refreshed by the driver; sender reports, SDP session ids and certificates read it.
  void setWallClock(WallClock clock) { environment_.wallClock = clock; }
  const Environment& environment() const { return environment_; }
  Environment& environment() { return environment_; }

  SessionId createSession(jsep::SessionConfig config, Timestamp now);
  /// The session, or nullptr after it was destroyed. Whoever changes it calls `touch` afterwards.
  jsep::Session* session(SessionId id);
  /// Collects what the session produced and re-arms its timer.
  void touch(SessionId id, Timestamp now);
  /// Messages were sent through the session: `pollTransmit` gives them at once, ahead of the rest
  /// of what Session::pump and `touch` do, which stay due.
  void expectTransmits(SessionId id, Timestamp now);
  /// Whether pollReady() has something.
  bool hasReady() const { return !ready_.empty(); }
  /// Drops the session at once, with its sockets. A polite ending is Session::close() first, then
  /// draining until `Session::drained()`.
  void destroySession(SessionId id);
  size_t sessionCount() const { return liveSessions_; }

  /// Sessions that have events or messages to deliver, each named once, in the order they woke up.
  bool pollReady(SessionId& out);

  /// Checks for nobody, on shared ports: at most 256 wait, further ones are only counted.
  bool pollUnknownUfrag(UnknownUfrag& out) {
    return shared_.pollUnknownUfrag(out) || sharedTcp_.pollUnknownUfrag(out);
  }
  /// The addresses of the shared ports that are open.
  std::vector<SocketAddress> sharedAddresses() const { return addressesOf(shared_); }
  std::vector<SocketAddress> sharedTcpAddresses() const { return addressesOf(sharedTcp_); }
  const SharedPortsCounters& sharedCounters() const { return shared_.counters(); }

  // Driven
  void handle(Input&& input, Timestamp now) override;
  void handleDatagrams(std::span<Datagram> datagrams, Timestamp now) override;
  void advance(Timestamp now) override;
  size_t pollTransmit(std::span<TxPacket> out) override;
  bool pollEffect(Effect& out) override;
  Timestamp nextDeadline() const override;
  PacketPool& pool() override { return pool_; }

  const EndpointCounters& counters() const { return counters_; }

 private:
  struct Slot {
    std::unique_ptr<jsep::Session> session;
    uint32_t generation = 0;
    bool ready = false;
    bool hasOutput = false;
    bool wantsInterfaces = false;
    bool unarmed = false;
    std::vector<ResolveId> resolving;  ///< numbers towards the driver
    std::vector<std::string> names;    ///< that stand for addresses of this machine
  };
  Slot* slotOf(SessionId id);
  void collect(size_t index, Timestamp now);
  void translateEffect(size_t index, Effect&& effect, Timestamp now);
  void openShared();
  /// Gives the session its part of a shared port; false if there are none or it wants another kind.
  bool shareSocket(size_t index, const OpenUdp& wish, Timestamp now);
  bool shareListener(size_t index, const ListenTcp& wish, Timestamp now);
  static std::vector<SocketAddress> addressesOf(const SharedPorts& ports);
  void handleShared(size_t port, Input&& input, Timestamp now);
  void handleSharedTcp(SocketId number, size_t port, Input&& input, Timestamp now);
  void noteShared(SharedPorts& shared, size_t port, const Input& input, Timestamp now);
  template <class OnSocket>
  void handleOnSocket(const SocketTable::Owner& owner, OnSocket&& input, Timestamp now);
  void routeShared(size_t port, std::span<Datagram> datagrams, Timestamp now);
  // endpoint_tcp.cc
  void accept(TcpAccepted&& accepted, Timestamp now);
  void closeWaiting(SocketId socket);
  void expireWaiting(Timestamp now);
  void handleWaiting(Input&& input, Timestamp now);
  bool handOver(WaitingStream& waiting, Timestamp now);
  std::optional<SocketId> socketFor(size_t index, TxPacket& packet);
  void collectOwn(Timestamp now);
  ice::MdnsResolver& mdns();
  void handleName(size_t index, const ice::HostName& name, Timestamp now);
  void resolve(size_t index, Resolve&& wish, Timestamp now);
  void routeResolved(Resolved&& resolved, Timestamp now);
  void handleOwn(Input&& input, Timestamp now);
  bool pollOwnTransmit(TxPacket& out);
  void setInterfaces(std::vector<NetworkInterface> interfaces, Timestamp now);
  void deliver(size_t index, Input&& input, Timestamp now);
  void markReady(size_t index);
  void disarm(size_t index);
  void arm();
  void askTogether(Timestamp now);

  PacketPool pool_;
  MemoryBudget memory_;
  Environment environment_;
  std::vector<Slot> slots_;
  std::vector<size_t> freeSlots_;
  size_t liveSessions_ = 0;
  TimerHeap timers_;
  TimerHeap consents_;  ///< when each session may ask for consent, if others do
  SocketTable sockets_;
  SharedPorts shared_;
  SharedPorts sharedTcp_;
  std::unique_ptr<class WaitingStreams> waiting_;
  RingQueue<Effect> effects_;
  RingQueue<size_t> ready_;
  RingQueue<size_t> output_;     ///< sessions with packets to send, in the order of their turns
  std::vector<size_t> unarmed_;  ///< sessions whose timer is older than what they did last
  size_t turn_ = 0;              ///< what the first of them has sent in its turn
  bool watching_ = false;
  bool haveInterfaces_ = false;
  std::vector<NetworkInterface> interfaces_;
  struct PendingResolve {
    size_t session = 0;
    ResolveId sessionId{};
  };
  std::unordered_map<uint32_t, PendingResolve> resolving_;  ///< by our number
  IdAllocator ids_;
  /// Made with the first hidden name: most endpoints never need one.
  std::unique_ptr<ice::MdnsResolver> mdns_;
  MonotonicGuard clock_;
  EndpointCounters counters_;
};

}  // namespace parley::endpoint
