#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/sim/packet.h"

namespace parley::sim {

/// One line of a trace: a packet leaving or reaching a host.
struct TraceRecord {
  Timestamp time;
  SocketAddress from;
  SocketAddress to;
  uint32_t size = 0;
  PacketClass packetClass = PacketClass::Other;
  bool arrival = false;

  PARLEY_EXPORT std::string toString() const;
  bool operator==(const TraceRecord&) const = default;
};

/// A running hash over every packet that left or reached a host. The same program with the same
/// seed gives the same hash. Sizes of DTLS handshake datagrams count as zero: an ECDSA signature in
/// DER is 70 to 72 bytes long, as OpenSSL's own randomness falls.
class PARLEY_EXPORT Trace {
 public:
  void add(Timestamp time, const Packet& packet, bool arrival);

  uint64_t hash() const { return hash_; }
  uint64_t count() const { return count_; }
  /// Keeps the first `limit` records, to find where two runs part.
  void keepRecords(size_t limit) { limit_ = limit; }
  const std::vector<TraceRecord>& records() const { return records_; }

 private:
  void mix(uint64_t value);
  uint64_t hash_ = 0x9e3779b97f4a7c15;
  uint64_t count_ = 0;
  size_t limit_ = 0;
  std::vector<TraceRecord> records_;
};

}  // namespace parley::sim
