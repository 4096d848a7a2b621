#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "parley/sim/host.h"

#include "sim/tcp_connection.h"

namespace parley::sim {

/// All TCP of one host.
class TcpStack {
 public:
  TcpStack(Kernel& kernel, Host& host) : kernel_(kernel), host_(host) {}

  SocketResult listen(const SocketAddress& local, StreamSink& sink, uint32_t token);
  SocketResult connect(const SocketAddress& local, const SocketAddress& remote, StreamSink& sink,
                       uint32_t token);
  bool send(uint32_t id, ByteSpan bytes, TxClass txClass);
  void hold(uint32_t id, bool hold);
  void close(uint32_t id);
  void dropSink(const StreamSink* sink);
  void receive(Packet&& packet);
  void timer(uint64_t argument);

  // For connections.
  Kernel& kernel() { return kernel_; }
  void transmit(Packet&& packet) { host_.transmit(std::move(packet)); }
  void schedule(Timestamp when, uint32_t id, uint32_t generation);

 private:
  struct Listener {
    uint32_t handle;
    SocketAddress local;
    StreamSink* sink;
    uint32_t token;
  };
  using Tuple = std::pair<SocketAddress, SocketAddress>;
  TcpConnection* find(uint32_t id);
  TcpConnection* accept(const Packet& syn);
  void refuse(const Packet& packet);
  void removeDead(uint32_t id);

  Kernel& kernel_;
  Host& host_;
  std::vector<Listener> listeners_;
  std::map<uint32_t, std::unique_ptr<TcpConnection>> connections_;
  std::map<Tuple, uint32_t> byTuple_;
};

}  // namespace parley::sim
