#pragma once

#include <cstdint>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"

namespace parley::media {

/// Sent packets of one stream, in plaintext, for as long as a NACK may ask for them. A ring by
/// sequence number that grows with the packets of one retention time and then allocates no more.
class SendHistory {
 public:
  struct Entry {
    int64_t sequence = -1;
    PacketBuf packet;
    Timestamp lastSent;
    bool queued = false;     ///< a repetition waits in the pacer
    bool requested = false;  ///< it was repeated because the peer asked
  };

  /// `sequence` is unwrapped. One below others counts as of its own time; one that is further below
  /// than the ring is long is not kept.
  void add(int64_t sequence, PacketBuf packet, Timestamp now);
  /// nullptr if it was never sent or is forgotten.
  Entry* find(int64_t sequence);
  /// The entry whose 16-bit number this is, nearest below the newest.
  Entry* findWrapped(uint16_t sequence);
  Entry* newest() { return find(newest_); }
  /// Forgets packets older than max(1 s, 3 RTT), so that their buffers go back to the pool.
  void cull(Timestamp now, Duration rtt);
  /// No repetition waits in the pacer any more.
  void forgetQueued();
  size_t size() const { return count_; }
  /// Numbers may begin anywhere again.
  void clear();

 private:
  Entry& at(int64_t sequence) { return ring_[static_cast<size_t>(sequence) & (ring_.size() - 1)]; }
  void drop(Entry& entry);
  void grow();

  std::vector<Entry> ring_;
  int64_t newest_ = -1;
  int64_t oldest_ = -1;  ///< not above any that is kept
  size_t count_ = 0;
};

}  // namespace parley::media
