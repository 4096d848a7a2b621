#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "parley/codec/audio_frame.h"
#include "parley/codec/resampler.h"
#include "parley/codec/video_frame.h"

#include "devices/av.h"

namespace parley::devices {

/// Decoded pictures of any format to 4:2:0 with 8 bits in video range, at the size they have.
class PictureConverter {
 public:
  /// Null if the picture is of a size or format that cannot be converted.
  std::shared_ptr<const codec::I420Buffer> convert(const AVFrame& frame);

 private:
  codec::I420BufferPool pool_{48};
  av::Scaler scaler_;
  int width_ = 0;
  int height_ = 0;
  int format_ = -1;
  bool fullRange_ = false;
};

/// Decoded sound of any format to pieces of 10 ms at 48 kHz, mono or stereo.
class SoundConverter {
 public:
  /// At most two channels come out.
  explicit SoundConverter(size_t channels) : channels_(channels < 2 ? 1 : 2) {}

  size_t channels() const { return channels_; }
  /// Takes sound in; false if its format cannot be converted.
  bool push(const AVFrame& frame);
  /// The next piece, without times; false if less than 10 ms are there.
  bool pop(codec::AudioFrame& out);
  /// Fills what is left up to a whole piece with silence.
  void pad();
  /// Samples per channel that wait to be popped.
  size_t buffered() const { return samples_.size() / channels_; }

 private:
  bool configure(const AVFrame& frame);

  const size_t channels_;
  av::Resampler resampler_;
  int rate_ = 0;
  int format_ = -1;
  int inputChannels_ = 0;
  std::vector<int16_t> samples_;
};

/// 10 ms at any rate and channel count of AudioFrame to 480 stereo samples at 48 kHz.
class StereoConverter {
 public:
  static constexpr size_t kSamples = 480;
  using Piece = std::array<int16_t, kSamples * 2>;
  /// False (and silence) for an invalid frame.
  bool convert(const codec::AudioFrame& frame, Piece& out);

 private:
  int rate_ = 0;
  std::vector<codec::Resampler> resamplers_;
};

/// How the stream wants its pictures turned.
codec::VideoRotation rotationOf(const AVStream& stream);

}  // namespace parley::devices
