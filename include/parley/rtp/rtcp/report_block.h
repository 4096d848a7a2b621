#pragma once

#include <cstdint>

#include "parley/base/bytes.h"
#include "parley/base/inline_vector.h"

namespace parley::rtp::rtcp {

/// What a receiver reports on one source (RFC 3550 section 6.4.1).
struct ReportBlock {
  static constexpr size_t kSize = 24;

  uint32_t ssrc = 0;
  uint8_t fractionLost = 0;    ///< of 256, since the last report
  int32_t cumulativeLost = 0;  ///< 24-bit signed; may be negative with duplicates
  uint32_t extendedHighestSequence = 0;
  uint32_t jitter = 0;            ///< RTP clock ticks
  uint32_t lastSr = 0;            ///< middle 32 bits of the NTP time of the last SR; 0 = none yet
  uint32_t delaySinceLastSr = 0;  ///< 1/65536 s

  static ReportBlock read(ByteReader& r) {
    ReportBlock b;
    b.ssrc = r.u32();
    b.fractionLost = r.u8();
    b.cumulativeLost = static_cast<int32_t>(r.u24() << 8) >> 8;
    b.extendedHighestSequence = r.u32();
    b.jitter = r.u32();
    b.lastSr = r.u32();
    b.delaySinceLastSr = r.u32();
    return b;
  }
  void write(ByteWriter& w) const {
    // RFC 3550 appendix A.3 clamps the cumulative count to 24 bits, it does not wrap.
    const int32_t lost = cumulativeLost > 0x7fffff    ? 0x7fffff
                         : cumulativeLost < -0x800000 ? -0x800000
                                                      : cumulativeLost;
    w.u32(ssrc);
    w.u8(fractionLost);
    w.u24(static_cast<uint32_t>(lost) & 0xffffff);
    w.u32(extendedHighestSequence);
    w.u32(jitter);
    w.u32(lastSr);
    w.u32(delaySinceLastSr);
  }
  bool operator==(const ReportBlock&) const = default;
};

/// RC is a 5-bit field.
inline constexpr size_t kMaxReportBlocks = 31;
using ReportBlocks = InlineVector<ReportBlock, kMaxReportBlocks>;

}  // namespace parley::rtp::rtcp
