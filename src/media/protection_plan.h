#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "parley/base/time.h"
#include "parley/congestion/controller.h"

#include "media/fec_masks.h"

namespace parley::media {

/// What a path loses.
struct LossEstimate {
  double fraction = 0;
  double runLength = 1;  ///< mean number of packets lost in a row
  LossPattern pattern() const {
    // Losses at random come in runs too: of 1 / (1 - fraction) in the mean.
    return runLength * (1 - fraction) > 1.5 ? LossPattern::Bursts : LossPattern::Single;
  }
};

/// Measures losses from whatever the peer reports: of each packet, or only how many. The memory is
/// some seconds long.
class LossMeter {
 public:
  void add(std::span<const congestion::PacketResult> packets, Timestamp now);
  /// From receiver reports; ignored while the other kind comes.
  void add(uint64_t lost, uint64_t received, Timestamp now);
  /// Zero until enough is known.
  LossEstimate estimate() const;
  void reset() { *this = LossMeter{}; }

 private:
  void age(Timestamp now);

  double lost_ = 0;
  double runs_ = 0;
  double total_ = 0;
  bool lastWasLost_ = false;
  std::optional<Timestamp> updated_;
  std::optional<Timestamp> detailed_;
};

/// How many repair packets `packets` packets of video get. None without loss, and none where a
/// repetition is there nearly as soon; the longer the round trip, the fewer losses are left to
/// repetitions. At most one for two packets.
size_t repairsFor(size_t packets, const LossEstimate& loss, Duration rtt);

/// How many earlier frames a packet of sound repeats.
size_t redundancyFor(const LossEstimate& loss);

}  // namespace parley::media
