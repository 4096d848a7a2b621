#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "parley/base/time.h"

namespace parley {

/// A 4-ary min-heap of deadlines, one entry per key, keys being small dense integers (slot
/// numbers). `set` moves an entry in O(log4 n); `Timestamp::never()` removes it. An Endpoint keeps
/// one entry per session in it, so that a thousand idle sessions cost nothing.
class TimerHeap {
 public:
  static constexpr size_t kAbsent = static_cast<size_t>(-1);

  void set(size_t key, Timestamp when) {
    if (key >= place_.size()) place_.resize(key + 1, kAbsent);
    const size_t at = place_[key];
    if (when.isNever()) {
      if (at != kAbsent) removeAt(at);
      return;
    }
    if (at == kAbsent) {
      heap_.push_back({when, key});
      place_[key] = heap_.size() - 1;
      up(heap_.size() - 1);
      return;
    }
    const Timestamp old = heap_[at].when;
    heap_[at].when = when;
    if (when < old) {
      up(at);
    } else {
      down(at);
    }
  }
  Timestamp next() const { return heap_.empty() ? Timestamp::never() : heap_[0].when; }
  size_t nextKey() const { return heap_.empty() ? kAbsent : heap_[0].key; }
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Timestamp when;
    size_t key;
  };
  void put(size_t at, Entry e) {
    heap_[at] = e;
    place_[e.key] = at;
  }
  void up(size_t at) {
    const Entry e = heap_[at];
    while (at > 0) {
      const size_t parent = (at - 1) / 4;
      if (!(e.when < heap_[parent].when)) break;
      put(at, heap_[parent]);
      at = parent;
    }
    put(at, e);
  }
  void down(size_t at) {
    const Entry e = heap_[at];
    for (;;) {
      size_t best = at * 4 + 1;
      if (best >= heap_.size()) break;
      const size_t last = best + 4 < heap_.size() ? best + 4 : heap_.size();
      for (size_t child = best + 1; child < last; ++child) {
        if (heap_[child].when < heap_[best].when) best = child;
      }
      if (!(heap_[best].when < e.when)) break;
      put(at, heap_[best]);
      at = best;
    }
    put(at, e);
  }
  void removeAt(size_t at) {
    place_[heap_[at].key] = kAbsent;
    const Entry moved = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    put(at, moved);
    up(at);
    down(place_[moved.key]);
  }
  std::vector<Entry> heap_;
  std::vector<size_t> place_;
};

}  // namespace parley
