#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "parley/base/environment.h"
#include "parley/base/time.h"

#include "media/arrival_delay.h"
#include "media/assembled_frame.h"
#include "media/decode_order.h"

namespace parley::media {

class FrameAssembler;

/// Holds complete frames until they can be decoded and are due. Chooses the playout delay from how
/// late frames tend to be complete.
class VideoJitterBuffer {
 public:
  /// Handed out this long before it is to be shown.
  static constexpr Duration kDecodeLead = Duration::millis(10);

  VideoJitterBuffer(const Limits& limits, uint32_t clockRate);

  /// The slot for the next frame; `insert` puts it into its place.
  AssembledFrame& scratch() { return scratch_; }
  /// Takes the frame in scratch(). False if the buffer overflowed and was emptied.
  bool insert(const FrameAssembler& assembler, Timestamp now);

  /// Takes the next due frame by swapping it with `out`; `playout` says when to show it. Frames
  /// before it, which could not be decoded, are dropped. Layers of one picture come out as one.
  bool take(const FrameAssembler& assembler, Timestamp now, AssembledFrame& out,
            Timestamp& playout);
  Timestamp nextDeadline(const FrameAssembler& assembler) const;

  /// Drops what is buffered and waits for a key frame.
  void reset();
  /// The decoder lost its state: only a key frame will do, but buffered key frames stay.
  void requireKeyFrame() {
    order_.reset();
    candidateAt_.reset();
  }

  void setMinimumDelay(Duration delay) { minimumDelay_ = delay; }
  void setSyncDelay(Duration delay) { syncDelay_ = delay; }
  /// How long a picture waits for layers of it that are missing, before it is shown without.
  void setLayerPatience(Duration time) { layerPatience_ = time; }
  /// True once after layers of a picture could not be decoded and were left out.
  bool takeLayersLost() { return std::exchange(layersLost_, false); }
  void setPlayoutLimits(Duration min, Duration max);

  bool needsKeyFrame() const { return order_.needsKeyFrame(); }
  bool isEmpty() const { return sorted_.empty(); }
  size_t bytes() const { return bytes_; }
  size_t framesDropped() const { return dropped_; }
  Duration targetDelay() const { return targetDelay_; }
  Duration jitterDelay() const { return jitterDelay_; }
  /// When a frame would be shown if it were not for the sync delay.
  Timestamp idealPlayout(int64_t rtp) const {
    return delay_.idealArrival(rtp) + (targetDelay_ - syncDelay_);
  }
  bool isLearning() const { return delay_.isEmpty(); }

 private:
  using Index = uint16_t;
  struct Candidate {
    size_t position = 0;  // in sorted_
    bool adjacent = false;
  };
  std::optional<Candidate> candidate(const FrameAssembler& assembler) const;
  std::optional<Candidate> look(const FrameAssembler& assembler, size_t position) const;
  bool adjacent(const FrameAssembler& assembler, const AssembledFrame& frame) const;
  Timestamp releaseTime(const FrameAssembler& assembler, size_t position) const;
  /// Whether all layers that were sent of the picture are there.
  bool isWhole(const FrameAssembler& assembler, size_t position) const;
  bool isOfNewTimeBase(const AssembledFrame& frame) const;
  bool isOfFormerTimeBase(const AssembledFrame& frame) const {
    return baseBegin_ && frame.firstSequence < *baseBegin_;
  }
  void noteArrival(const AssembledFrame& frame, Timestamp now);
  void updateDelay(int64_t rtp, Timestamp arrival, Timestamp now);
  void drop(size_t position);
  void remove(size_t position);
  AssembledFrame& takeFirst(AssembledFrame& out);
  void takeLayersAbove(const FrameAssembler& assembler, AssembledFrame& out);

  size_t maxFrames_;
  size_t maxBytes_;
  int64_t clockRate_;
  ArrivalDelay delay_;
  DecodeOrder order_;
  AssembledFrame scratch_;
  std::vector<AssembledFrame> frames_;
  std::vector<Index> sorted_;  // by firstSequence
  std::vector<Index> free_;
  // The first decodable frame, as of the assembler's state of that number: looking for it again
  // with every packet would cost more than all the rest.
  mutable std::optional<Candidate> candidate_;
  mutable std::optional<uint64_t> candidateAt_;
  size_t bytes_ = 0;
  size_t dropped_ = 0;
  std::optional<int64_t> lastRtp_;
  std::optional<int64_t> baseBegin_;  // firstSequence of the first frame of the newest time base
  // The newest layer of a picture that may have more of them.
  struct Layer {
    int64_t rtp = 0;
    Timestamp arrival;
  };
  std::optional<Layer> unfinished_;
  bool layersLost_ = false;
  Duration layerPatience_ = Duration::millis(100);
  Timestamp lastUpdate_;
  Duration offset_;  // smoothed: playout = ideal arrival + offset_
  Duration targetDelay_;
  Duration jitterDelay_;
  Duration minimumDelay_;
  Duration syncDelay_;
  Duration wishedMin_;
  std::optional<Duration> wishedMax_;
};

}  // namespace parley::media
