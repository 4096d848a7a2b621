#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley::testing {

/// A camera of the pair's first end with an encoder of its own: 30 pictures a second of what the
/// estimate allows, noise behind a VP8 header.
class EncodedCamera {
 public:
  explicit EncodedCamera(Pair& pair, DataRate most = DataRate::infinite())
      : pair_(pair), track(MediaStreamTrack::createEncodedVideo(pair.loopA(), "VP8")) {
    track.onTargetBitrate([this, most](DataRate rate) {
      target = std::min(rate, most);
      highest = std::max(highest, rate);
      // Zero is a pause: while there is no path.
      if (!rate.isZero()) lowest = std::min(lowest, rate);
    });
    track.onKeyFrameNeeded([this] { keyFrame_ = true; });
    shoot();
  }

 private:
  void shoot() {
    codec::EncodedVideoFrame frame;
    frame.keyFrame = std::exchange(keyFrame_, false);
    frame.data.assign(std::max<size_t>(static_cast<size_t>(target.bps()) / 8 / 30, 20), 0x33);
    frame.data[0] = frame.keyFrame ? 0x10 : 0x11;
    if (frame.keyFrame) {
      const uint8_t header[] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1};
      std::copy(std::begin(header), std::end(header), frame.data.begin());
    }
    frame.rtpTimestamp = timestamp_ += 3000;
    frame.capture = pair_.world().now();
    frame.width = 640;
    frame.height = 360;
    EXPECT_TRUE(track.push(frame));
    pair_.world().after(Duration::micros(33'333), [this] { shoot(); });
  }

  Pair& pair_;
  bool keyFrame_ = false;
  uint32_t timestamp_ = 0;

 public:
  MediaStreamTrack track;
  DataRate target = DataRate::kbps(300);
  DataRate highest;
  DataRate lowest = DataRate::infinite();
};

}  // namespace parley::testing
