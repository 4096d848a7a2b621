#include "parley/congestion/feedback_adapter.h"

#include <algorithm>

namespace parley::congestion {
namespace {

constexpr size_t kInitialCapacity = 512;
/// 16 bits of sequence leave no meaning to more than half of their range.
constexpr size_t kMaxCapacity = 16'384;
/// Feedback later than this is of no use to any estimator.
constexpr Duration kMaxAge = Duration::seconds(10);
constexpr Duration kReferenceUnit = Duration::millis(64);
constexpr Duration kDeltaUnit = Duration::micros(250);
/// How far back of what was settled a report may still bring news: packets that came late, reports
/// that overtook each other. What is named again and again costs a walk over no more than this.
constexpr int64_t kReorderWindow = 2048;
/// The same for reports by RTP numbers, where the walk is one for each stream.
constexpr int64_t kRtpReorderWindow = 512;
/// No clock of a peer strays so far from ours in the life of a call: it jumped, or lies.
constexpr Duration kMostStray = Duration::seconds(3600);
/// RFC 8888 section 3.1: from here on the arrival time is not told.
constexpr uint16_t kNoOffset = 0x1ffe;

/// The peer's clock went on by `step`. Differences of arrival times are all that is read of it: it
/// may begin anew anywhere.
void moveOn(Timestamp& base, Duration step, Timestamp now) {
  base += step;
  if (base - now > kMostStray || now - base > kMostStray) base = now;
}

}  // namespace

FeedbackAdapter::FeedbackAdapter() : ring_(kInitialCapacity) {}

void FeedbackAdapter::growIfYoung(Timestamp now) {
  const Entry& oldest = at(next_);
  if (oldest.sequence < 0 || oldest.sequence <= settled_ || ring_.size() >= kMaxCapacity) return;
  if (now - oldest.sendTime > kMaxAge) return;
  std::vector<Entry> bigger(ring_.size() * 2);
  for (const Entry& entry : ring_) {
    if (entry.sequence >= 0)
      bigger[static_cast<size_t>(entry.sequence) & (bigger.size() - 1)] = entry;
  }
  ring_ = std::move(bigger);
}

SentPacket FeedbackAdapter::onSent(const Outgoing& packet, Timestamp now) {
  growIfYoung(now);
  Entry& entry = at(next_);
  if (entry.sequence > settled_) {  // never reported on: it no longer counts
    bytesInFlight_ -= entry.size;
    settled_ = entry.sequence;
  }
  entry = {next_,      now,          packet.size, packet.probeId, packet.ssrc, packet.rtpSequence,
           packet.ecn, packet.audio, false,       false};
  bytesInFlight_ += packet.size;
  ++next_;
  return {entry.sequence, now, packet.size, packet.probeId, packet.audio, bytesInFlight_};
}

Timestamp FeedbackAdapter::referenceToTime(uint32_t referenceTime, Timestamp now) {
  referenceTime &= 0xffffff;
  if (!lastReference_) {
    referenceBase_ = now;
  } else {
    // 24-bit modular difference, sign extended.
    const uint32_t diff = (referenceTime - *lastReference_) & 0xffffff;
    const int64_t signedDiff = diff >= 0x800000 ? static_cast<int64_t>(diff) - 0x1000000 : diff;
    moveOn(referenceBase_, kReferenceUnit * signedDiff, now);
  }
  lastReference_ = referenceTime;
  return referenceBase_;
}

void FeedbackAdapter::settleUpTo(int64_t sequence) {
  const int64_t last = std::min(sequence, next_ - 1);
  int64_t first = std::max(settled_ + 1, next_ - static_cast<int64_t>(ring_.size()));
  for (; first <= last; ++first) {
    if (at(first).sequence == first) bytesInFlight_ -= at(first).size;
  }
  settled_ = std::max(settled_, last);
}

std::optional<TransportFeedbackReport> FeedbackAdapter::onFeedback(const Feedback& feedback,
                                                                   Timestamp now) {
  if (feedback.statusCount == 0) return std::nullopt;
  Timestamp arrival = referenceToTime(feedback.referenceTime, now);
  // The highest number not above the last one sent that is congruent to the base. A base that was
  // not sent yet thus reads as one of 65535 packets ago, which is not remembered.
  const int64_t lastSent = next_ - 1;
  const int64_t base =
      lastSent - static_cast<uint16_t>(static_cast<uint16_t>(lastSent) - feedback.baseSequence);
  const int64_t oldest =
      std::max({int64_t{1}, next_ - static_cast<int64_t>(ring_.size()), settled_ - kReorderWindow});
  const int64_t begin = std::max(base, oldest);
  const int64_t end = std::min(base + feedback.statusCount, next_);
  results_.clear();
  size_t nextArrival = 0;
  const auto takeArrivalsBefore = [&](int64_t offset) {
    while (nextArrival < feedback.arrivals.size() &&
           static_cast<uint16_t>(feedback.arrivals[nextArrival].sequence - feedback.baseSequence) <
               offset)
      arrival += kDeltaUnit * static_cast<int64_t>(feedback.arrivals[nextArrival++].delta);
  };
  for (int64_t sequence = begin; sequence < end; ++sequence) {
    Entry& entry = at(sequence);
    takeArrivalsBefore(sequence - base);
    const bool arrived = nextArrival < feedback.arrivals.size() &&
                         feedback.arrivals[nextArrival].sequence == static_cast<uint16_t>(sequence);
    if (arrived)
      arrival += kDeltaUnit * static_cast<int64_t>(feedback.arrivals[nextArrival++].delta);
    if (entry.sequence == sequence) addResult(entry, arrived, Ecn::NotEct, arrival);
  }
  settleUpTo(end - 1);
  if (results_.empty()) return std::nullopt;
  return TransportFeedbackReport{now, results_, bytesInFlight_};
}

void FeedbackAdapter::addResult(Entry& entry, bool arrived, Ecn ecn, Timestamp arrival) {
  if (entry.received || (!arrived && entry.lossReported)) return;
  PacketResult result;
  result.wasReportedLost = entry.lossReported;
  entry.received = arrived;
  entry.lossReported = !arrived;
  result.sent = {entry.sequence, entry.sendTime, entry.size, entry.probeId, entry.audio, 0};
  if (arrived) result.receiveTime = arrival;
  result.ecnCe = ecn == Ecn::Ce;
  result.ssrc = entry.ssrc;
  result.sentAs = entry.ecn;
  result.arrivedAs = ecn;
  results_.push_back(result);
}

std::optional<TransportFeedbackReport> FeedbackAdapter::onRtpFeedback(
    uint32_t reportTime, std::span<const RtpArrivals> streams, Timestamp now) {
  if (!lastReportTime_) {
    reportBase_ = now;
  } else {
    // 1/65536 s, modulo 2^32, sign extended.
    const auto diff = static_cast<int32_t>(reportTime - *lastReportTime_);
    const int64_t nanos = static_cast<int64_t>(diff) * 1'000'000'000 / 65'536;
    moveOn(reportBase_, Duration::nanos(nanos), now);
  }
  lastReportTime_ = reportTime;
  results_.clear();
  const int64_t oldest = std::max(
      {int64_t{1}, next_ - static_cast<int64_t>(ring_.size()), settled_ - kRtpReorderWindow});
  int64_t newest = 0;
  for (const RtpArrivals& stream : streams) {
    for (int64_t sequence = oldest; sequence < next_; ++sequence) {
      Entry& entry = at(sequence);
      if (entry.sequence != sequence || entry.ssrc != stream.ssrc) continue;
      const auto offset = static_cast<uint16_t>(entry.rtpSequence - stream.beginSequence);
      if (offset >= stream.packets.size()) continue;
      const RtpArrival& packet = stream.packets[offset];
      newest = std::max(newest, sequence);
      const bool timed = packet.received && packet.offset < kNoOffset;
      const Timestamp arrival =
          timed ? reportBase_ - Duration::nanos(int64_t{packet.offset} * 1'000'000'000 / 1024)
                : reportBase_;
      addResult(entry, packet.received, packet.ecn, arrival);
    }
  }
  settleUpTo(newest);
  if (results_.empty()) return std::nullopt;
  std::sort(results_.begin(), results_.end(), [](const PacketResult& a, const PacketResult& b) {
    return a.sent.sequence < b.sent.sequence;
  });
  return TransportFeedbackReport{now, results_, bytesInFlight_};
}

void FeedbackAdapter::reset() {
  for (Entry& entry : ring_) entry.sequence = -1;
  settled_ = next_ - 1;
  bytesInFlight_ = 0;
  lastReference_.reset();
  lastReportTime_.reset();
}

}  // namespace parley::congestion
