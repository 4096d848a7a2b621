#pragma once

#include <algorithm>
#include <cstdint>

#include "parley/base/time.h"

namespace parley::media {

/// How soon after one change of an SSRC another may follow. RFC 3550 section 8.2 takes whoever
/// meets the next one too for a loop, and ignores it; here each next one has to wait twice as long,
/// so that an accident is also mended if it happens twice.
class SsrcPatience {
 public:
  /// Whether the SSRC may be changed now; then it is.
  bool take(Timestamp now) {
    if (changes_ > 0 && now < next_) return false;
    next_ = now + kFirst * (int64_t{1} << std::min(changes_, kMostDoublings));
    ++changes_;
    return true;
  }

 private:
  static constexpr Duration kFirst = Duration::seconds(1);
  static constexpr uint32_t kMostDoublings = 12;
  uint32_t changes_ = 0;
  Timestamp next_;
};

}  // namespace parley::media
