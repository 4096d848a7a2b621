#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/time.h"

namespace parley::api_internal {

/// Gives pieces of 10 ms their media time, so that no app has to. Media time counts samples: it
/// goes on by 10 ms with every piece, however unevenly they are pushed. A source that paused skips
/// the pause, so that its sound stays in time with the pictures of the same moment.
class AudioTimeline {
 public:
  /// The media time (in units of `sampleRate`) of a piece that was taken at `capture`.
  int64_t next(Timestamp capture, int sampleRate) {
    if (!expected_) {
      pieces_ = capture.nanos() / kPiece.nanos();
      expected_ = capture;
    } else {
      ++pieces_;
      *expected_ += kPiece;
    }
    const Duration late = capture - *expected_;
    if (late > kPause) {
      pieces_ += late.nanos() / kPiece.nanos();
      expected_ = capture;
    } else {
      // A sound card's clock is never quite ours: what is expected follows slowly, without a jump.
      *expected_ += late / kSlowness;
    }
    return pieces_ * (sampleRate / 100);
  }

 private:
  static constexpr Duration kPiece = Duration::millis(10);
  // A thread that was held up pushes what it missed in a burst; that is not a pause.
  static constexpr Duration kPause = Duration::millis(200);
  static constexpr int64_t kSlowness = 64;

  int64_t pieces_ = 0;
  std::optional<Timestamp> expected_;
};

}  // namespace parley::api_internal
