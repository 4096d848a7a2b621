#pragma once

#include "parley/io/udp_socket.h"

#include "io/fd.h"
#include "io/tx_queue.h"
#include "io/udp_syscalls.h"

// What udp_socket.cc (opening, sending) and udp_receive.cc share.

namespace parley::io {

/// The arrays behind one sendmmsg call.
struct SendBatch;

struct UdpSocket::State {
  Fd fd;
  SocketAddress local;
  uint32_t scope = 0;
  bool boundToAny = false;
  bool segmentation = false;
  bool dontFragment = false;
  UdpSyscalls syscalls;
  size_t expected = 2;  ///< messages that the next receive call asks for
  TxQueue queue;
  UdpCounters counters;

  void configure(const UdpSocketOptions& options, bool reuseAddress);
  size_t groupSize(std::span<TxPacket* const> packets, bool mayMerge) const;
  void addMessage(SendBatch& batch, std::span<TxPacket* const> packets, size_t vectorAt);
  void setDontFragment(bool on);
  size_t build(SendBatch& batch, std::span<TxPacket* const> packets, bool mayMerge);
  size_t transmit(std::span<TxPacket* const> packets);
  bool handleError(const SendBatch& batch, int error, size_t& done, size_t& singly);
  void discardOne();
};

}  // namespace parley::io
