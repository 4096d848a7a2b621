#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "parley/base/export.h"
#include "parley/codec/audio_frame.h"
#include "parley/codec/video_frame.h"

// Sources of pictures and sound for tests, examples and placeholder tracks. All deterministic.

namespace parley::codec {

/// A moving picture that can be recognised after compression and scaling: a drifting colour
/// gradient, a bouncing square, and the frame number as a field of black and white cells at the
/// top.
class PARLEY_EXPORT TestPattern {
 public:
  TestPattern(int width, int height);
  /// The next picture; the frame number counts from 0 and has 24 bits.
  VideoFrame next(Timestamp capture);
  uint32_t frameNumber() const { return number_; }
  void resize(int width, int height);

  /// The frame number in a picture that came from a TestPattern; nullopt if it is not readable.
  static std::optional<uint32_t> readFrameNumber(const I420Buffer& picture);

 private:
  int width_;
  int height_;
  uint32_t number_ = 0;
  I420BufferPool pool_;
};

/// A pure tone.
class PARLEY_EXPORT ToneSource {
 public:
  ToneSource(double frequency, double amplitude = 0.5, int sampleRate = 48'000,
             size_t channels = 1);
  AudioFrame next(Timestamp capture);

 private:
  double frequency_;
  double amplitude_;
  int sampleRate_;
  size_t channels_;
  uint64_t position_ = 0;
};

/// Noise with the rhythm of speech: syllables at about 4 Hz, low-pass filtered, with pauses.
class PARLEY_EXPORT SpeechNoiseSource {
 public:
  explicit SpeechNoiseSource(uint32_t seed = 1, int sampleRate = 48'000, size_t channels = 1);
  AudioFrame next(Timestamp capture);

 private:
  uint32_t state_;
  int sampleRate_;
  size_t channels_;
  uint64_t position_ = 0;
  double low_ = 0;
};

/// The share of the signal's power at one frequency, 0..1 (Goertzel). For recognising a ToneSource.
PARLEY_EXPORT double tonePower(std::span<const int16_t> mono, double frequency,
                               int sampleRate = 48'000);

}  // namespace parley::codec
