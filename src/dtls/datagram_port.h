#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/ring_queue.h"

namespace parley::dtls {

/// Where OpenSSL's datagrams end and ours begin: the memory behind the BIO of one connection.
///
/// In: one datagram at a time, borrowed from the caller. OpenSSL's own memory BIO would join
/// datagrams, and DTLS records may not cross them.
///
/// Out: OpenSSL treats its MTU as a hint (it leaves the record header out of the sum) and sends
/// each message of a retransmitted flight alone. So what it writes is cut at record boundaries and
/// packed anew: several records of one flight per datagram (RFC 6347 section 4.1.1 allows it),
/// never more than the MTU.
class DatagramPort {
 public:
  DatagramPort(PacketPool& pool, size_t mtu, size_t maxQueued)
      : pool_(pool), queue_(maxQueued), mtu_(mtu) {}

  // OpenSSL's side.
  /// Moves the waiting datagram out; 0 if there is none or `out` is too small for it.
  size_t read(MutableByteSpan out);
  void write(ByteSpan records);

  // The connection's side.
  /// `datagram` must stay valid until withdraw().
  void deliver(ByteSpan datagram) { inbound_ = datagram; }
  void withdraw() { inbound_ = {}; }
  bool poll(PacketBuf& out);
  /// Records written until endFlight() share datagrams.
  void beginFlight() {
    packing_ = true;
    openDatagram_ = false;
  }
  void endFlight() { packing_ = openDatagram_ = false; }
  uint64_t sent() const { return sent_; }
  uint64_t dropped() const { return dropped_; }

 private:
  void append(ByteSpan record);

  PacketPool& pool_;
  RingQueue<PacketBuf> queue_;
  ByteSpan inbound_;
  size_t mtu_;
  bool packing_ = false;
  bool openDatagram_ = false;  ///< the newest in the queue may take further records
  uint64_t sent_ = 0;
  uint64_t dropped_ = 0;
};

/// Packs the records that OpenSSL writes during one call into it.
class FlightScope {
 public:
  explicit FlightScope(DatagramPort& port) : port_(port) { port_.beginFlight(); }
  ~FlightScope() { port_.endFlight(); }
  FlightScope(const FlightScope&) = delete;
  FlightScope& operator=(const FlightScope&) = delete;

 private:
  DatagramPort& port_;
};

}  // namespace parley::dtls
