#include "media/nack_tracker.h"

#include <algorithm>

namespace parley::media {

namespace {
constexpr Duration kMinInterval = Duration::millis(20);
constexpr Duration kMaxReorderDelay = Duration::millis(40);
}  // namespace

// Asking again sooner than the answer can be here only duplicates it. Senders ignore requests that
// come within what they take for a round trip, and libwebrtc adds 5 ms: a request that comes too
// soon is lost, and costs another round trip.
Duration NackTracker::interval() const {
  return std::max(rtt_ * 1.1 + Duration::millis(10), kMinInterval);
}

void NackTracker::handlePacket(int64_t sequence, bool keyFrame, bool recovered, Timestamp now) {
  if (keyFrame && (!lastKeyFrame_ || sequence > *lastKeyFrame_)) lastKeyFrame_ = sequence;
  if (!newest_) {
    newest_ = sequence;
    return;
  }
  if (sequence <= *newest_) {
    noteArrival(sequence, recovered, now);
    return;
  }
  const int64_t first = *newest_ + 1;
  newest_ = sequence;
  if (sequence - first > kMaxAge) {
    entries_.clear();
    gaveUp_ = true;
  } else {
    addGap(first, sequence, now);
  }
  updateEarliest();
}

void NackTracker::addGap(int64_t first, int64_t end, Timestamp now) {
  if (!entries_.empty() && entries_.front().sequence < *newest_ - kMaxAge) {
    forgetBefore(*newest_ - kMaxAge);
    gaveUp_ = true;
  }
  const size_t count = static_cast<size_t>(end - first);
  if (entries_.size() + count > maxList_ && lastKeyFrame_) forgetBefore(*lastKeyFrame_);
  if (entries_.size() + count > maxList_) {
    entries_.clear();
    gaveUp_ = true;
    return;
  }
  const Duration wait = std::max(reorderDelay_, patience_);
  for (int64_t s = first; s < end; ++s) entries_.push_back({s, now, now + wait, 0});
}

void NackTracker::noteArrival(int64_t sequence, bool recovered, Timestamp now) {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), sequence,
                                   [](const Entry& e, int64_t s) { return e.sequence < s; });
  if (it == entries_.end() || it->sequence != sequence) return;
  if (!recovered) {
    // It was only late: wait that long before asking, so that reordering costs no retransmissions.
    const Duration late = now - it->missedAt;
    if (late < rtt_ || it->requests == 0) {
      reorderDelay_ =
          std::min(std::max(reorderDelay_, late + Duration::millis(1)), kMaxReorderDelay);
    }
  } else {
    reorderDelay_ = reorderDelay_ * 0.9;
  }
  entries_.erase(it);
}

void NackTracker::forgetBefore(int64_t sequence) {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), sequence,
                                   [](const Entry& e, int64_t s) { return e.sequence < s; });
  entries_.erase(entries_.begin(), it);
  updateEarliest();
}

void NackTracker::forgetMissedBefore(Timestamp time) {
  if (entries_.empty() || entries_.front().missedAt >= time) return;
  std::erase_if(entries_, [time](const Entry& e) { return e.missedAt < time; });
  updateEarliest();
}

void NackTracker::reset() {
  entries_.clear();
  newest_.reset();
  lastKeyFrame_.reset();
  earliest_ = Timestamp::never();
}

void NackTracker::collect(Timestamp now, Sequences& out) {
  if (now < earliest_) return;
  bool lost = false;
  for (Entry& e : entries_) {
    if (e.nextRequest > now) continue;
    if (e.requests == kMaxRequests) {
      lost = true;
      continue;
    }
    if (!out.push_back(static_cast<uint16_t>(e.sequence))) continue;
    ++e.requests;
    e.nextRequest = now + interval();
  }
  if (lost) {
    gaveUp_ = true;
    std::erase_if(entries_, [now](const Entry& e) {
      return e.requests == kMaxRequests && e.nextRequest <= now;
    });
  }
  updateEarliest();
}

void NackTracker::updateEarliest() {
  earliest_ = Timestamp::never();
  for (const Entry& e : entries_) earliest_ = earliest(earliest_, e.nextRequest);
}

bool NackTracker::takeGaveUp() {
  const bool was = gaveUp_;
  gaveUp_ = false;
  return was;
}

bool NackTracker::isMissing(uint16_t sequence) const {
  return std::any_of(entries_.begin(), entries_.end(), [sequence](const Entry& e) {
    return static_cast<uint16_t>(e.sequence) == sequence;
  });
}

}  // namespace parley::media
