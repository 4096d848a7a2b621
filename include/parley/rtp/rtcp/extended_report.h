#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/compound.h"
#include "parley/rtp/rtcp/xr_metrics.h"

namespace parley::rtp::rtcp {

/// One sub-block of a DLRR block (RFC 3611 section 4.5).
struct DlrrEntry {
  uint32_t ssrc = 0;              ///< the receiver that sent the reference time
  uint32_t lastRr = 0;            ///< middle 32 bits of its NTP time; 0 = none
  uint32_t delaySinceLastRr = 0;  ///< 1/65536 s
  bool operator==(const DlrrEntry&) const = default;
};

/// Extended report (RFC 3611) with the two blocks that let a receiver measure its round-trip time.
/// Of those that only tell, the first summary and the first metrics are read, and never written;
/// other blocks are skipped by length.
struct PARLEY_EXPORT ExtendedReport {
  static constexpr uint8_t kReceiverReferenceTime = 4;
  static constexpr uint8_t kDlrr = 5;
  static constexpr size_t kMaxDlrr = 32;

  uint32_t senderSsrc = 0;
  std::optional<NtpTime> receiverReferenceTime;
  InlineVector<DlrrEntry, kMaxDlrr> dlrr;
  std::optional<StatisticsSummary> summary;
  std::optional<VoipMetrics> voip;

  static std::optional<ExtendedReport> parse(const Block& block);
  size_t size() const;
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
