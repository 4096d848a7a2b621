#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/rtp/rtcp/compound.h"
#include "parley/rtp/rtcp/report_block.h"

namespace parley::rtp::rtcp {

/// RFC 3550 section 6.4.2.
struct PARLEY_EXPORT ReceiverReport {
  uint32_t senderSsrc = 0;
  ReportBlocks blocks;

  /// Profile-specific extensions after the report blocks are skipped.
  static std::optional<ReceiverReport> parse(const Block& block);
  size_t size() const { return 8 + blocks.size() * ReportBlock::kSize; }
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
