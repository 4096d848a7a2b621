#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/export.h"
#include "parley/base/ring_queue.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/sim/packet.h"

namespace parley::sim {

enum class QueueDiscipline : uint8_t { DropTail, CoDel };

/// The bottleneck in front of a link.
struct QueueConfig {
  DataRate rate = DataRate::infinite();
  size_t limitBytes = 256 * 1024;  ///< waiting wire bytes; what would exceed it is dropped
  QueueDiscipline discipline = QueueDiscipline::DropTail;
  Duration codelTarget = Duration::millis(5);      ///< RFC 8289 section 4.3
  Duration codelInterval = Duration::millis(100);  ///< RFC 8289 section 4.3
  /// CoDel marks ECN-capable packets (CE) where it would drop others (RFC 8289 section 4.2).
  bool ecn = false;
  /// Packets that waited longer get CE if ECN-capable, with any discipline: the step marking that
  /// L4S senders expect (RFC 9331). Infinite: off.
  Duration markAbove = Duration::infinite();
};

/// A FIFO with a byte limit and, optionally, CoDel at its head. Knows no rate: its Link pulls.
class PARLEY_EXPORT PacketQueue {
 public:
  /// False (packet untouched) if it does not fit.
  bool push(Packet&& packet, Timestamp now, const QueueConfig& config);
  /// The next packet that survives the discipline; false when none is left.
  bool pop(Packet& out, Timestamp now, const QueueConfig& config);

  size_t bytes() const { return bytes_; }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  uint64_t dropped() const { return dropped_; }  ///< by CoDel
  uint64_t marked() const { return marked_; }
  /// How long the packet taken last had waited.
  Duration lastSojourn() const { return lastSojourn_; }

 private:
  struct Item {
    Packet packet;
    Timestamp queuedAt;
  };
  bool takeFront(Packet& out, Timestamp now);
  bool shouldDrop(Timestamp now, const QueueConfig& config);
  bool markInstead(Packet& packet, const QueueConfig& config);
  Duration controlLaw(const QueueConfig& config) const;

  RingQueue<Item> items_{1u << 20};
  size_t bytes_ = 0;
  uint64_t dropped_ = 0;
  uint64_t marked_ = 0;
  Duration lastSojourn_;
  // CoDel's state, named as in RFC 8289 section 5.
  Timestamp firstAboveTime_ = Timestamp::never();
  Timestamp dropNext_;
  uint32_t dropCount_ = 0;
  uint32_t lastDropCount_ = 0;
  bool dropping_ = false;
};

}  // namespace parley::sim
