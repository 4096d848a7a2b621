#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/ring_queue.h"
#include "parley/sim/host.h"

namespace parley::sim {

struct NodeCounters {
  uint64_t inputs = 0;
  uint64_t advances = 0;
  uint64_t datagramsIn = 0;
  uint64_t datagramsOut = 0;
  uint64_t bytesOut = 0;
  uint64_t unsent = 0;         ///< unknown socket, no route, above the MTU, full stream
  uint64_t poolExhausted = 0;  ///< arrivals lost for want of a buffer in the Driven's pool
};

/// Runs a `Driven` on a Host: executes its effects in the virtual network, feeds it inputs, wakes
/// it at its deadlines, and holds it to the machine rules: after advance(t), nextDeadline() > t,
/// and it must come to rest. The Driven must outlive the World's last run, or the Node be removed
/// before.
class PARLEY_EXPORT Node final : private UdpSink, private StreamSink, private EventTarget {
 public:
  Node(Kernel& kernel, Host& host, Driven& driven);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Host& host() { return host_; }
  /// Runs the Driven until it rests. World::run does it at its start and after each World::at
  /// callback; call it to see effects of a direct call at once.
  void pump();
  NodeCounters counters() const { return counters_; }

 private:
  friend class World;
  friend class Kernel;
  struct Socket {
    enum class Kind : uint8_t { Udp, Stream, Listener };
    Kind kind;
    uint32_t handle;
    bool connected = false;
  };
  void udpArrived(uint32_t token, Packet&& packet) override;
  void streamConnected(uint32_t token, const SocketAddress& local) override;
  void streamBytes(uint32_t token, ByteSpan bytes) override;
  void streamPressure(uint32_t token, bool high) override;
  void streamEnded(uint32_t token, SocketFailure reason) override;
  uint32_t streamAccepted(uint32_t listenerToken, uint32_t stream, const SocketAddress& remote,
                          const SocketAddress& local) override;
  void fire(uint64_t argument) override;

  void detach();
  void enqueue(Input&& input);
  void markDirty();
  bool cycle();
  void deliver();
  void advanceIfDue();
  void transmit(TxPacket& packet);
  void execute(Effect& effect);
  void openUdp(const OpenUdp& effect);
  void openTcp(const OpenTcp& effect);
  void listenTcp(const ListenTcp& effect);
  void closeSocket(SocketId id);
  void resolve(Resolve& effect);
  std::vector<IpAddress> gateways() const;
  void interfacesChanged();
  void noteWake();
  void armTimer();

  Kernel& kernel_;
  Host& host_;
  Driven* driven_;
  RingQueue<Input> inputs_{1u << 20};
  std::vector<Datagram> arrived_;
  std::unordered_map<SocketId, Socket> sockets_;
  std::array<TxPacket, 32> batch_;
  std::vector<Resolve> resolving_;
  std::vector<uint32_t> freeResolves_;
  uint32_t nextAccepted_ = 0x80000000;
  Timestamp armedAt_ = Timestamp::never();
  Timestamp wakeWindow_;
  uint32_t wakesInWindow_ = 0;
  bool watchesInterfaces_ = false;
  bool dirty_ = false;
  bool pumping_ = false;
  NodeCounters counters_;
};

}  // namespace parley::sim
