#include "media/reception_statistics.h"

#include <algorithm>
#include <cmath>

namespace parley::media {

namespace {
constexpr int64_t kMaxMisorder = 100;  // RFC 3550 appendix A.1
}

void ReceptionStatistics::handlePacket(int64_t sequence, uint32_t rtpTimestamp, uint32_t clockRate,
                                       Timestamp now) {
  if (!first_) {
    first_ = sequence;
    highest_ = sequence;
  }
  // A packet before the first one moves the start, or the loss would turn negative. One from far
  // before it is a stray, and would make all numbers in between losses.
  if (sequence < *first_ - kMaxMisorder) return;
  first_ = std::min(*first_, sequence);
  ++received_;
  if (clockRate != clockRate_) {
    clockRate_ = clockRate;
    jitter_ = 0;
    lastRtp_.reset();
  }
  // Reordered packets say nothing about the spacing that the sender had.
  const bool inOrder = sequence >= highest_;
  highest_ = std::max(highest_, sequence);
  if (!inOrder) return;
  if (lastRtp_ && *lastRtp_ != rtpTimestamp) {
    const double arrivalTicks = (now - lastArrival_).seconds() * clockRate;
    const double sentTicks = static_cast<int32_t>(rtpTimestamp - *lastRtp_);
    const double d = std::abs(arrivalTicks - sentTicks);
    // A jump of seconds is a new time base, not jitter.
    if (d < 5.0 * clockRate) jitter_ += (d - jitter_) / 16;
  }
  // Packets of one frame share a timestamp and leave as a burst: only the first of each counts.
  if (!lastRtp_ || *lastRtp_ != rtpTimestamp) {
    lastRtp_ = rtpTimestamp;
    lastArrival_ = now;
  }
}

void ReceptionStatistics::handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now) {
  ++reports_;
  lastSr_ = report;
  lastSrArrival_ = now;
}

void ReceptionStatistics::restart() {
  ReceptionStatistics fresh;
  fresh.lostBefore_ = packetsLost();
  fresh.reports_ = reports_;
  *this = fresh;
}

rtp::rtcp::ReportBlock ReceptionStatistics::makeReport(uint32_t ssrc, Timestamp now) {
  rtp::rtcp::ReportBlock out;
  out.ssrc = ssrc;
  if (first_) {
    const int64_t expectedNow = expected() - expectedAtReport_;
    const int64_t lostNow = expectedNow - (received_ - receivedAtReport_);
    if (expectedNow > 0 && lostNow > 0) {
      out.fractionLost = static_cast<uint8_t>(std::min<int64_t>((lostNow << 8) / expectedNow, 255));
    }
    expectedAtReport_ = expected();
    receivedAtReport_ = received_;
    out.cumulativeLost =
        static_cast<int32_t>(std::clamp<int64_t>(expected() - received_, -0x800000, 0x7fffff));
    out.extendedHighestSequence = static_cast<uint32_t>(highest_);
    out.jitter = static_cast<uint32_t>(std::min(jitter_, 4e9));
  }
  if (lastSr_) {
    out.lastSr = lastSr_->ntp.compact();
    const double delay = (now - lastSrArrival_).seconds() * 65536.0;
    out.delaySinceLastSr = static_cast<uint32_t>(std::clamp(delay, 0.0, 4294967295.0));
  }
  return out;
}

std::optional<NtpTime> ReceptionStatistics::ntpOf(uint32_t rtpTimestamp) const {
  if (!lastSr_ || lastSr_->ntp.value == 0 || clockRate_ == 0) return std::nullopt;
  const int32_t ticks = static_cast<int32_t>(rtpTimestamp - lastSr_->rtpTimestamp);
  const double seconds = static_cast<double>(ticks) / clockRate_;
  return NtpTime{lastSr_->ntp.value +
                 static_cast<uint64_t>(static_cast<int64_t>(seconds * 4294967296.0))};
}

}  // namespace parley::media
