#pragma once

#include <algorithm>

#include "parley/base/time.h"

namespace parley::media {

/// Decides when to ask for a key frame: at once when one is first wanted, again as long as none
/// came, never more often than the sender could answer.
class KeyFrameRequester {
 public:
  void setRtt(Duration rtt) { rtt_ = rtt; }
  void want() { wanted_ = true; }
  void satisfied() { wanted_ = false; }

  /// True if a request is to be sent now; counts it as sent.
  bool take(Timestamp now) {
    if (!wanted_ || now < next_) return false;
    next_ = now + interval();
    return true;
  }
  Timestamp nextDeadline() const { return wanted_ ? next_ : Timestamp::never(); }

 private:
  /// Senders answer at most one request per 300 ms; add the way there and back.
  Duration interval() const { return std::min(Duration::millis(300) + rtt_, Duration::seconds(1)); }
  Duration rtt_ = Duration::millis(100);
  Timestamp next_;
  bool wanted_ = false;
};

}  // namespace parley::media
