#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"

namespace parley::io {

struct UdpSocketOptions {
  int receiveBufferBytes = 1 << 20;  ///< asked for; the system may give less
  int sendBufferBytes = 1 << 20;
  /// Packets of equal size to one destination become one UDP_SEGMENT message, if the kernel can.
  bool segmentation = true;
  /// Lets the kernel join arriving datagrams of one sender (UDP_GRO): a burst costs one pass
  /// through the network stack, and each datagram of it a copy. For servers; costs a megabyte per
  /// loop.
  bool coalescing = false;
};

struct UdpCounters {
  uint64_t datagramsSent = 0;
  uint64_t datagramsReceived = 0;
  uint64_t sendCalls = 0;
  uint64_t receiveCalls = 0;
  uint64_t segmentedMessages = 0;   ///< UDP_SEGMENT messages
  uint64_t segmentedDatagrams = 0;  ///< datagrams in them
  uint64_t coalescedMessages = 0;   ///< arrivals of several datagrams in one
  uint64_t sendErrors = 0;          ///< datagrams the system refused (no route, too big, ...)
  uint64_t queueDrops = 0;          ///< media too old, or a full queue, while the socket was full
  uint64_t truncated = 0;           ///< arrivals larger than a packet buffer, dropped
  uint64_t poolExhausted = 0;       ///< arrivals dropped for want of a buffer
};

struct UdpSyscalls;

/// Takes datagrams one by one, in the order of arrival.
class DatagramSink {
 public:
  virtual void datagramArrived(Datagram&& datagram) = 0;

 protected:
  ~DatagramSink() = default;
};

/// A non-blocking UDP socket that moves batches: recvmmsg into pooled buffers, sendmmsg with
/// UDP_SEGMENT. ICMP errors and refused datagrams never end it.
class PARLEY_EXPORT UdpSocket {
 public:
  static constexpr size_t kBatch = 32;

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

  /// Reads up to min(slots, kBatch) datagrams. Empty slots get buffers from the pool; slots behind
  /// the returned count keep theirs for the next call. `socket` is not set.
  size_t receive(PacketPool& pool, std::span<Datagram> slots);
  /// The way to read a socket whose arrivals are coalesced. `scratch` is kCoalescedBytes large and
  /// may be shared between sockets. Gives each datagram to `sink`, in a buffer of its own.
  void receiveCoalesced(PacketPool& pool, MutableByteSpan scratch, DatagramSink& sink);
  bool isCoalescing() const;
  static constexpr size_t kCoalescedBatch = 16;
  static constexpr size_t kCoalescedBytes = kCoalescedBatch * 65'536;

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
