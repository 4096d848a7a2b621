#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::rtp {

/// The VP8 payload descriptor (RFC 7741 section 4.2).
struct PARLEY_EXPORT Vp8Descriptor {
  static constexpr size_t kMaxSize = 6;

  bool nonReference = false;      ///< N: may be dropped without harm to other frames
  bool startOfPartition = false;  ///< S; written by the packetizer
  uint8_t partition = 0;          ///< PID; written by the packetizer
  std::optional<uint16_t> pictureId;
  bool longPictureId = true;  ///< 15 bits instead of 7
  std::optional<uint8_t> tl0PicIdx;
  std::optional<uint8_t> temporalId;  ///< 0..3
  bool layerSync = false;             ///< Y: depends on temporal layer 0 only
  std::optional<uint8_t> keyIdx;      ///< 0..31

  /// Reads the descriptor at the front of `payload`; returns its length, 0 if malformed.
  static size_t parse(ByteSpan payload, Vp8Descriptor& out);
  size_t size() const;
  /// Writes size() bytes.
  void write(ByteWriter& w) const;
  bool operator==(const Vp8Descriptor&) const = default;
};

}  // namespace parley::rtp
