#pragma once

#include <optional>

#include "parley/base/random.h"
#include "parley/base/time.h"

namespace parley::media {

/// When the next regular RTCP report is due (RFC 3550 section 6.2, RFC 4585 section 3.5.3). Two
/// peers share the 5 % that RTCP may use, which at the rates of WebRTC is never reached, so the
/// interval is what is useful: 1 s with video, 5 s without or when nothing flows.
class RtcpSchedule {
 public:
  explicit RtcpSchedule(Random& random) : random_(random) {}

  /// Something was sent or received. The first report follows at once, so that the peer learns the
  /// clock of our streams before it plays them.
  void onMedia(bool video, Timestamp now) {
    mediaSinceReport_ = true;
    video_ = video_ || video;
    const bool hurry = !everReported_ || idle_;
    idle_ = false;
    if (!hurry) return;
    const Timestamp soon = now + (everReported_ ? interval() : kFirst) * jitter(random_);
    next_ = earliest(next_, soon);
  }
  /// There is somebody to report to, even if nothing flows yet.
  void start(Timestamp now) {
    if (next_.isNever()) next_ = now + kSlow * jitter(random_);
  }
  void stop() { next_ = Timestamp::never(); }
  bool due(Timestamp now) const { return next_ <= now; }
  void onReported(Timestamp now) {
    everReported_ = true;
    idle_ = !mediaSinceReport_;
    mediaSinceReport_ = false;
    next_ = now + interval() * jitter(random_);
    if (idle_) video_ = false;
  }
  Timestamp nextDeadline() const { return next_; }

 private:
  static constexpr Duration kFirst = Duration::millis(100);
  static constexpr Duration kFast = Duration::seconds(1);
  static constexpr Duration kSlow = Duration::seconds(5);
  Duration interval() const { return video_ && !idle_ ? kFast : kSlow; }
  /// RFC 3550 section 6.3.1: uniform in 0.5..1.5, so that reports do not synchronise.
  static double jitter(Random& random) { return 0.5 + random.unit(); }

  Random& random_;
  Timestamp next_ = Timestamp::never();
  bool everReported_ = false;
  bool mediaSinceReport_ = false;
  bool idle_ = false;
  bool video_ = false;
};

}  // namespace parley::media
