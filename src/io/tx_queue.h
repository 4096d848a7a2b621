#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "parley/base/driven.h"
#include "parley/base/ring_queue.h"
#include "parley/base/time.h"

namespace parley::io {

/// Packets that a full socket did not take: control first, then audio, video, bulk. Bounded: of
/// audio and video the oldest are dropped, and what is older than kMediaBudget; of control and bulk
/// the newest.
class TxQueue {
 public:
  static constexpr Duration kMediaBudget = Duration::millis(100);

  void push(TxPacket&& packet, Timestamp now);
  bool empty() const;
  size_t size() const;
  /// Drops media that waited too long.
  void expire(Timestamp now);
  /// Points `out` at the first packets in sending order; returns how many. They stay queued.
  size_t peek(std::span<TxPacket*> out);
  /// Removes the first `count` packets of that order.
  void drop(size_t count);
  uint64_t dropped() const { return dropped_; }

 private:
  struct Entry {
    TxPacket packet;
    Timestamp queuedAt;
  };
  static constexpr size_t kClasses = 4;
  std::array<RingQueue<Entry>, kClasses> queues_{RingQueue<Entry>(256), RingQueue<Entry>(128),
                                                 RingQueue<Entry>(512), RingQueue<Entry>(512)};
  uint64_t dropped_ = 0;
};

}  // namespace parley::io
