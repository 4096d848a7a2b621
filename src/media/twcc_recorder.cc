#include "media/twcc_recorder.h"

#include <algorithm>

namespace parley::media {

namespace {
constexpr Duration kMinInterval = Duration::millis(50);
constexpr Duration kMaxInterval = Duration::millis(100);
// A typical report with its lower headers, in bits.
constexpr double kReportBits = 8.0 * (20 + 8 + 10 + 20 + 10);
}  // namespace

void TwccRecorder::handlePacket(uint16_t transportSequence, size_t bytes, Timestamp now) {
  const int64_t sequence = unwrapper_.unwrap(transportSequence);
  if (arrivals_.empty()) {
    windowStart_ = now;
    windowBytes_ = 0;
    reports_ = 0;
    due_ = now + kMaxInterval;
  }
  windowBytes_ += bytes;
  due_ = std::min(due_, windowStart_ + interval());
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

Duration TwccRecorder::interval() const {
  // 5 % of the rate seen since the last report.
  const double bits = static_cast<double>(windowBytes_) * 8.0 * 0.05;
  if (bits <= 0) return kMaxInterval;
  const Duration wanted = kMaxInterval * (kReportBits / bits);
  return std::clamp(wanted, kMinInterval, kMaxInterval);
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
}

}  // namespace parley::media
