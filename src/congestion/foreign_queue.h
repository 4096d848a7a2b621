#pragma once

#include <algorithm>
#include <optional>

#include "parley/base/time.h"

namespace parley::congestion {

/// Whether the queue on the path is kept up by others, TCP say, which fill it until it overflows
/// whatever we do. Giving way to them does not make it shorter and leaves nothing to us; a queue of
/// our own, or one that we share with flows of our kind, goes when we hold back.
class ForeignQueue {
 public:
  /// The rate was lowered because of the queue.
  void onCut(Duration queue, Timestamp now) {
    if (cutAt_) return;
    cutAt_ = now;
    longest_ = queue;
  }
  /// With each report. `ownBacklog`: what we had queued before the cut still goes out.
  void update(Duration queue, bool lost, bool ownBacklog, Timestamp now) {
    // A path that stood still had no chance to empty itself.
    if (cutAt_ && now - updated_ > kStandstill) cutAt_ = now;
    updated_ = now;
    if (queue <= kLong) {
      updateShort(queue, now);
      return;
    }
    shortSince_.reset();
    longest_ = std::max(longest_, queue);
    if (lost && present(now) && queue > longest_ * kNearlyFull)
      until_ = std::min(now + kAfterLoss, since_ + kTest);
    if (cutAt_ && ownBacklog) cutAt_ = now;
    if (!cutAt_ || now - *cutAt_ <= kCutEffect || queue <= longest_ * kStayed) return;
    since_ = now;
    until_ = now + kTime;
    cutAt_.reset();
  }
  bool present(Timestamp now) const { return now < until_; }
  void reset() { *this = ForeignQueue(); }

 private:
  static constexpr Duration kLong = Duration::millis(40);
  static constexpr Duration kGone = Duration::millis(20);
  /// When the queue should have become shorter after a cut, if it was ours.
  static constexpr Duration kCutEffect = Duration::millis(2500);
  static constexpr double kStayed = 0.6;
  /// Flows like ours may take each other for others for a while; who fills queues until they
  /// overflow shows by losses.
  static constexpr Duration kTime = Duration::seconds(6);
  static constexpr Duration kAfterLoss = Duration::seconds(8);
  static constexpr double kNearlyFull = 0.7;
  /// Then it is seen again whether the queue goes when we hold back: a flow that takes its own
  /// queue for that of others would keep it up by its own losses.
  static constexpr Duration kTest = Duration::seconds(18);
  /// Between two losses of theirs the queue is short for a moment.
  static constexpr Duration kGoneFor = Duration::seconds(2);

  void updateShort(Duration queue, Timestamp now) {
    if (queue > kGone) {
      shortSince_.reset();
      return;
    }
    cutAt_.reset();
    if (!shortSince_) shortSince_ = now;
    if (now - *shortSince_ > kGoneFor) until_ = Timestamp();
  }

  /// Between two reports.
  static constexpr Duration kStandstill = Duration::millis(600);

  std::optional<Timestamp> cutAt_;
  Duration longest_;  ///< since the cut
  std::optional<Timestamp> shortSince_;
  Timestamp since_;
  Timestamp until_;
  Timestamp updated_;
};

}  // namespace parley::congestion
