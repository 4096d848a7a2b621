#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// RTP Congestion Control Feedback (RFC 8888).
struct PARLEY_EXPORT CongestionFeedback {
  static constexpr uint8_t kFormat = 11;
  /// RFC 8888 section 3.1: more than half the sequence space would be ambiguous.
  static constexpr size_t kMaxReportsPerStream = 16'384;
  /// "Arrival time offset is more than 8189/1024 s."
  static constexpr uint16_t kOffsetOverrange = 0x1ffe;
  /// "The packet arrived after the report timestamp", or the time is not known.
  static constexpr uint16_t kOffsetUnknown = 0x1fff;

  struct Report {
    bool received = false;
    Ecn ecn = Ecn::NotEct;
    uint16_t arrivalOffset = kOffsetUnknown;  ///< 1/1024 s before the report timestamp, 13 bits
    bool operator==(const Report&) const = default;
  };
  struct Stream {
    uint32_t ssrc = 0;
    uint16_t beginSequence = 0;
    uint16_t count = 0;
    size_t firstReport = 0;  ///< index into `reports`; report i is for beginSequence + i
    bool operator==(const Stream&) const = default;
  };

  uint32_t senderSsrc = 0;
  uint32_t reportTimestamp = 0;  ///< the middle 32 bits of an NTP time: 1/65536 s
  std::vector<Stream> streams;
  std::vector<Report> reports;

  std::span<const Report> reportsOf(const Stream& s) const {
    return std::span(reports).subspan(s.firstReport, s.count);
  }

  /// Fills `out`, reusing its memory, which grows with the bytes present only. False if malformed.
  static bool parse(const Block& block, CongestionFeedback& out);
  size_t size() const;
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
