#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/time.h"

namespace parley::rtp {

enum class OpusMode : uint8_t { Silk, Hybrid, Celt };

/// What the first bytes of an Opus packet say (RFC 6716 section 3).
struct PARLEY_EXPORT OpusPacketInfo {
  OpusMode mode = OpusMode::Silk;
  bool stereo = false;
  uint8_t frameCount = 1;  ///< 1..48
  Duration frameDuration;  ///< 2.5 to 60 ms
  /// A copy of the previous frame in lower quality is inside (LBRR), which a decoder can use in
  /// place of a lost packet.
  bool hasFec = false;

  Duration duration() const { return frameDuration * frameCount; }

  /// nullopt if the packet is empty, has no frames, or would last more than 120 ms.
  static std::optional<OpusPacketInfo> parse(ByteSpan packet);
};

}  // namespace parley::rtp
