#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/random.h"
#include "parley/base/time.h"
#include "parley/sim/clock_shim.h"
#include "parley/sim/event_target.h"
#include "parley/sim/packet.h"
#include "parley/sim/trace.h"

namespace parley::sim {

class Dns;
class Node;

/// What all elements of one World share: virtual time, the event heap, the packets in flight and
/// the observers. Events run in the order of (time, insertion).
class Kernel {
 public:
  explicit Kernel(uint64_t seed) : seed_(seed) {}

  Timestamp now() const { return now_; }
  void setNow(Timestamp now) {
    now_ = now;
    clock_->set(now);
  }
  /// Makes this World's time the thread's: another World may have been made since.
  void claimClock();
  uint64_t seed() const { return seed_; }
  SeededRandom randomFor(std::string_view name) const;

  void schedule(Timestamp when, EventTarget& target, uint64_t argument);
  Timestamp nextEvent() const { return heap_.empty() ? Timestamp::never() : heap_.front().when; }
  /// Takes the earliest event, moves time to it and fires it.
  void fireNext();

  /// Stores a packet while an event for it is pending; the event carries the answer.
  uint32_t park(Packet&& packet);
  Packet unpark(uint32_t slot);
  PacketPool& pool() { return pool_; }
  Packet duplicate(const Packet& packet);

  void interfacesChanged(const Host& host);
  void markDirty(Node& node) { dirty_.push_back(&node); }
  bool hasDirty() const { return !dirty_.empty(); }
  Node* takeDirty();

  void violation(const std::string& what) const;

  Trace trace;
  Dns* dns = nullptr;
  std::vector<Node*> nodes;
  std::vector<std::function<void(const DatagramEvent&)>> sendHooks;
  std::vector<std::function<void(const DatagramEvent&)>> arrivalHooks;
  std::function<void(const std::string&)> violationHandler;

 private:
  struct Event {
    Timestamp when;
    uint64_t order;
    EventTarget* target;
    uint64_t argument;
    /// std::push_heap keeps the greatest in front: the earliest event counts as greatest.
    bool operator<(const Event& o) const {
      return when != o.when ? when > o.when : order > o.order;
    }
  };
  uint64_t seed_;
  Timestamp now_;
  std::unique_ptr<ClockScope> clock_ = std::make_unique<ClockScope>();
  uint64_t order_ = 0;
  std::vector<Event> heap_;
  PacketPool pool_{1u << 20};
  std::vector<Packet> parked_;
  std::vector<uint32_t> freeSlots_;
  std::vector<Node*> dirty_;
};

/// A seed for an element's own generator: adding an element does not reshuffle the others.
uint64_t splitSeed(uint64_t seed, std::string_view name);

}  // namespace parley::sim
