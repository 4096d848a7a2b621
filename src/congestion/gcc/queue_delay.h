#pragma once

#include <algorithm>
#include <span>

#include "parley/base/time.h"
#include "parley/congestion/controller.h"

namespace parley::congestion::gcc {

/// How long packets wait on the path: the way took this much longer than the quickest of the last
/// 15 to 30 s. Of each report the quickest packet counts, so that a frame that is a burst by itself
/// is no queue.
class QueueDelay {
 public:
  void update(std::span<const PacketResult> packets, Timestamp now) {
    Duration least = Duration::infinite();
    for (const PacketResult& p : packets) {
      if (p.received()) least = std::min(least, p.receiveTime - p.sent.sendTime);
    }
    if (least.isInfinite()) return;
    if (known_ && (least - base() > kJump || base() - least > kJump)) known_ = false;
    if (!known_) {
      known_ = true;
      current_ = former_ = least;
      since_ = now;
    } else if (now - since_ >= kWindow) {
      former_ = current_;
      current_ = least;
      since_ = now;
    }
    current_ = std::min(current_, least);
    value_ = least - base();
  }
  bool known() const { return known_; }
  Duration value() const { return value_; }
  void reset() { *this = QueueDelay(); }

 private:
  static constexpr Duration kWindow = Duration::seconds(15);
  /// No queue is that long: the peer's clock jumped.
  static constexpr Duration kJump = Duration::seconds(5);
  Duration base() const { return std::min(current_, former_); }

  bool known_ = false;
  Duration current_, former_, value_;
  Timestamp since_;
};

}  // namespace parley::congestion::gcc
