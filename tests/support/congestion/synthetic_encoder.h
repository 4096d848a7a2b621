#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>

#include "parley/base/bytes.h"
#include "parley/base/random.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/codec/encoded_frame.h"

namespace parley::test {

/// Frames as a live encoder makes them (in the manner of RFC 8593): 30 a second, following the
/// target with a lag, each of another size, key frames of several times the size that the frames
/// after them pay back.
class SyntheticEncoder {
 public:
  explicit SyntheticEncoder(uint64_t seed) : random_(seed) {}

  /// What encoders take to act on another target (RFC 8593 section 5.2, rounded down: live
  /// encoders change the quantizer with the next frames).
  static constexpr Duration kLag = Duration::millis(100);
  static constexpr Duration kFrameInterval = Duration::micros(33'333);
  static constexpr double kNoise = 0.15;  ///< standard deviation of the size
  static constexpr double kKeyFrameWeight = 3;

  void setTarget(DataRate rate, Timestamp now) { pending_.push_back({now + kLag, rate}); }
  void requestKeyFrame() { keyFrameWanted_ = true; }
  void start(Timestamp now) { next_ = now; }
  void stop() { next_ = Timestamp::never(); }
  bool running() const { return !next_.isNever(); }
  Timestamp nextFrame() const { return next_; }
  DataRate target() const { return target_; }

  /// The frame that is due; false if none is.
  bool encode(Timestamp now, codec::EncodedVideoFrame& out) {
    if (now < next_) return false;
    next_ += kFrameInterval;
    while (!pending_.empty() && pending_.front().at <= now) {
      target_ = pending_.front().rate;
      pending_.pop_front();
    }
    if (target_.isZero()) {
      keyFrameWanted_ = true;
      return false;
    }
    const bool key = keyFrameWanted_;
    keyFrameWanted_ = false;
    const double share = static_cast<double>(target_.bytesIn(kFrameInterval));
    double size = share * (key ? kKeyFrameWeight : 1) * std::clamp(1 + kNoise * normal(), 0.5, 1.8);
    if (!key)
      size = std::max(share * 0.3, size - std::clamp(owed_ * 0.1, -share * 0.3, share * 0.5));
    owed_ += size - share;
    out.data.resize(static_cast<size_t>(std::max(40.0, size)));
    ByteWriter writer(out.data);
    // RFC 6386 section 9.1, as much as a VP8 payload format looks at.
    writer.u8(key ? 0x10 : 0x11);
    writer.zeros(2);
    if (key) {
      writer.u24(0x9d012a);
      writer.zeros(4);
    }
    out.keyFrame = key;
    out.capture = now;
    out.rtpTimestamp = static_cast<uint32_t>(now.nanos() / 1000 * 9 / 100);
    out.info = codec::Vp8Info{};
    return true;
  }

 private:
  struct Change {
    Timestamp at;
    DataRate rate;
  };
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random_.unit();
    return sum;
  }
  SeededRandom random_;
  std::deque<Change> pending_;
  DataRate target_ = DataRate::kbps(300);
  Timestamp next_ = Timestamp::never();
  double owed_ = 0;
  bool keyFrameWanted_ = true;
};

}  // namespace parley::test
