#pragma once

#include <cstdint>
#include <span>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/base/packet_buffer.h"
#include "parley/rtp/packet_view.h"

namespace parley::rtp {

/// One block of a RED payload (RFC 2198 section 3). `data` borrows the packet.
struct RedBlock {
  /// What the fields of a redundant block's header can say.
  static constexpr size_t kMaxSize = 0x3ff;
  static constexpr uint16_t kMaxOffset = 0x3fff;

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

/// Writes a RED payload: redundant blocks, oldest first, the primary last. The number of bytes; 0
/// if it does not fit, or a redundant block exceeds what its header can say.
PARLEY_EXPORT size_t writeRed(std::span<const RedBlock> blocks, MutableByteSpan out);

/// Makes a RED packet, in place, the one that its primary block would be without RED: with the
/// payload type of that block. `red` is its parsed payload, of which the primary stays valid.
PARLEY_EXPORT void unwrapRed(PacketBuf& packet, const PacketView& view, const RedPayload& red);

}  // namespace parley::rtp
