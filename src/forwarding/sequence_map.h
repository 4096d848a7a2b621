#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>

namespace parley::forwarding {

/// Gives the packets that one receiver gets numbers without holes: what is left out takes none.
/// What has not arrived yet takes one, for it may; if it then turns out to be left out, its number
/// is a filler's: there will never be a packet of it.
class SequenceMap {
 public:
  static constexpr int64_t kMemory = 512;

  explicit SequenceMap(uint16_t first) : next_(first) {}

  /// The packets to come count on their own; their first one gets the next number.
  void restart() { highest_.reset(); }
  /// The number of a packet that is passed on; nothing if it was already, or is too old.
  std::optional<int64_t> forward(int64_t source) {
    if (!reach(source)) {
      Entry& entry = at(source);
      if (entry.source != source || entry.state != State::Awaited) return std::nullopt;
      entry.state = State::Sent;
      return entry.out;
    }
    at(source) = {source, next_, State::Sent};
    return next_++;
  }
  /// The packet is left out. If it has a number all the same, that becomes a filler's.
  std::optional<int64_t> drop(int64_t source) {
    if (!reach(source)) {
      Entry& entry = at(source);
      if (entry.source != source || entry.state != State::Awaited) return std::nullopt;
      entry.state = State::Dropped;
      return entry.out;
    }
    at(source) = {source, -1, State::Dropped};
    return std::nullopt;
  }
  int64_t next() const { return next_; }

 private:
  enum class State : uint8_t { Awaited, Sent, Dropped };
  struct Entry {
    int64_t source = std::numeric_limits<int64_t>::min();
    int64_t out = -1;
    State state = State::Dropped;
  };
  Entry& at(int64_t source) {
    return entries_[static_cast<size_t>(source) & static_cast<size_t>(kMemory - 1)];
  }
  /// False for a packet that is not newer than all before. Else the ones between get numbers.
  bool reach(int64_t source) {
    if (!highest_) {
      entries_.fill({});
      highest_ = source;
      return true;
    }
    if (source <= *highest_) return false;
    // A gap wider than the memory is a jump: nobody will bring what is in it.
    if (source - *highest_ < kMemory) {
      for (int64_t missing = *highest_ + 1; missing < source; ++missing)
        at(missing) = {missing, next_++, State::Awaited};
    }
    highest_ = source;
    return true;
  }

  std::array<Entry, kMemory> entries_{};
  std::optional<int64_t> highest_;
  int64_t next_;
};

}  // namespace parley::forwarding
