#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/environment.h"
#include "parley/base/seq_num.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/report_block.h"
#include "parley/rtp/rtcp/sender_report.h"

namespace parley::media {

/// Loss and jitter of one source as receiver reports carry them (RFC 3550 sections 6.4.1, A.3,
/// A.8), and the sender reports that it answers.
class ReceptionStatistics {
 public:
  /// `sequence` is unwrapped.
  void handlePacket(int64_t sequence, uint32_t rtpTimestamp, uint32_t clockRate, Timestamp now);
  void handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now);
  /// The sender began anew: nothing is known of it any more, but what was counted stays counted.
  void restart();

  /// Starts the next interval for the fraction lost.
  rtp::rtcp::ReportBlock makeReport(uint32_t ssrc, Timestamp now);
  bool heardSinceReport() const { return received_ != receivedAtReport_; }

  /// By all that it ever sent; a report block tells those since the last restart.
  int64_t packetsLost() const { return lostBefore_ + (first_ ? expected() - received_ : 0); }
  double jitterSeconds() const { return clockRate_ ? jitter_ / clockRate_ : 0; }
  uint64_t reportsReceived() const { return reports_; }
  const std::optional<rtp::rtcp::SenderReport>& lastSenderReport() const { return lastSr_; }
  Timestamp lastSenderReportArrival() const { return lastSrArrival_; }

  /// The sender's NTP time of an RTP timestamp, once a report has tied the two.
  std::optional<NtpTime> ntpOf(uint32_t rtpTimestamp) const;

 private:
  int64_t expected() const { return highest_ - *first_ + 1; }

  std::optional<int64_t> first_;
  int64_t highest_ = 0;
  int64_t received_ = 0;
  int64_t receivedAtReport_ = 0;
  int64_t expectedAtReport_ = 0;
  uint32_t clockRate_ = 0;
  double jitter_ = 0;  // RTP ticks
  std::optional<uint32_t> lastRtp_;
  Timestamp lastArrival_;
  int64_t lostBefore_ = 0;  // the last restart
  uint64_t reports_ = 0;
  std::optional<rtp::rtcp::SenderReport> lastSr_;
  Timestamp lastSrArrival_;
};

}  // namespace parley::media
