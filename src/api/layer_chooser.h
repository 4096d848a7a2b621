#pragma once

#include <cstdint>

#include "parley/base/time.h"
#include "parley/media/receive_types.h"

namespace parley::api_internal {

/// Which layer of a simulcast source goes to the decoder: the largest that arrives. It changes on
/// key frames only; a layer that has fallen silent is left for any other.
class LayerChooser {
 public:
  enum class Verdict : uint8_t {
    Show,
    Leave,
    NeedsKeyFrame,  ///< not to be shown, but would be if it were a key frame
  };

  Verdict judge(const media::ReceivedFrame& frame, Timestamp now) {
    if (frame.rid.empty()) return Verdict::Show;
    const int64_t pixels = int64_t{frame.size.width} * frame.size.height;
    if (frame.ssrc != ssrc_) {
      const bool silent = ssrc_ == 0 || now - lastShown_ > kSilence;
      if (!frame.keyFrame) return silent ? Verdict::NeedsKeyFrame : Verdict::Leave;
      if (!silent && pixels <= pixels_) return Verdict::Leave;
      ssrc_ = frame.ssrc;
      pixels_ = pixels;
    }
    if (frame.keyFrame) pixels_ = pixels;
    lastShown_ = now;
    return Verdict::Show;
  }
  /// Of the layer that is shown; 0 without simulcast.
  uint32_t ssrc() const { return ssrc_; }

 private:
  static constexpr Duration kSilence = Duration::seconds(1);

  uint32_t ssrc_ = 0;
  int64_t pixels_ = 0;
  Timestamp lastShown_;
};

}  // namespace parley::api_internal
