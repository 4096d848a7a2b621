#include "media/arrival_delay.h"

#include <algorithm>

namespace parley::media {

void ArrivalDelay::update(int64_t rtp, Timestamp arrival) {
  const Duration offset = arrival - toMedia(rtp);
  const bool full = count_ == kWindow;
  const Duration leaving = offsets_[next_];
  offsets_[next_] = offset;
  next_ = (next_ + 1) % kWindow;
  if (!full) ++count_;
  if (count_ == 1 || offset <= minOffset_) {
    minOffset_ = offset;
  } else if (full && leaving == minOffset_) {
    minOffset_ = *std::min_element(offsets_.begin(), offsets_.end());
  }
}

void ArrivalDelay::reset() {
  count_ = 0;
  next_ = 0;
}

Duration ArrivalDelay::quantile(double share) const {
  if (count_ == 0) return Duration::zero();
  std::array<Duration, kWindow> sorted;
  std::copy_n(offsets_.begin(), count_, sorted.begin());
  const size_t at = std::min(static_cast<size_t>(share * static_cast<double>(count_)), count_ - 1);
  const auto end = sorted.begin() + static_cast<ptrdiff_t>(count_);
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(at), end);
  return sorted[at] - minOffset_;
}

}  // namespace parley::media
