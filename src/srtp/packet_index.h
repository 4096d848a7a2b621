#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace parley::srtp {

/// The 48-bit index of RTP packets from their 16-bit numbers (RFC 3711 section 3.3.1, appendix A).
class PacketIndex {
 public:
  static constexpr uint64_t kLimit = uint64_t{1} << 48;

  /// What a packet with this number would have; kLimit or more once the key is used up.
  uint64_t guess(uint16_t sequence) const {
    if (!highest_) return sequence;
    const auto last = static_cast<uint16_t>(*highest_);
    const uint64_t rollovers = *highest_ >> 16;
    if (last < 0x8000) {
      // Before the first rollover there is nothing to go back to.
      if (sequence - last > 0x8000 && rollovers > 0) return ((rollovers - 1) << 16) | sequence;
    } else if (last - 0x8000 > sequence) {
      return ((rollovers + 1) << 16) | sequence;
    }
    return (rollovers << 16) | sequence;
  }
  /// The packet was authentic (or ours).
  void commit(uint64_t index) {
    if (!highest_ || index > *highest_) highest_ = index;
  }
  std::optional<uint64_t> highest() const { return highest_; }

 private:
  std::optional<uint64_t> highest_;
};

/// Which of the last packets have been seen (RFC 3711 section 3.3.2).
class ReplayWindow {
 public:
  explicit ReplayWindow(size_t size) : size_(size) {
    size_t words = 1;
    while (words * 64 < size) words *= 2;
    bits_.resize(words);
  }

  bool isTooOld(uint64_t index) const {
    return highest_ && index < *highest_ && *highest_ - index >= size_;
  }
  bool isNew(uint64_t index) const {
    if (!highest_ || index > *highest_) return true;
    return !isTooOld(index) && (word(index) >> (index & 63) & 1) == 0;
  }
  /// `index` is new.
  void commit(uint64_t index) {
    if (!highest_) {
      highest_ = index;
    } else if (index > *highest_) {
      forget(*highest_ + 1, index);
      highest_ = index;
    }
    bits_[(index / 64) & (bits_.size() - 1)] |= uint64_t{1} << (index & 63);
  }

 private:
  uint64_t word(uint64_t index) const { return bits_[(index / 64) & (bits_.size() - 1)]; }
  /// Clears the places that indexes from..to take over.
  void forget(uint64_t from, uint64_t to) {
    if (to - from >= bits_.size() * 64) {
      std::fill(bits_.begin(), bits_.end(), 0);
      return;
    }
    for (uint64_t index = from; index <= to; ++index)
      bits_[(index / 64) & (bits_.size() - 1)] &= ~(uint64_t{1} << (index & 63));
  }

  size_t size_;
  std::vector<uint64_t> bits_;
  std::optional<uint64_t> highest_;
};

/// The index of SRTCP packets, which the sender states (RFC 3711 section 3.4).
class ReportIndex {
 public:
  static constexpr uint32_t kLimit = 0x7fffffff;

  explicit ReportIndex(uint32_t last = 0) : last_(last) {}
  /// The next one; nullopt once the key is used up (section 9.2).
  std::optional<uint32_t> take() {
    if (last_ == kLimit) return std::nullopt;
    return ++last_;
  }

 private:
  uint32_t last_;
};

}  // namespace parley::srtp
