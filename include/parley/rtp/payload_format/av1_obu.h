#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// Open Bitstream Units of AV1 (AV1 specification, section 6.2.2).
enum class ObuType : uint8_t {
  SequenceHeader = 1,
  TemporalDelimiter = 2,
  FrameHeader = 3,
  TileGroup = 4,
  Metadata = 5,
  Frame = 6,
  RedundantFrameHeader = 7,
  TileList = 8,
  Padding = 15,
};

/// leb128() of the AV1 specification, section 4.10.5: up to eight bytes, values up to 2^32 - 1.
/// nullopt if it is cut off or larger.
PARLEY_EXPORT std::optional<uint32_t> readLeb128(ByteReader& r);
PARLEY_EXPORT size_t leb128Size(uint32_t value);
PARLEY_EXPORT void writeLeb128(uint32_t value, ByteWriter& w);

/// One unit, with its header taken apart.
struct PARLEY_EXPORT Obu {
  ObuType type = ObuType::Padding;
  uint8_t header[2] = {};  ///< without obu_has_size_field
  uint8_t headerSize = 1;  ///< 2 with layer ids
  uint8_t temporalId = 0;
  uint8_t spatialId = 0;
  ByteSpan payload;  ///< behind header and size

  /// Reads the next one of a low-overhead stream; one that does not tell its size reaches to the
  /// end. False if it is malformed.
  static bool read(ByteReader& r, Obu& out);
  size_t size() const { return headerSize + payload.size(); }
};

/// max_frame_width and max_frame_height of a sequence header, given its payload; nullopt if
/// malformed.
PARLEY_EXPORT std::optional<VideoSize> parseAv1SequenceSize(ByteSpan payload);

/// What a packet says, as far as a frame assembler cares.
struct Av1PacketInfo {
  bool startsSequence = false;  ///< N: a key frame, with its sequence header
  uint8_t temporalId = 0;       ///< of its first unit; 0 if that does not tell
  uint8_t spatialId = 0;
};

}  // namespace parley::rtp
