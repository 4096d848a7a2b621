#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"

namespace parley::forwarding {

/// The last packets of one encoding as they came in: the one copy that all receivers' requests for
/// missing packets are answered from.
class PacketCache {
 public:
  explicit PacketCache(size_t size) : ring_(size) {}  // a power of two

  void add(int64_t sequence, PacketBuf packet, Timestamp now) {
    Entry& entry = ring_[place(sequence)];
    if (entry.sequence > sequence) return;  // older than what all have
    entry = {sequence, std::move(packet), now};
  }
  const PacketBuf* find(int64_t sequence) const {
    const Entry& entry = ring_[place(sequence)];
    return entry.sequence == sequence && entry.packet ? &entry.packet : nullptr;
  }
  /// Gives back the buffers of packets that came before `time`.
  void cull(Timestamp time) {
    for (Entry& entry : ring_) {
      if (entry.packet && entry.added < time) entry.packet.reset();
    }
  }

 private:
  struct Entry {
    int64_t sequence = std::numeric_limits<int64_t>::min();
    PacketBuf packet;
    Timestamp added;
  };
  size_t place(int64_t sequence) const {
    return static_cast<size_t>(sequence) & (ring_.size() - 1);
  }
  std::vector<Entry> ring_;
};

}  // namespace parley::forwarding
