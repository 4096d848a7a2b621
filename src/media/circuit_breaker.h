#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/time.h"
#include "parley/media/send_stream.h"
#include "parley/rtp/rtcp/report_block.h"

namespace parley::media {

/// When a stream has to stop whatever congestion control says (RFC 8083): nobody hears it, nobody
/// reports on it, or it takes ten times what TCP would. One per stream.
class CircuitBreaker {
 public:
  /// A packet of the stream left.
  void onSent(size_t bytes, Timestamp now);
  /// The peer has told that packets arrive, in other ways than by a report block.
  void onHeard(Timestamp now) { heard_ = now; }
  /// A report block on the stream. `controlled`: the peer reports each packet, to a controller that
  /// stays below what section 4.3 allows.
  std::optional<CircuitBreakerReason> onReport(const rtp::rtcp::ReportBlock& block, Duration rtt,
                                               bool controlled, Timestamp now);
  /// Whether it is time to stop for want of reports.
  std::optional<CircuitBreakerReason> check(Timestamp now);
  Timestamp nextDeadline() const;
  /// Whether the peer has ever reported on it.
  bool everReported() const { return reportedAt_.has_value(); }
  /// The stream begins again.
  void restart();

 private:
  int interval(Duration rtt) const;

  std::optional<Timestamp> sendingSince_;
  Timestamp lastSent_;
  std::optional<Timestamp> heard_;
  std::optional<Timestamp> reportedAt_;
  std::optional<Duration> reportInterval_;  ///< Tdr, as seen
  uint32_t highest_ = 0;
  uint64_t packets_ = 0;  ///< since the last report
  uint64_t bytes_ = 0;
  int unheardReports_ = 0;    ///< in a row
  int congestedReports_ = 0;  ///< in a row
};

}  // namespace parley::media
