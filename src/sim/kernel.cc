#include "sim/kernel.h"

#include <algorithm>

#include "parley/base/check.h"
#include "parley/sim/node.h"

namespace parley::sim {

uint64_t splitSeed(uint64_t seed, std::string_view name) {
  // FNV-1a over the name, started from the seed.
  uint64_t hash = 0xcbf29ce484222325 ^ (seed * 0x9e3779b97f4a7c15);
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

SeededRandom Kernel::randomFor(std::string_view name) const {
  return SeededRandom(splitSeed(seed_, name));
}

void Kernel::schedule(Timestamp when, EventTarget& target, uint64_t argument) {
  if (when.isNever()) return;
  heap_.push_back({std::max(when, now_), order_++, &target, argument});
  std::push_heap(heap_.begin(), heap_.end());
}

void Kernel::fireNext() {
  PARLEY_CHECK(!heap_.empty());
  std::pop_heap(heap_.begin(), heap_.end());
  const Event event = heap_.back();
  heap_.pop_back();
  setNow(event.when);
  event.target->fire(event.argument);
}

uint32_t Kernel::park(Packet&& packet) {
  if (freeSlots_.empty()) {
    parked_.emplace_back();
    freeSlots_.push_back(static_cast<uint32_t>(parked_.size() - 1));
  }
  const uint32_t slot = freeSlots_.back();
  freeSlots_.pop_back();
  parked_[slot] = std::move(packet);
  return slot;
}

Packet Kernel::unpark(uint32_t slot) {
  freeSlots_.push_back(slot);
  return std::move(parked_[slot]);
}

Packet Kernel::duplicate(const Packet& packet) {
  Packet copy;
  copy.from = packet.from;
  copy.to = packet.to;
  copy.data = pool_.copyOf(packet.data.span());
  copy.tcp = packet.tcp;
  copy.protocol = packet.protocol;
  copy.packetClass = packet.packetClass;
  copy.txClass = packet.txClass;
  copy.ecn = packet.ecn;
  copy.dscp = packet.dscp;
  copy.hopsLeft = packet.hopsLeft;
  return copy;
}

void Kernel::claimClock() {
  if (ClockScope::current() == clock_.get()) return;
  clock_.reset();
  clock_ = std::make_unique<ClockScope>(now_);
}

void Kernel::interfacesChanged(const Host& host) {
  for (Node* node : nodes) {
    if (&node->host() == &host) node->interfacesChanged();
  }
}

Node* Kernel::takeDirty() {
  // Oldest first, as the inputs came. The list rarely holds more than two.
  Node* node = dirty_.front();
  dirty_.erase(dirty_.begin());
  return node;
}

void Kernel::violation(const std::string& what) const {
  if (violationHandler) {
    violationHandler(what);
    return;
  }
  internal::checkFailed(what.c_str(), __FILE__, __LINE__);
}

}  // namespace parley::sim
