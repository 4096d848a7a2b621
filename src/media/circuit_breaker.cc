#include "media/circuit_breaker.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace parley::media {
namespace {

/// Section 4.2: three times the deterministic interval, calculated with a minimum of 5 s, which at
/// the rates of this library is what the calculation always yields.
constexpr Duration kReportInterval = Duration::seconds(5);
constexpr Duration kTimeout = kReportInterval * 3;
/// After a longer pause of the sender the peer has its time anew.
constexpr Duration kPause = kReportInterval;
/// G of section 4.3: between frames; 30 a second.
constexpr Duration kFrameGroup = Duration::millis(33);
/// Two reports that close together are one.
constexpr Duration kSameReport = Duration::millis(200);
/// Section 4.3: "more than ten times" what TCP would send.
constexpr double kTimesTcp = 10;
constexpr double kPerLowerLayers = 28;  // UDP over IPv4

}  // namespace

void CircuitBreaker::onSent(size_t bytes, Timestamp now) {
  if (!sendingSince_ || now - lastSent_ > kPause) {
    sendingSince_ = now;
    unheardReports_ = congestedReports_ = 0;
  }
  lastSent_ = now;
  ++packets_;
  bytes_ += bytes;
}

/// CB_INTERVAL of section 4.3, in reports.
int CircuitBreaker::interval(Duration rtt) const {
  const Duration reports =
      std::clamp(reportInterval_.value_or(kReportInterval), kSameReport, kReportInterval);
  const Duration wanted = std::max({kFrameGroup * 10, rtt * 10, reports * 3});
  return static_cast<int>(std::ceil(std::min(wanted, kTimeout) * 3 / (reports * 3) - 1e-9));
}

std::optional<CircuitBreakerReason> CircuitBreaker::onReport(const rtp::rtcp::ReportBlock& block,
                                                             Duration rtt, bool controlled,
                                                             Timestamp now) {
  heard_ = now;
  if (!reportedAt_) {
    reportedAt_ = now;
    highest_ = block.extendedHighestSequence;
    packets_ = bytes_ = 0;
    return std::nullopt;
  }
  const Duration elapsed = now - *reportedAt_;
  if (elapsed < kSameReport) return std::nullopt;
  reportedAt_ = now;
  reportInterval_ = reportInterval_ ? *reportInterval_ * 0.75 + elapsed * 0.25 : elapsed;
  const bool moved =
      block.extendedHighestSequence != std::exchange(highest_, block.extendedHighestSequence);
  const auto packets = static_cast<double>(std::exchange(packets_, 0));
  const auto bytes = static_cast<double>(std::exchange(bytes_, 0)) + packets * kPerLowerLayers;
  if (packets == 0) return std::nullopt;
  const int most = interval(rtt);
  unheardReports_ = moved ? 0 : unheardReports_ + 1;
  if (unheardReports_ >= most) return CircuitBreakerReason::MediaTimeout;
  // The simplified equation of section 4.3: X = s / (Tr * sqrt(2p / 3)).
  const double loss = block.fractionLost / 256.0;
  const double tcp =
      loss > 0 ? bytes / packets / (std::max(0.001, rtt.seconds()) * std::sqrt(2 * loss / 3))
               : HUGE_VAL;
  const bool congested = !controlled && bytes / elapsed.seconds() > kTimesTcp * tcp;
  congestedReports_ = congested ? congestedReports_ + 1 : 0;
  if (congestedReports_ >= most) return CircuitBreakerReason::Congestion;
  return std::nullopt;
}

Timestamp CircuitBreaker::nextDeadline() const {
  if (!sendingSince_) return Timestamp::never();
  return std::max(*sendingSince_, heard_.value_or(*sendingSince_)) + kTimeout;
}

std::optional<CircuitBreakerReason> CircuitBreaker::check(Timestamp now) {
  if (now < nextDeadline()) return std::nullopt;
  const bool sending = now - lastSent_ <= kPause;
  sendingSince_.reset();
  if (!sending) return std::nullopt;
  return CircuitBreakerReason::RtcpTimeout;
}

void CircuitBreaker::restart() {
  sendingSince_.reset();
  unheardReports_ = congestedReports_ = 0;
  packets_ = bytes_ = 0;
}

}  // namespace parley::media
