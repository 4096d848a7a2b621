#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/codec/encoded_frame.h"
#include "parley/codec/video_frame.h"
#include "parley/rtp/extensions/corruption_detection.h"

// Comparing what comes out of a decoder with what went into the encoder, by a few blurred samples
// (draft-ietf-avtcore-corruption-detection). Where samples lie follows from their numbers in a
// two-dimensional Halton sequence, which both ends count.

namespace parley::codec {

/// Where a sample lies: in the planes put side by side, the luma left, one chroma above the other.
struct SamplePoint {
  int plane = 0;  ///< 0: Y, 1: U, 2: V
  int row = 0;
  int column = 0;
};
PARLEY_EXPORT SamplePoint corruptionSamplePoint(uint32_t index, int width, int height);

/// The mean around a point, weighted by a Gaussian of this standard deviation; 0: the point alone.
PARLEY_EXPORT double blurredSample(const I420Buffer& picture, const SamplePoint& point,
                                   double deviation);

/// The sending end: takes samples of key frames, and of one picture a second that all receivers
/// get. One for each stream and spatial layer.
class PARLEY_EXPORT CorruptionSampler {
 public:
  /// Whether sample() would take any.
  bool isDue(const EncodedVideoFrame& frame) const;
  /// `input` is what the encoder was given for this frame, in the frame's size.
  std::optional<rtp::CorruptionDetectionValue> sample(const I420Buffer& input,
                                                      const EncodedVideoFrame& frame,
                                                      std::string_view codecName);

 private:
  uint32_t next_ = 0;
  std::optional<Timestamp> last_;
};

/// The receiving end.
class PARLEY_EXPORT CorruptionJudge {
 public:
  /// How likely it is that `picture` is not what was sent, 0..1. Nothing if the message has no
  /// samples, or before a first one has told the whole number.
  std::optional<double> judge(const rtp::CorruptionDetectionValue& message,
                              const I420Buffer& picture);
  /// Another stream begins.
  void reset() { next_.reset(); }

 private:
  std::optional<uint32_t> next_;
};

}  // namespace parley::codec
