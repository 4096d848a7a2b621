#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley::sctp {

/// Which TSNs have arrived, for duplicates, SACKs and gaps.
class ReceivedTsns {
 public:
  enum class Kind : uint8_t {
    Next,  ///< directly behind the cumulative TSN
    Gap,   ///< new, with others missing before it
    Duplicate,
    OutOfRange,  ///< farther ahead than a gap block could tell, or one gap too many to keep
  };
  struct Range {
    uint32_t first, last;
  };
  /// As many as a long fat path leaves behind when its queue overflows; a hostile peer that leaves
  /// a gap behind every chunk gets no more either.
  static constexpr size_t kMaxRanges = 8192;
  static constexpr size_t kMaxDuplicates = 16;

  void start(uint32_t initialTsn);
  Kind classify(uint32_t tsn) const;
  /// Only what classify() calls Next or Gap.
  void add(uint32_t tsn);
  void noteDuplicate(uint32_t tsn);
  /// FORWARD TSN: everything up to here counts as arrived. False: not ahead of what has.
  bool forward(uint32_t cumulative);

  uint32_t cumulative() const { return cumulative_; }
  /// The highest TSN that has arrived.
  uint32_t highest() const { return ranges_.empty() ? cumulative_ : ranges_.back().last; }
  const std::vector<Range>& ranges() const { return ranges_; }
  const std::vector<uint32_t>& duplicates() const { return duplicates_; }
  void clearDuplicates() { duplicates_.clear(); }
  /// Gives memory of past gaps back.
  void trim() {
    ranges_.shrink_to_fit();
    duplicates_.shrink_to_fit();
  }
  /// A position on a line that does not wrap, for a TSN near the cumulative one.
  int64_t unwrap(uint32_t tsn) const { return line_ + static_cast<int32_t>(tsn - cumulative_); }

 private:
  void absorb();
  void advance(uint32_t cumulative);

  uint32_t cumulative_ = 0;
  int64_t line_ = 0;  ///< of the cumulative TSN
  std::vector<Range> ranges_;
  std::vector<uint32_t> duplicates_;
};

}  // namespace parley::sctp
