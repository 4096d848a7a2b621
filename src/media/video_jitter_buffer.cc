#include "media/video_jitter_buffer.h"

#include <algorithm>

#include "media/frame_assembler.h"

namespace parley::media {

namespace {

constexpr double kQuantile = 0.95;
constexpr Duration kMaxDelay = Duration::seconds(10);
// A timestamp that jumps so far is a new time base, as is one so far ahead of all arrivals: no
// path gets seconds shorter from one frame to the next.
constexpr int64_t kMaxJumpSeconds = 30;
constexpr Duration kMaxEarliness = Duration::seconds(2);
// How fast the playout delay comes down: a tenth of real time is hardly visible.
constexpr double kShrinkRate = 0.1;

}  // namespace

VideoJitterBuffer::VideoJitterBuffer(const Limits& limits, uint32_t clockRate)
    : maxFrames_(std::min<size_t>(limits.maxJitterFrames, 0xfff0)),
      maxBytes_(limits.maxJitterBytes),
      clockRate_(clockRate ? clockRate : 90'000),
      delay_(clockRate) {}

void VideoJitterBuffer::setPlayoutLimits(Duration min, Duration max) {
  wishedMin_ = min;
  wishedMax_ = max;
}

bool VideoJitterBuffer::insert(const FrameAssembler& assembler, Timestamp now) {
  if (order_.lastSequence() && scratch_.firstSequence <= *order_.lastSequence()) {
    ++dropped_;
    return true;
  }
  bool fits = true;
  const bool isFormer = isOfFormerTimeBase(scratch_);
  if (!isFormer) {
    if (isOfNewTimeBase(scratch_)) {
      delay_.reset();
      unfinished_.reset();
      baseBegin_ = scratch_.firstSequence;
    }
    lastRtp_ = scratch_.rtp;
  }
  if (sorted_.size() == maxFrames_ || bytes_ + scratch_.data.size() > maxBytes_) {
    reset();
    fits = false;
  }
  if (!isFormer) noteArrival(scratch_, now);
  if (free_.empty()) {
    free_.push_back(static_cast<Index>(frames_.size()));
    frames_.emplace_back();
  }
  const Index slot = free_.back();
  free_.pop_back();
  bytes_ += scratch_.data.size();
  std::swap(frames_[slot], scratch_);
  const auto place = std::upper_bound(
      sorted_.begin(), sorted_.end(), slot,
      [this](Index a, Index b) { return frames_[a].firstSequence < frames_[b].firstSequence; });
  const auto position = static_cast<size_t>(place - sorted_.begin());
  sorted_.insert(place, slot);
  if (candidateAt_ == assembler.paddingVersion()) {
    if (candidate_ && candidate_->position >= position) ++candidate_->position;
    if (!candidate_ || candidate_->position > position) {
      if (const auto fresh = look(assembler, position)) candidate_ = fresh;
    }
  }
  return fits;
}

bool VideoJitterBuffer::isOfNewTimeBase(const AssembledFrame& frame) const {
  if (lastRtp_ && std::abs(frame.rtp - *lastRtp_) > kMaxJumpSeconds * clockRate_) return true;
  return !delay_.isEmpty() && delay_.idealArrival(frame.rtp) - frame.lastArrival > kMaxEarliness;
}

// A picture has come when its last layer has. Where a server took that out without moving the
// marker, the next picture tells.
void VideoJitterBuffer::noteArrival(const AssembledFrame& frame, Timestamp now) {
  if (unfinished_ && unfinished_->rtp != frame.rtp) {
    updateDelay(unfinished_->rtp, unfinished_->arrival, now);
    unfinished_.reset();
  }
  if (frame.endsPicture || delay_.isEmpty()) {
    updateDelay(frame.rtp, frame.lastArrival, now);
    if (frame.endsPicture) unfinished_.reset();
  } else {
    unfinished_ = Layer{frame.rtp, frame.lastArrival};
  }
}

void VideoJitterBuffer::updateDelay(int64_t rtp, Timestamp arrival, Timestamp now) {
  const bool first = delay_.isEmpty();
  const Timestamp idealBefore = first ? Timestamp{} : delay_.idealArrival(rtp);
  delay_.update(rtp, arrival);
  jitterDelay_ = delay_.quantile(kQuantile);
  Duration target = jitterDelay_ + kDecodeLead;
  target = std::max({target, minimumDelay_, wishedMin_});
  if (wishedMax_) target = std::min(target, std::max(*wishedMax_, minimumDelay_));
  target = std::min(target + syncDelay_, kMaxDelay);
  targetDelay_ = target;
  if (first) {
    offset_ = target;
  } else {
    // When the undelayed line moves, playout stays where it is and then drifts to its new target.
    offset_ += idealBefore - delay_.idealArrival(rtp);
    const Duration step = std::max(now - lastUpdate_, Duration::zero()) * kShrinkRate;
    offset_ = offset_ < target ? target : std::max(target, offset_ - step);
  }
  lastUpdate_ = now;
}

bool VideoJitterBuffer::adjacent(const FrameAssembler& assembler,
                                 const AssembledFrame& frame) const {
  const auto last = order_.lastSequence();
  return last && frame.firstSequence > *last && assembler.isOnlyPadding(*last, frame.firstSequence);
}

std::optional<VideoJitterBuffer::Candidate> VideoJitterBuffer::look(const FrameAssembler& assembler,
                                                                    size_t position) const {
  const AssembledFrame& frame = frames_[sorted_[position]];
  const bool isAdjacent = adjacent(assembler, frame);
  if (order_.check(frame, isAdjacent) != DecodeOrder::Verdict::Decodable) return std::nullopt;
  return Candidate{position, isAdjacent};
}

std::optional<VideoJitterBuffer::Candidate> VideoJitterBuffer::candidate(
    const FrameAssembler& assembler) const {
  if (candidateAt_ == assembler.paddingVersion()) return candidate_;
  candidate_.reset();
  for (size_t i = 0; i < sorted_.size() && !candidate_; ++i) candidate_ = look(assembler, i);
  candidateAt_ = assembler.paddingVersion();
  return candidate_;
}

bool VideoJitterBuffer::isWhole(const FrameAssembler& assembler, size_t position) const {
  const AssembledFrame* frame = &frames_[sorted_[position]];
  for (; !frame->endsPicture; frame = &frames_[sorted_[position]]) {
    if (++position == sorted_.size()) return false;
    const AssembledFrame& next = frames_[sorted_[position]];
    if (!assembler.isOnlyPadding(frame->lastSequence, next.firstSequence)) return false;
    if (next.rtp != frame->rtp) return true;
  }
  return true;
}

Timestamp VideoJitterBuffer::releaseTime(const FrameAssembler& assembler, size_t position) const {
  const AssembledFrame& frame = frames_[sorted_[position]];
  // A layer that is lost now may be missing until the next key frame.
  const Timestamp earliestTime =
      frame.lastArrival + (isWhole(assembler, position) ? Duration::zero() : layerPatience_);
  // What was behind when the timestamps jumped: the new ones do not tell its time.
  if (isOfFormerTimeBase(frame)) return earliestTime;
  // "0, 0: render as soon as possible" (playout-delay): no waiting at all.
  if (wishedMax_ == Duration::zero() && minimumDelay_ == Duration::zero()) return earliestTime;
  // An RTP timestamp that jumps ahead, by mistake or malice, must not hold the picture for hours.
  return std::max(std::min(delay_.idealArrival(frame.rtp) + offset_ - kDecodeLead,
                           frame.lastArrival + kMaxDelay),
                  earliestTime);
}

bool VideoJitterBuffer::take(const FrameAssembler& assembler, Timestamp now, AssembledFrame& out,
                             Timestamp& playout) {
  const auto c = candidate(assembler);
  if (!c) return false;
  const Timestamp release = releaseTime(assembler, c->position);
  if (release > now) return false;
  for (size_t i = 0; i < c->position; ++i) drop(0);
  order_.commit(takeFirst(out), c->adjacent);
  if (!out.endsPicture) takeLayersAbove(assembler, out);
  playout = std::max(release + kDecodeLead, now);
  return true;
}

AssembledFrame& VideoJitterBuffer::takeFirst(AssembledFrame& out) {
  const Index slot = sorted_.front();
  sorted_.erase(sorted_.begin());
  free_.push_back(slot);
  bytes_ -= frames_[slot].data.size();
  candidateAt_.reset();
  std::swap(out, frames_[slot]);
  return out;
}

void VideoJitterBuffer::takeLayersAbove(const FrameAssembler& assembler, AssembledFrame& out) {
  while (!sorted_.empty() && frames_[sorted_.front()].rtp == out.rtp) {
    AssembledFrame& layer = frames_[sorted_.front()];
    const bool isAdjacent = adjacent(assembler, layer);
    if (order_.check(layer, isAdjacent) != DecodeOrder::Verdict::Decodable) {
      // What it refers to was left out before. It is of no use, but the picture below it is.
      layersLost_ = true;
      drop(0);
      continue;
    }
    order_.commit(layer, isAdjacent);
    out.data.insert(out.data.end(), layer.data.begin(), layer.data.end());
    out.keyFrame = out.keyFrame || layer.keyFrame;
    if (layer.size.width != 0) out.size = layer.size;
    out.traits.take(layer.traits);
    out.lastSequence = layer.lastSequence;
    out.lastArrival = std::max(out.lastArrival, layer.lastArrival);
    out.recovered = out.recovered || layer.recovered;
    out.spatialId = layer.spatialId;
    out.endsPicture = layer.endsPicture;
    remove(0);
  }
}

Timestamp VideoJitterBuffer::nextDeadline(const FrameAssembler& assembler) const {
  const auto c = candidate(assembler);
  return c ? releaseTime(assembler, c->position) : Timestamp::never();
}

void VideoJitterBuffer::drop(size_t position) {
  remove(position);
  ++dropped_;
}

void VideoJitterBuffer::remove(size_t position) {
  const Index slot = sorted_[position];
  sorted_.erase(sorted_.begin() + static_cast<ptrdiff_t>(position));
  bytes_ -= frames_[slot].data.size();
  free_.push_back(slot);
  candidateAt_.reset();
}

void VideoJitterBuffer::reset() {
  unfinished_.reset();
  baseBegin_.reset();
  while (!sorted_.empty()) drop(sorted_.size() - 1);
  requireKeyFrame();
}

}  // namespace parley::media
