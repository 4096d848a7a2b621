#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"

namespace parley::io {

struct UdpSocketOptions {
  /// Asked for; the system may give less. Memory is used only while packets wait there: a loop that
  /// does not run for some milliseconds at 1 Gbit/s finds megabytes.
  int receiveBufferBytes = 4 << 20;
  int sendBufferBytes = 1 << 20;
  /// Packets of equal size to one destination become one UDP_SEGMENT message, if the kernel can.
  bool segmentation = true;
  /// Datagrams of one sender that arrive together come as one message (UDP_GRO), if the kernel can.
  bool coalescing = true;
  /// The network device that the socket is bound to (SO_BINDTODEVICE), whatever routes say; empty:
  /// none.
  std::string device{};
};

struct UdpCounters {
  uint64_t datagramsSent = 0;
  uint64_t datagramsReceived = 0;
  uint64_t sendCalls = 0;
  uint64_t receiveCalls = 0;
  uint64_t segmentedMessages = 0;   ///< UDP_SEGMENT messages
  uint64_t segmentedDatagrams = 0;  ///< datagrams in them
  uint64_t coalescedMessages = 0;   ///< UDP_GRO messages
  uint64_t sendErrors = 0;          ///< datagrams the system refused (no route, too big, ...)
  uint64_t queueDrops = 0;          ///< media too old, or a full queue, while the socket was full
  uint64_t truncated = 0;           ///< arrivals larger than a packet buffer, dropped
  uint64_t poolExhausted = 0;       ///< arrivals dropped for want of a buffer
};

struct UdpSyscalls;

/// Room for what arrives. One serves all sockets of a loop.
class PARLEY_EXPORT UdpReceiveBuffer {
 public:
  UdpReceiveBuffer();
  ~UdpReceiveBuffer();
  UdpReceiveBuffer(UdpReceiveBuffer&&) noexcept;
  UdpReceiveBuffer& operator=(UdpReceiveBuffer&&) noexcept;

 private:
  friend class UdpSocket;
  struct State;
  std::unique_ptr<State> state_;
};

/// A non-blocking UDP socket that moves batches: recvmmsg with UDP_GRO into pooled buffers,
/// sendmmsg with UDP_SEGMENT. ICMP errors and refused datagrams never end it.
class PARLEY_EXPORT UdpSocket {
 public:
  /// Null and the reason in `failure` if it does not work.
  static std::unique_ptr<UdpSocket> open(const OpenUdp& request, const UdpSocketOptions& options,
                                         SocketFailure& failure);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int fd() const;
  const SocketAddress& local() const;
  /// Interface index 0: the system's choice. Datagrams to groups leave with TTL 255 from then on.
  bool joinMulticast(const IpAddress& group, uint32_t interfaceIndex);

  /// Reads a batch of datagrams into buffers of the pool; the caller moves them out of the buffer
  /// before the next call. `socket` is not set.
  std::span<Datagram> receive(PacketPool& pool, UdpReceiveBuffer& buffer);

  /// Sends, or queues what the socket does not take now. The buffers are released or moved out.
  void send(std::span<TxPacket> packets, Timestamp now);
  /// True while packets wait for the socket to become writable.
  bool wantsWritable() const;
  /// To call when the socket is writable.
  void flush(Timestamp now);
  UdpCounters counters() const;

  /// For tests: replaces the system calls.
  void setSyscalls(const UdpSyscalls& syscalls);

 private:
  struct State;
  explicit UdpSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::io
