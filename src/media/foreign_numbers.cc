#include "media/foreign_numbers.h"

#include <algorithm>

namespace parley::media {

void ForeignNumbers::begin(uint32_t ssrc, uint16_t sequence, int64_t next) {
  ssrc_ = ssrc;
  source_.reset();
  offset_ = next - source_.unwrap(sequence);
  floor_ = next;
  newest_ = next - 1;
  given_.reset();
}

std::optional<ForeignNumbers::Numbers> ForeignNumbers::map(uint32_t ssrc, uint16_t sequence,
                                                           uint32_t timestamp, int64_t next,
                                                           uint32_t lastTimestamp,
                                                           uint32_t clockTimestamp) {
  const bool known = ssrc_ == ssrc;
  // Others have sent in between (padding, tones, frames): what follows goes behind that.
  if (known && next != newest_ + 1) {
    offset_ += next - (newest_ + 1);
    floor_ = next;
    newest_ = next - 1;
    given_.reset();
  }
  const int64_t distance = known ? source_.peek(sequence) + offset_ - newest_ : 0;
  const bool restarts = !known || distance > kMaxDropout || distance <= -kWindow;
  if (restarts) begin(ssrc, sequence, next);
  if (restarts || lastTimestamp != newestTimestamp_) timestampOffset_ = clockTimestamp - timestamp;
  const int64_t mapped = source_.peek(sequence) + offset_;
  if (mapped < floor_) return std::nullopt;
  if (mapped <= newest_ && isGiven(mapped)) return std::nullopt;
  (void)source_.unwrap(sequence);
  for (int64_t skipped = std::max(newest_ + 1, mapped - kWindow); skipped < mapped; ++skipped)
    given_.reset(static_cast<size_t>(skipped) % kWindow);
  given_.set(static_cast<size_t>(mapped) % kWindow);
  newest_ = std::max(newest_, mapped);
  const uint32_t carried = timestamp + timestampOffset_;
  if (restarts || lastTimestamp != newestTimestamp_ || isNewer(carried, newestTimestamp_))
    newestTimestamp_ = carried;
  return Numbers{mapped, carried};
}

}  // namespace parley::media
