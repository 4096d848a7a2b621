#pragma once

#include <cstddef>

namespace parley::media {

/// What the sources of one session hold together. Bounded there and not per source, or a peer with
/// many sources would take every packet buffer of the loop.
struct HeldTotals {
  size_t packets = 0;     ///< packet buffers
  size_t frameBytes = 0;  ///< complete frames that wait
};

/// One source's part of such a total; given back when it dies.
class HeldShare {
 public:
  explicit HeldShare(size_t& total) : total_(total) {}
  ~HeldShare() { set(0); }
  HeldShare(const HeldShare&) = delete;
  HeldShare& operator=(const HeldShare&) = delete;

  void set(size_t value) {
    total_ = total_ - value_ + value;
    value_ = value;
  }
  size_t value() const { return value_; }

 private:
  size_t& total_;
  size_t value_ = 0;
};

}  // namespace parley::media
