#include "sctp/engine/received_tsns.h"

#include <algorithm>

#include "parley/base/seq_num.h"

namespace parley::sctp {
namespace {

/// A gap block's offset has 16 bits (RFC 9260 section 3.3.4).
constexpr uint32_t kMaxAhead = 65'000;

}  // namespace

void ReceivedTsns::start(uint32_t initialTsn) {
  cumulative_ = initialTsn - 1;
  line_ = int64_t{1} << 32;
  ranges_.clear();
  duplicates_.clear();
}

ReceivedTsns::Kind ReceivedTsns::classify(uint32_t tsn) const {
  const uint32_t ahead = tsn - cumulative_;
  if (!isNewer(tsn, cumulative_)) return Kind::Duplicate;
  if (ahead == 1) return Kind::Next;
  if (ahead > kMaxAhead) return Kind::OutOfRange;
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), ahead,
                       [this](uint32_t a, const Range& r) { return a < r.first - cumulative_; });
  if (after != ranges_.begin() && !isNewer(tsn, (after - 1)->last)) return Kind::Duplicate;
  const bool touchesBefore = after != ranges_.begin() && (after - 1)->last + 1 == tsn;
  const bool touchesAfter = after != ranges_.end() && after->first == tsn + 1;
  if (!touchesBefore && !touchesAfter && ranges_.size() >= kMaxRanges) return Kind::OutOfRange;
  return Kind::Gap;
}

void ReceivedTsns::advance(uint32_t cumulative) {
  line_ += static_cast<int32_t>(cumulative - cumulative_);
  cumulative_ = cumulative;
}

/// Ranges that the cumulative TSN has reached become part of it.
void ReceivedTsns::absorb() {
  size_t gone = 0;
  while (gone < ranges_.size() && !isNewer(ranges_[gone].first, cumulative_ + 1)) {
    if (isNewer(ranges_[gone].last, cumulative_)) advance(ranges_[gone].last);
    ++gone;
  }
  ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<ptrdiff_t>(gone));
}

void ReceivedTsns::add(uint32_t tsn) {
  if (tsn == cumulative_ + 1) {
    advance(tsn);
    if (!ranges_.empty()) absorb();
    return;
  }
  if (!ranges_.empty() && ranges_.back().last + 1 == tsn) {
    ranges_.back().last = tsn;
    return;
  }
  const uint32_t ahead = tsn - cumulative_;
  auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), ahead,
                       [this](uint32_t a, const Range& r) { return a < r.first - cumulative_; });
  const bool touchesBefore = after != ranges_.begin() && (after - 1)->last + 1 == tsn;
  const bool touchesAfter = after != ranges_.end() && after->first == tsn + 1;
  if (touchesBefore && touchesAfter) {
    (after - 1)->last = after->last;
    ranges_.erase(after);
  } else if (touchesBefore) {
    (after - 1)->last = tsn;
  } else if (touchesAfter) {
    after->first = tsn;
  } else {
    ranges_.insert(after, {tsn, tsn});
  }
}

void ReceivedTsns::noteDuplicate(uint32_t tsn) {
  if (duplicates_.size() < kMaxDuplicates) duplicates_.push_back(tsn);
}

bool ReceivedTsns::forward(uint32_t cumulative) {
  if (!isNewer(cumulative, cumulative_)) return false;
  advance(cumulative);
  absorb();
  return true;
}

}  // namespace parley::sctp
