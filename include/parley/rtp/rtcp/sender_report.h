#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/compound.h"
#include "parley/rtp/rtcp/report_block.h"

namespace parley::rtp::rtcp {

/// RFC 3550 section 6.4.1.
struct PARLEY_EXPORT SenderReport {
  uint32_t senderSsrc = 0;
  NtpTime ntp;
  uint32_t rtpTimestamp = 0;
  uint32_t packetCount = 0;
  uint32_t octetCount = 0;
  ReportBlocks blocks;

  /// Profile-specific extensions after the report blocks are skipped.
  static std::optional<SenderReport> parse(const Block& block);
  size_t size() const { return 28 + blocks.size() * ReportBlock::kSize; }
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
