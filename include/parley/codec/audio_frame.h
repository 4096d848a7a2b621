#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/codec/contributor.h"

namespace parley::codec {

/// 10 ms of sound, 16 bits, channels interleaved. A value without heap memory.
struct AudioFrame {
  static constexpr int kMaxSampleRate = 48'000;
  static constexpr size_t kMaxChannels = 2;
  static constexpr size_t kMaxSamples = kMaxSampleRate / 100 * kMaxChannels;

  std::array<int16_t, kMaxSamples> data{};
  int sampleRate = 48'000;  ///< Hz: 8000, 16000, 24000 or 48000
  size_t channels = 1;      ///< 1 or 2
  Timestamp capture{};      ///< when the first sample was taken
  /// Media time of the first sample in units of `sampleRate`. Encoders go by it; a track counts it
  /// itself, so who pushes into one need not set it. It does not wrap: 32 bits of 48 kHz last a
  /// day, and then could not be told in another codec's clock rate any more.
  int64_t rtpTimestamp = 0;
  /// Of a mix: who is heard in it. Told to the peer with the packet that it ends up in.
  Contributors contributors{};

  size_t samplesPerChannel() const { return static_cast<size_t>(sampleRate) / 100; }
  std::span<int16_t> samples() { return {data.data(), samplesPerChannel() * channels}; }
  std::span<const int16_t> samples() const { return {data.data(), samplesPerChannel() * channels}; }
  bool valid() const {
    return (sampleRate == 8000 || sampleRate == 16000 || sampleRate == 24000 ||
            sampleRate == 48000) &&
           (channels == 1 || channels == 2);
  }
};

/// Loudness as RFC 6464 section 3 carries it: the RMS level in -dBov, 0 (loudest) to 127 (silence).
PARLEY_EXPORT uint8_t audioLevel(std::span<const int16_t> samples);

}  // namespace parley::codec
