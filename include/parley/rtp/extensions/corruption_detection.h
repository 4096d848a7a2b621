#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// A few blurred samples of the picture that went into the encoder, for comparison with what comes
/// out of the decoder. Where they lie follows from their number in a sequence that both ends count.
struct CorruptionDetectionValue {
  static constexpr size_t kMaxSamples = 13;
  /// The number of the first sample has 14 bits; of them, the upper seven (the lower are zero) or
  /// the lower seven.
  bool upperBits = false;
  uint8_t index = 0;
  uint8_t deviation = 0;    ///< of the blur: 255 is a standard deviation of 40 samples
  uint8_t lumaError = 0;    ///< 0..15: a difference that coding alone explains
  uint8_t chromaError = 0;  ///< 0..15
  InlineVector<uint8_t, kMaxSamples> samples;  ///< none: it only tells the number
  bool operator==(const CorruptionDetectionValue&) const = default;
};

/// corruption-detection (draft-ietf-avtcore-corruption-detection), on the last packet of a frame.
struct CorruptionDetection {
  using Value = CorruptionDetectionValue;
  static constexpr ExtensionKind kKind = ExtensionKind::CorruptionDetection;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection";
  static constexpr size_t kHeaderSize = 3;
  static constexpr size_t kMaxSize = kHeaderSize + CorruptionDetectionValue::kMaxSamples;
  static std::optional<Value> parse(ByteSpan bytes) {
    // One byte, or all of the header and a sample.
    if (bytes.empty() || bytes.size() > kMaxSize) return std::nullopt;
    if (bytes.size() > 1 && bytes.size() <= kHeaderSize) return std::nullopt;
    Value v;
    v.upperBits = (bytes[0] & 0x80) != 0;
    v.index = bytes[0] & 0x7f;
    if (bytes.size() == 1) return v;
    v.deviation = bytes[1];
    v.lumaError = bytes[2] >> 4;
    v.chromaError = bytes[2] & 0x0f;
    for (const uint8_t sample : bytes.subspan(kHeaderSize)) v.samples.push_back(sample);
    return v;
  }
  static size_t write(const Value& v, uint8_t* out) {
    out[0] = static_cast<uint8_t>((v.upperBits ? 0x80 : 0) | (v.index & 0x7f));
    if (v.samples.empty()) return 1;
    out[1] = v.deviation;
    out[2] = static_cast<uint8_t>((v.lumaError & 15) << 4 | (v.chromaError & 15));
    for (size_t i = 0; i < v.samples.size(); ++i) out[kHeaderSize + i] = v.samples[i];
    return kHeaderSize + v.samples.size();
  }
};

}  // namespace parley::rtp
