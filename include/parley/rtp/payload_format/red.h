#pragma once

#include <cstdint>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"

namespace parley::rtp {

/// One block of a RED payload (RFC 2198 section 3). `data` borrows the packet.
struct RedBlock {
  uint8_t payloadType = 0;
  uint16_t timestampOffset = 0;  ///< how far before the packet's timestamp; 0 for the primary
  ByteSpan data;
};

/// A parsed RED payload: redundant blocks, oldest first, then the primary.
struct PARLEY_EXPORT RedPayload {
  static constexpr size_t kMaxBlocks = 32;

  InlineVector<RedBlock, kMaxBlocks> blocks;
  const RedBlock& primary() const { return blocks.back(); }

  /// False if malformed, or with more than kMaxBlocks. On success there is at least the primary.
  static bool parse(ByteSpan payload, RedPayload& out);
};

}  // namespace parley::rtp
