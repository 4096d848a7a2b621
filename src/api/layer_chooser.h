#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/base/time.h"
#include "parley/media/receive_types.h"

namespace parley::api_internal {

/// Which of several sources of one track goes to the decoder, which could make nothing of a
/// mixture. It changes on key frames only. Of the layers of simulcast it is the largest that
/// arrives. Sources that no description or rid calls layers may be layers all the same, or one may
/// follow another: one that begins takes over, and of those that go on side by side the largest
/// stays. A source that has fallen silent is left for any other.
class LayerChooser {
 public:
  enum class Verdict : uint8_t {
    Show,
    Leave,
    NeedsKeyFrame,  ///< not to be shown, but would be if it were a key frame
  };

  Verdict judge(const media::ReceivedFrame& frame, Timestamp now) {
    const int64_t pixels = int64_t{frame.size.width} * frame.size.height;
    if (frame.ssrc != ssrc_) {
      const bool begins = hear(frame.ssrc, now);
      const bool none = ssrc_ == 0;
      const bool silent = none || now - lastShown_ > kSilence;
      // Without simulcast nothing else may come.
      if (!frame.keyFrame && !(none && !frame.isLayer))
        return silent ? Verdict::NeedsKeyFrame : Verdict::Leave;
      if (!silent && pixels <= pixels_ && (frame.isLayer || !begins)) return Verdict::Leave;
      if (!none) hear(ssrc_, lastShown_);
      ssrc_ = frame.ssrc;
      pixels_ = pixels;
    }
    if (frame.keyFrame) pixels_ = pixels;
    lastShown_ = now;
    return Verdict::Show;
  }
  /// Of the source that is shown; 0 before the first.
  uint32_t ssrc() const { return ssrc_; }

 private:
  static constexpr Duration kSilence = Duration::seconds(1);
  /// Layers that go on are heard more often than that.
  static constexpr Duration kPause = Duration::millis(500);

  struct Heard {
    uint32_t ssrc = 0;
    Timestamp last;
  };
  /// True if the source was not heard lately.
  bool hear(uint32_t ssrc, Timestamp now) {
    Heard* place = &heard_[0];
    for (Heard& entry : heard_) {
      if (entry.ssrc == ssrc) {
        const bool paused = now - entry.last > kPause;
        entry.last = now;
        return paused;
      }
      if (entry.last < place->last) place = &entry;
    }
    *place = {ssrc, now};
    return true;
  }

  uint32_t ssrc_ = 0;
  int64_t pixels_ = 0;
  Timestamp lastShown_;
  std::array<Heard, 8> heard_{};  ///< of those that are not shown
};

}  // namespace parley::api_internal
