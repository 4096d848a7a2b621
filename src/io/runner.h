#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "parley/base/driven.h"
#include "parley/io/event_loop.h"
#include "parley/io/tcp_stream.h"
#include "parley/io/udp_socket.h"

#include "io/poller.h"

namespace parley::io {

class Runner;

/// What the loop does for its runners: things that exist once per loop.
class RunnerHost {
 public:
  virtual Poller& poller() = 0;
  virtual const EventLoopOptions& options() const = 0;
  virtual EventLoopCounters& counters() = 0;
  virtual void watchInterfaces(Runner& runner) = 0;
  virtual void resolve(Runner& runner, ResolveId id, std::string host) = 0;

 protected:
  ~RunnerHost() = default;
};

/// One Driven with its sockets.
class Runner {
 public:
  Runner(RunnerHost& host, Driven& driven);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  Driven& driven() { return driven_; }
  void feed(Input&& input, Timestamp now) { driven_.handle(std::move(input), now); }
  /// Runs the Driven until it has nothing to do, or for a bounded time: then `wantsMore()`.
  void pump(Timestamp now);
  bool wantsMore() const { return more_; }
  /// Sends what waits, and nothing else.
  void flush(Timestamp now) { transmit(now); }
  Timestamp nextDeadline() const;
  /// Ends streams whose connecting or closing took too long.
  void expire(Timestamp now);
  /// Frees the sockets that were closed in this cycle: epoll may have had events for them.
  void sweep();
  void addUdpCounters(UdpCounters& sum) const;

 private:
  struct Socket;
  struct UdpEntry;
  struct StreamEntry;
  struct ListenerEntry;
  friend struct UdpEntry;
  friend struct StreamEntry;
  friend struct ListenerEntry;

  bool cycle(Timestamp now);
  void advance(Timestamp now);
  bool transmit(Timestamp now);
  void sendRun(std::span<TxPacket> packets, Timestamp now);
  void execute(Effect& effect, Timestamp now);
  void openUdp(const OpenUdp& effect, Timestamp now);
  void openTcp(const OpenTcp& effect, Timestamp now);
  void listenTcp(const ListenTcp& effect, Timestamp now);
  void close(SocketId id, Timestamp now);
  bool isFresh(SocketId id, Timestamp now);
  void fail(SocketId id, SocketFailure reason, Timestamp now);
  void watchStream(StreamEntry& stream, Timestamp now);
  void endStream(StreamEntry& stream, std::optional<SocketFailure> reason, Timestamp now);
  void retire(SocketId id);
  StreamEntry* findStream(SocketId id) const;
  void releaseAccepted(const StreamEntry& stream);

  RunnerHost& host_;
  Driven& driven_;
  std::unordered_map<SocketId, std::unique_ptr<Socket>> sockets_;
  std::vector<std::unique_ptr<Socket>> lingering_;  ///< closed streams with bytes left to send
  std::vector<std::unique_ptr<Socket>> closed_;
  UdpReceiveBuffer received_;
  std::array<TxPacket, 64> outgoing_;
  std::vector<SocketId> connecting_;  ///< streams whose deadline counts; may name ended ones
  UdpCounters closedUdp_;
  uint32_t nextAccepted_ = 0x80000000;
  Timestamp held_ = Timestamp{};  ///< not to be woken before: set after a broken machine rule
  size_t arrived_ = 0;            ///< datagrams since the last pump
  bool more_ = false;
};

}  // namespace parley::io
