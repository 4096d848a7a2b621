#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// NAL unit types (ITU-T H.265 table 7-1; 48 and above RFC 7798 section 4.4). Below 32 are slices,
/// of which 16 to 23 belong to pictures where decoding can begin.
enum class H265NaluType : uint8_t {
  FirstIrap = 16,
  LastIrap = 23,
  LastSlice = 31,
  Vps = 32,
  Sps = 33,
  Pps = 34,
  AccessUnitDelimiter = 35,
  PrefixSei = 39,
  SuffixSei = 40,
  Aggregation = 48,
  Fragment = 49,
};

/// The unit's header has two bytes; this takes the first.
inline H265NaluType h265NaluType(uint8_t first) {
  return static_cast<H265NaluType>(first >> 1 & 0x3f);
}
inline bool isH265Slice(H265NaluType type) {
  return type <= H265NaluType::LastSlice;
}
/// Of a picture that a decoder can begin with (IDR, BLA, CRA).
inline bool isH265Irap(H265NaluType type) {
  return type >= H265NaluType::FirstIrap && type <= H265NaluType::LastIrap;
}

/// The picture size inside the conformance window of a sequence parameter set (ITU-T H.265 section
/// 7.3.2.2), given with its NAL header; nullopt if malformed or beyond 16 bits. Only of the base
/// layer.
PARLEY_EXPORT std::optional<VideoSize> parseH265SpsSize(ByteSpan sps);

/// What a packet holds, as far as a frame assembler cares.
struct H265PacketInfo {
  bool hasVps = false;
  bool hasSps = false;
  bool hasPps = false;
  bool hasIrap = false;
  uint8_t temporalId = 0;
};

}  // namespace parley::rtp
