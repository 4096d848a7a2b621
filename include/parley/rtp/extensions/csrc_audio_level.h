#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// Mixer-to-client audio levels (RFC 6465): one -dBov level per CSRC, in the order of the CSRC
/// list.
struct CsrcAudioLevel {
  using Value = InlineVector<uint8_t, 15>;
  static constexpr ExtensionKind kKind = ExtensionKind::CsrcAudioLevel;
  static constexpr std::string_view kUri = "urn:ietf:params:rtp-hdrext:csrc-audio-level";
  static constexpr size_t kMaxSize = 15;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.empty() || bytes.size() > kMaxSize) return std::nullopt;
    Value v;
    for (uint8_t b : bytes) v.push_back(b & 0x7f);
    return v;
  }
  static size_t write(const Value& v, uint8_t* out) {
    for (size_t i = 0; i < v.size(); ++i) out[i] = v[i] & 0x7f;
    return v.size();
  }
};

}  // namespace parley::rtp
