#pragma once

#include <optional>
#include <span>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// Generic NACK (RFC 4585 section 6.2.1): the sequence numbers a receiver misses.
struct PARLEY_EXPORT Nack {
  static constexpr uint8_t kFormat = 1;
  /// One packet may name more; the sender will hear of them again if they still matter.
  static constexpr size_t kMaxSequences = 253;

  uint32_t senderSsrc = 0;
  uint32_t mediaSsrc = 0;
  InlineVector<uint16_t, kMaxSequences> sequences;

  static std::optional<Nack> parse(const Block& block);

  /// Packs `sequences` (in ascending wrapping order, no repeats) into PID + BLP pairs and writes as
  /// many as fit in `maxBytes`. Returns how many sequence numbers were taken; 0 writes nothing.
  static size_t write(ByteWriter& w, uint32_t senderSsrc, uint32_t mediaSsrc,
                      std::span<const uint16_t> sequences, size_t maxBytes);
};

}  // namespace parley::rtp::rtcp
