#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/random.h"
#include "parley/base/time.h"

namespace parley::turn {

/// How many bytes a source that proved nothing may still be sent. It earns what it sends and, over
/// time, a trickle up to a small advance; a table of fixed size, so that no flood makes it grow.
/// IPv6 sources count by /64.
class SourceBudget {
 public:
  /// Enough for the first challenges of a client or a handful of Binding answers.
  static constexpr int64_t kAdvance = 1024;
  static constexpr int64_t kPerSecond = 256;
  /// What a source that proved itself is trusted with for others behind the same address.
  static constexpr int64_t kTrusted = 16'384;

  explicit SourceBudget(Random& random) : key_(random.u64()), sets_(kSets) {}

  /// True if `reply` bytes may go to a source that just sent `request` bytes.
  bool spend(const IpAddress& source, size_t request, size_t reply, Timestamp now) {
    Entry& entry = find(source, now);
    entry.credit = std::min(entry.credit + static_cast<int64_t>(request), kTrusted);
    if (entry.credit < static_cast<int64_t>(reply)) return false;
    entry.credit -= static_cast<int64_t>(reply);
    return true;
  }
  void trust(const IpAddress& source, Timestamp now) { find(source, now).credit = kTrusted; }

 private:
  static constexpr size_t kSets = 4096;
  static constexpr size_t kWays = 4;
  struct Entry {
    uint64_t source = 0;
    int64_t credit = 0;
    Timestamp seen;
  };
  using Set = std::array<Entry, kWays>;

  /// Keyed, so that nobody can choose addresses which push another one out.
  uint64_t hash(const IpAddress& source) const {
    uint64_t x = key_;
    const ByteSpan bytes = source.bytes().first(source.isV4() ? 4 : 8);
    for (uint8_t byte : bytes) {
      x ^= byte;
      x *= 0x9E3779B97F4A7C15ULL;
      x ^= x >> 29;
    }
    return x | 1;  // 0 marks an empty entry
  }
  Entry& find(const IpAddress& source, Timestamp now) {
    const uint64_t id = hash(source);
    Set& set = sets_[(id >> 32) % kSets];
    Entry* oldest = &set[0];
    for (Entry& entry : set) {
      if (entry.source == id) {
        refill(entry, now);
        return entry;
      }
      if (entry.source == 0 || (oldest->source != 0 && entry.seen < oldest->seen)) oldest = &entry;
    }
    *oldest = {id, kAdvance, now};
    return *oldest;
  }
  static void refill(Entry& entry, Timestamp now) {
    const int64_t earned = (now - entry.seen).millis() * kPerSecond / 1000;
    if (earned <= 0) return;
    if (entry.credit < kAdvance) entry.credit = std::min(entry.credit + earned, kAdvance);
    entry.seen = now;
  }

  uint64_t key_;
  std::vector<Set> sets_;
};

}  // namespace parley::turn
