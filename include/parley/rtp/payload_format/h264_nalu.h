#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// NAL unit types (ITU-T H.264 table 7-1; 24 and above RFC 6184 section 5.2).
enum class NaluType : uint8_t {
  Slice = 1,
  Idr = 5,
  Sei = 6,
  Sps = 7,
  Pps = 8,
  AccessUnitDelimiter = 9,
  StapA = 24,
  FuA = 28,
};

inline NaluType naluType(uint8_t header) {
  return static_cast<NaluType>(header & 0x1f);
}

/// Where a NAL unit stands in an Annex B byte stream, without its start code.
struct NaluRange {
  size_t offset = 0;
  size_t size = 0;
};

/// Finds the NAL units of an Annex B stream (start codes of three or four bytes). Replaces the
/// content of `out`. Empty units are left out.
PARLEY_EXPORT void findNalus(ByteSpan annexB, std::vector<NaluRange>& out);

/// The cropped picture size in a sequence parameter set (ITU-T H.264 section 7.3.2.1), given with
/// its NAL header; nullopt if malformed or beyond 16 bits.
PARLEY_EXPORT std::optional<VideoSize> parseH264SpsSize(ByteSpan sps);

/// What a packet holds, as far as a frame assembler cares.
struct H264PacketInfo {
  bool hasSps = false;
  bool hasPps = false;
  bool hasIdr = false;
};

}  // namespace parley::rtp
