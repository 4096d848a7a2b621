#include "sctp/engine/outstanding.h"

#include <algorithm>

#include "parley/base/check.h"
#include "parley/base/seq_num.h"

#include "sctp/packet.h"

namespace parley::sctp {
namespace {

constexpr size_t kFirstCapacity = 8;
/// RFC 8985 section 6.2: chunks acknowledged out of order that tell a loss where no reordering was
/// ever seen (RFC 9260 section 7.2.4 counts to three as well).
constexpr size_t kLossThreshold = 3;
constexpr int kMaxWindowSteps = 16;
/// Chunks acknowledged without a spurious retransmission after which the window shrinks a step.
constexpr uint32_t kStepLife = 2000;
/// A ring larger than this is given back when it is empty.
constexpr size_t kKeptCapacity = 256;

}  // namespace

void Outstanding::start(uint32_t initialTsn, bool interleaving, bool mayRenege) {
  clear();
  mayRenege_ = mayRenege;
  maxChunks_ = interleaving ? kMaxChunks : kMaxNumbered;
  base_ = initialTsn;
  lostHint_ = base_;
  forward_ = base_ - 1;
  header_ = 4 + (interleaving ? kIDataHeaderSize : kDataHeaderSize);
}

void Outstanding::release(SentChunk& chunk) {
  heldBytes_ -= chunk.fragment.length;
  if (chunk.fragment.piece != nullptr) pool_.release(chunk.fragment.piece);
  pool_.release(chunk.fragment.message);
  chunk.fragment = {};
}

void Outstanding::clear() {
  for (; count_ > 0; --count_, ++base_) release(at(base_));
  inFlightCount_ = inFlightBytes_ = inFlightPayload_ = lostCount_ = ackedAbove_ = 0;
  gaps_.clear();
  forward_ = base_ - 1;
  lossDeadline_ = Timestamp::never();
}

void Outstanding::trim() {
  if (count_ > 0) return;
  ring_ = {};
  mask_ = 0;
  gaps_ = {};
  newGaps_ = {};
}

void Outstanding::grow() {
  const size_t capacity = ring_.empty() ? kFirstCapacity : ring_.size() * 2;
  std::vector<SentChunk> bigger(capacity);
  const uint32_t mask = static_cast<uint32_t>(capacity - 1);
  for (size_t i = 0; i < count_; ++i) {
    const uint32_t tsn = base_ + static_cast<uint32_t>(i);
    bigger[tsn & mask] = ring_[tsn & mask_];
  }
  ring_.swap(bigger);
  mask_ = mask;
}

// ---- the list in the order of sending

void Outstanding::link(uint32_t tsn) {
  SentChunk& chunk = at(tsn);
  if (inFlightCount_ == 0) {
    oldest_ = tsn;
  } else {
    at(newest_).newer = tsn;
    chunk.older = newest_;
  }
  newest_ = tsn;
  ++inFlightCount_;
  inFlightBytes_ += wireSize(chunk);
  inFlightPayload_ += chunk.fragment.length;
}

void Outstanding::unlink(uint32_t tsn) {
  SentChunk& chunk = at(tsn);
  if (tsn == oldest_ && tsn == newest_) {
    // the only one
  } else if (tsn == oldest_) {
    oldest_ = chunk.newer;
  } else if (tsn == newest_) {
    newest_ = chunk.older;
  } else {
    at(chunk.older).newer = chunk.newer;
    at(chunk.newer).older = chunk.older;
  }
  --inFlightCount_;
  inFlightBytes_ -= wireSize(chunk);
  inFlightPayload_ -= chunk.fragment.length;
}

/// Out of what is counted as in flight or lost.
void Outstanding::leaveFlight(uint32_t tsn) {
  const SentChunk& chunk = at(tsn);
  if (chunk.state == SentChunk::State::InFlight) unlink(tsn);
  if (chunk.state == SentChunk::State::Lost) --lostCount_;
}

uint32_t Outstanding::add(const SendScheduler::Fragment& fragment, Timestamp now,
                          const DeliveryStamp& stamp) {
  if (count_ == ring_.size()) grow();
  const uint32_t tsn = nextTsn();
  SentChunk& chunk = at(tsn);
  chunk = SentChunk{};
  chunk.fragment = fragment;
  chunk.transmissions = 1;
  chunk.sentAt = now;
  chunk.stamp = stamp;
  ++count_;
  heldBytes_ += fragment.length;
  if (fragment.first) fragment.message->firstTsn = tsn;
  fragment.message->lastTsn = tsn;
  link(tsn);
  return tsn;
}

Timestamp Outstanding::oldestSentAt() const {
  return inFlightCount_ == 0 ? Timestamp::never() : ring_[oldest_ & mask_].sentAt;
}

Timestamp Outstanding::newestSentAt() const {
  return inFlightCount_ == 0 ? Timestamp::never() : ring_[newest_ & mask_].sentAt;
}

// ---- acknowledgements

/// Keeps the newest-sent chunk that arrived: RFC 8985 section 6.2 step 2.
void Outstanding::ack(uint32_t tsn, AckResult& result, Timestamp now) {
  SentChunk& chunk = at(tsn);
  const bool wasLost = chunk.state == SentChunk::State::Lost;
  result.ackedBytes += wireSize(chunk);
  const Duration rtt = now - chunk.sentAt;
  // A repeated chunk answered faster than any round trip was acknowledged for its first copy.
  const bool ambiguous = chunk.transmissions > 1 && rtt < minRtt_;
  if (wasLost || ambiguous) {
    // Late, not lost; or repeated for nothing.
    reorderingSeen_ = reorderingSeen_ || (wasLost && chunk.transmissions == 1);
    result.spurious = result.spurious || ambiguous;
  } else {
    const bool newer = !rackValid_ || chunk.sentAt > rackSentAt_ ||
                       (chunk.sentAt == rackSentAt_ && isNewer(tsn, rackTsn_));
    if (newer) {
      rackValid_ = true;
      rackSentAt_ = chunk.sentAt;
      rackTsn_ = tsn;
      rackRtt_ = rtt;
    } else if (chunk.transmissions == 1 && chunk.sentAt < rackSentAt_ && !result.advanced) {
      reorderingSeen_ = true;
    }
    if (!result.stamp || chunk.sentAt >= result.newestSentAt) {
      result.stamp = chunk.stamp;
      result.newestSentAt = chunk.sentAt;
      if (chunk.transmissions == 1) {
        result.rtt = rtt;
        minRtt_ = std::min(minRtt_, rtt);
      }
    }
  }
  leaveFlight(tsn);
}

void Outstanding::popFront() {
  SentChunk& chunk = at(base_);
  if (chunk.state == SentChunk::State::Acked) --ackedAbove_;
  release(chunk);
  ++base_;
  --count_;
}

/// A peer may take back what it acknowledged in gap blocks only (RFC 9260 section 6.2.1). An older
/// SACK that was overtaken looks the same, so this is believed only when the timer has expired.
void Outstanding::revokeMissing() {
  size_t g = 0;
  for (uint32_t tsn = base_; tsn != nextTsn() && ackedAbove_ > 0; ++tsn) {
    while (g < gaps_.size() && isNewer(tsn, gaps_[g].last)) ++g;
    if (g < gaps_.size() && !isNewer(gaps_[g].first, tsn)) continue;
    SentChunk& chunk = at(tsn);
    if (chunk.state != SentChunk::State::Acked) continue;
    --ackedAbove_;
    chunk.state = SentChunk::State::Lost;
    ++lostCount_;
    if (isNewer(lostHint_, tsn)) lostHint_ = tsn;
  }
}

bool Outstanding::readGaps(ByteSpan gaps, uint32_t cumulative) {
  newGaps_.clear();
  for (size_t i = 0; i + 4 <= gaps.size(); i += 4) {
    const uint16_t start = loadU16(&gaps[i]);
    const uint16_t end = loadU16(&gaps[i + 2]);
    if (start == 0 || end < start) return false;
    const Range range{cumulative + start, cumulative + end};
    if (!contains(range.last)) return false;
    if (!newGaps_.empty() && !isNewer(range.first, newGaps_.back().last)) return false;
    newGaps_.push_back(range);
  }
  return true;
}

/// What the new gap blocks have beyond the former ones is acknowledged. Both lists ascend, so one
/// sweep does, however many chunks they cover.
void Outstanding::applyGaps(AckResult& result, Timestamp now) {
  size_t known = 0;
  for (const Range& range : newGaps_) {
    uint32_t tsn = range.first;
    while (!isNewer(tsn, range.last)) {
      while (known < gaps_.size() && isNewer(tsn, gaps_[known].last)) ++known;
      if (known < gaps_.size() && !isNewer(gaps_[known].first, tsn)) {
        tsn = gaps_[known].last + 1;
        continue;
      }
      SentChunk& chunk = at(tsn);
      if (chunk.state != SentChunk::State::Acked && chunk.state != SentChunk::State::Abandoned) {
        ack(tsn, result, now);
        chunk.state = SentChunk::State::Acked;
        ++ackedAbove_;
      }
      ++tsn;
    }
  }
  gaps_.swap(newGaps_);
}

/// Duplicates reported for chunks that were repeated: those repetitions were in vain, so the
/// reordering window is too small.
void Outstanding::noteSpurious(ByteSpan duplicates, AckResult& result) {
  for (size_t i = 0; i + 4 <= duplicates.size(); i += 4) {
    const uint32_t tsn = loadU32(&duplicates[i]);
    if (contains(tsn) ? at(tsn).transmissions > 1 : isNewer(base_, tsn)) result.spurious = true;
  }
  if (windowSteps_ == 1 && !result.spurious) return;
  reorderingSeen_ = true;
  const uint32_t patience = result.spurious ? 0 : kStepLife;
  if (windowSteps_ > 1 && !isNewer(cumulativeAck(), stepTsn_ + patience)) return;
  windowSteps_ = result.spurious ? std::min(windowSteps_ + 1, kMaxWindowSteps) : windowSteps_ - 1;
  stepTsn_ = nextTsn();
}

Outstanding::AckResult Outstanding::onSack(uint32_t cumulative, std::optional<ByteSpan> gaps,
                                           ByteSpan duplicates, Timestamp now) {
  AckResult result;
  const uint32_t steps = cumulative - cumulativeAck();
  if (steps > count_) return result;  // older than the last one, or beyond what was sent
  if (gaps && !readGaps(*gaps, cumulative)) return result;
  result.valid = true;
  result.advanced = steps > 0;
  for (uint32_t i = 0; i < steps; ++i) {
    SentChunk& chunk = at(base_);
    if (chunk.state != SentChunk::State::Acked && chunk.state != SentChunk::State::Abandoned) {
      ack(base_, result, now);
      chunk.state = SentChunk::State::Abandoned;  // counted nowhere any more
    }
    popFront();
  }
  if (isNewer(base_, lostHint_)) lostHint_ = base_;
  if (gaps) applyGaps(result, now);
  noteSpurious(duplicates, result);
  if (isNewer(cumulativeAck(), forward_)) forward_ = cumulativeAck();
  advanceForward();
  if (count_ == 0) {
    gaps_.clear();
    if (ring_.size() > kKeptCapacity) trim();
  }
  return result;
}

// ---- losses

void Outstanding::lose(uint32_t tsn) {
  unlink(tsn);
  at(tsn).state = SentChunk::State::Lost;
  ++lostCount_;
  if (isNewer(lostHint_, tsn)) lostHint_ = tsn;
}

size_t Outstanding::detectLosses(const Duration& smoothedRtt, Timestamp now) {
  lossDeadline_ = Timestamp::never();
  if (!rackValid_) return 0;
  Duration window;
  if (reorderingSeen_ || ackedAbove_ < kLossThreshold) {
    const Duration step = (minRtt_.isInfinite() ? smoothedRtt : minRtt_) / 4;
    window = std::min(step * windowSteps_, smoothedRtt);
  }
  size_t lost = 0;
  while (inFlightCount_ > 0) {
    const uint32_t tsn = oldest_;
    const SentChunk& chunk = at(tsn);
    const bool older =
        chunk.sentAt < rackSentAt_ || (chunk.sentAt == rackSentAt_ && isNewer(rackTsn_, tsn));
    if (!older) break;
    const Timestamp due = chunk.sentAt + rackRtt_ + window;
    if (due > now) {
      lossDeadline_ = due;
      break;
    }
    lost += wireSize(chunk);
    lose(tsn);
  }
  return lost;
}

size_t Outstanding::loseAll() {
  size_t lost = 0;
  while (inFlightCount_ > 0) {
    lost += wireSize(at(oldest_));
    lose(oldest_);
  }
  if (mayRenege_) revokeMissing();
  lossDeadline_ = Timestamp::never();
  return lost;
}

std::optional<uint32_t> Outstanding::newestInFlight() const {
  if (inFlightCount_ == 0) return std::nullopt;
  return newest_;
}

void Outstanding::loseFirst() {
  if (count_ > 0 && at(base_).state == SentChunk::State::InFlight) lose(base_);
}

std::optional<uint32_t> Outstanding::nextLost() {
  if (lostCount_ == 0) return std::nullopt;
  while (contains(lostHint_) && at(lostHint_).state != SentChunk::State::Lost) ++lostHint_;
  if (!contains(lostHint_)) return std::nullopt;
  return lostHint_;
}

void Outstanding::onRetransmitted(uint32_t tsn, Timestamp now, const DeliveryStamp& stamp) {
  SentChunk& chunk = at(tsn);
  leaveFlight(tsn);
  chunk.state = SentChunk::State::InFlight;
  if (chunk.transmissions < 0xFFFF) ++chunk.transmissions;
  chunk.sentAt = now;
  chunk.stamp = stamp;
  link(tsn);
}

// ---- partial reliability

void Outstanding::abandonChunk(uint32_t tsn) {
  SentChunk& chunk = at(tsn);
  if (chunk.state == SentChunk::State::Abandoned) return;
  leaveFlight(tsn);
  if (chunk.state == SentChunk::State::Acked) --ackedAbove_;
  chunk.state = SentChunk::State::Abandoned;
  // The payload will not be needed again.
  pool_.release(chunk.fragment.piece);
  chunk.fragment.piece = nullptr;
}

void Outstanding::abandon(const OutMessage& message, std::optional<uint32_t> tsn) {
  const bool isWhole = tsn && at(*tsn).fragment.first && at(*tsn).fragment.last;
  if (isWhole) {
    abandonChunk(*tsn);
  } else {
    // With interleaving those of others lie between the fragments.
    const uint32_t first = isNewer(base_, message.firstTsn) ? base_ : message.firstTsn;
    for (uint32_t i = first; contains(i) && !isNewer(i, message.lastTsn); ++i) {
      if (at(i).fragment.message == &message) abandonChunk(i);
    }
  }
  advanceForward();
}

void Outstanding::addAbandoned(OutMessage& message) {
  if (count_ == ring_.size()) grow();
  SentChunk& chunk = at(nextTsn());
  chunk = SentChunk{};
  chunk.fragment.message = &message;
  chunk.state = SentChunk::State::Abandoned;
  ++message.refs;
  ++count_;
  advanceForward();
}

void Outstanding::advanceForward() {
  while (contains(forward_ + 1) && at(forward_ + 1).state == SentChunk::State::Abandoned)
    ++forward_;
}

}  // namespace parley::sctp
