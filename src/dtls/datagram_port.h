#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/ring_queue.h"

#include "dtls/record_protection.h"

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
  /// Queues a datagram that is not OpenSSL's. False, and counted, when full.
  bool push(PacketBuf datagram);
  /// Counts one that leaves without having been queued.
  void noteSent() { ++sent_; }
  /// Records written until endFlight() share datagrams.
  void beginFlight() {
    packing_ = true;
    openDatagram_ = false;
    flight_.clear();
  }
  void endFlight() { packing_ = openDatagram_ = false; }
  /// Of what is written from now on.
  void setMtu(size_t mtu) { mtu_ = mtu; }
  size_t mtu() const { return mtu_; }
  /// The records of the latest flight.
  Bytes takeFlight() { return std::exchange(flight_, {}); }
  WritePosition sealedPosition() const { return sealed_; }
  uint64_t sent() const { return sent_; }
  uint64_t dropped() const { return dropped_; }

 private:
  void note(ByteSpan record);
  void append(ByteSpan record);

  PacketPool& pool_;
  RingQueue<PacketBuf> queue_;
  ByteSpan inbound_;
  size_t mtu_;
  bool packing_ = false;
  bool openDatagram_ = false;  ///< the newest in the queue may take further records
  Bytes flight_;
  WritePosition sealed_;  ///< behind the last record of epoch 1 that OpenSSL wrote
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
