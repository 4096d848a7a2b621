#include "media/twcc_recorder.h"

#include <algorithm>

namespace parley::media {

void TwccRecorder::handlePacket(uint16_t transportSequence, size_t bytes, Timestamp now) {
  const int64_t sequence = unwrapper_.unwrap(transportSequence);
  if (arrivals_.empty()) reports_ = 0;
  budget_.onArrival(bytes, arrivals_.empty(), now);
  if (!nextBase_) nextBase_ = sequence;
  // The sender has forgotten it.
  if (sequence < *nextBase_ - kMaxSpan) return;
  if (arrivals_.empty() || sequence > arrivals_.back().sequence) {
    // Nobody polls: a quarter at a time, so that dropping costs little.
    if (arrivals_.size() == kMaxArrivals) {
      arrivals_.erase(arrivals_.begin(), arrivals_.begin() + kMaxArrivals / 4);
    }
    arrivals_.push_back({sequence, now});
    return;
  }
  const auto at =
      std::lower_bound(arrivals_.begin(), arrivals_.end(), sequence,
                       [](const rtp::rtcp::PacketArrival& a, int64_t s) { return a.sequence < s; });
  if (at->sequence == sequence || arrivals_.size() == kMaxArrivals) return;
  arrivals_.insert(at, {sequence, now});
}

size_t TwccRecorder::write(ByteWriter& w, uint32_t senderSsrc, uint32_t mediaSsrc, size_t maxBytes,
                           Timestamp now) {
  if (!isDue(now)) return 0;
  // A packet that came after its place was reported as lost gets a report of its own: one that
  // spans others would say that those are lost, although they were reported before.
  std::span<const rtp::rtcp::PacketArrival> batch(arrivals_);
  const int64_t first = batch[0].sequence;
  int64_t base = *nextBase_;
  const int64_t widest = first < base ? 1 : kMaxSpan;
  if (first < base || first - base > kMaxSpan) base = first;
  size_t run = 1;
  while (run < batch.size() && batch[run].sequence - batch[run - 1].sequence <= widest) ++run;
  batch = batch.first(run);
  const size_t start = w.size();
  const size_t taken =
      writeTransportFeedback(w, senderSsrc, mediaSsrc, count_, base, batch, maxBytes);
  if (taken == 0) return 0;
  budget_.onReport(w.size() - start);
  ++count_;
  nextBase_ = std::max(*nextBase_, arrivals_[taken - 1].sequence + 1);
  arrivals_.erase(arrivals_.begin(), arrivals_.begin() + static_cast<ptrdiff_t>(taken));
  if (++reports_ == kMaxReportsAtOnce && !arrivals_.empty()) {
    nextBase_ = std::max(*nextBase_, arrivals_.back().sequence + 1);
    arrivals_.clear();
  }
  return w.size() - start;
}

void TwccRecorder::reset() {
  unwrapper_.reset();
  arrivals_.clear();
  nextBase_.reset();
  budget_ = FeedbackBudget(kLeastInterval);
}

}  // namespace parley::media
