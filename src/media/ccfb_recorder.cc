#include "media/ccfb_recorder.h"

#include <algorithm>

namespace parley::media {

namespace {

constexpr size_t kMaxArrivals = 2048;
constexpr size_t kStreamHeader = 8;
// A wider gap is not told loss by loss: a peer could make us write kilobytes per packet.
constexpr int64_t kMaxGap = 1024;

using Report = rtp::rtcp::CongestionFeedback::Report;

Report makeReport(Duration age, Ecn ecn) {
  Report out;
  out.received = true;
  out.ecn = ecn;
  const int64_t units = age.nanos() * 1024 / 1'000'000'000;
  if (units < 0) {
    out.arrivalOffset = rtp::rtcp::CongestionFeedback::kOffsetUnknown;
  } else {
    out.arrivalOffset = static_cast<uint16_t>(
        std::min<int64_t>(units, rtp::rtcp::CongestionFeedback::kOffsetOverrange));
  }
  return out;
}

}  // namespace

CcfbRecorder::Source* CcfbRecorder::sourceOf(uint32_t ssrc, uint16_t sequence, Timestamp now) {
  for (Source& s : sources_) {
    if (s.ssrc == ssrc) return s.resting ? nullptr : &s;
  }
  if (sources_.size() == maxSources_) {
    // The one that was silent longest has nothing to report.
    auto idle = sources_.end();
    for (auto s = sources_.begin(); s != sources_.end(); ++s) {
      if (s->pending == 0 && (idle == sources_.end() || s->lastArrival < idle->lastArrival))
        idle = s;
    }
    if (idle == sources_.end()) {
      refused_ = true;
      if (!budget_.inDebt()) budget_.hurry(now);
      return nullptr;
    }
    sources_.erase(idle);
  }
  Source& s = sources_.emplace_back();
  s.ssrc = ssrc;
  s.nextBase = sequence;
  return &s;
}

void CcfbRecorder::handlePacket(uint32_t ssrc, uint16_t sequence, size_t bytes, Ecn ecn,
                                Timestamp now) {
  Source* s = sourceOf(ssrc, sequence, now);
  if (!s) return;
  s->lastArrival = now;
  const int64_t unwrapped = s->unwrapper.unwrap(sequence);
  if (unwrapped < s->nextBase - kOverlap || s->arrivals.size() == kMaxArrivals) return;
  const auto at =
      std::lower_bound(s->arrivals.begin(), s->arrivals.end(), unwrapped,
                       [](const Arrival& a, int64_t value) { return a.sequence < value; });
  if (at != s->arrivals.end() && at->sequence == unwrapped) {
    // RFC 8888 section 3.1: of duplicates, ECN-CE wins.
    if (ecn == Ecn::Ce) at->ecn = ecn;
    return;
  }
  s->arrivals.insert(at, {unwrapped, now, ecn, false});
  ++s->pending;
  budget_.onArrival(bytes, pending_++ == 0, now);
}

/// Each packet is lost once and comes back once, however often reports overlap.
void CcfbRecorder::tell(Source& source, int64_t sequence, bool missing, Told& told) {
  auto bit = source.missing[static_cast<uint64_t>(sequence) % kOverlap];
  const bool was = sequence < source.nextBase && bit;
  if (missing && !was) ++told.lost;
  if (!missing && was) ++told.recovered;
  bit = missing;
}

void CcfbRecorder::fill(Source& source, size_t room, Timestamp now) {
  using Feedback = rtp::rtcp::CongestionFeedback;
  // Two bytes each, an even number of them.
  const size_t fits = std::min((room - kStreamHeader) / 4 * 2, Feedback::kMaxReportsPerStream);
  const auto unreported = [](const Arrival& a) { return !a.reported; };
  const auto first = std::find_if(source.arrivals.begin(), source.arrivals.end(), unreported);
  const int64_t last =
      std::find_if(source.arrivals.rbegin(), source.arrivals.rend(), unreported)->sequence;
  int64_t next = std::min(source.nextBase, first->sequence);
  if (first->sequence - next > kMaxGap) {
    next = first->sequence;
    source.missing.reset();
  }
  auto arrival =
      std::lower_bound(source.arrivals.begin(), first, next,
                       [](const Arrival& a, int64_t value) { return a.sequence < value; });
  Told told{source.ssrc};
  Feedback::Stream stream;
  stream.ssrc = source.ssrc;
  stream.beginSequence = static_cast<uint16_t>(next);
  stream.firstReport = feedback_.reports.size();
  for (; next <= last && stream.count < fits; ++next, ++stream.count) {
    if (arrival->sequence - next > kMaxGap) break;
    const bool arrived = arrival->sequence == next;
    tell(source, next, !arrived, told);
    if (!arrived) {
      feedback_.reports.push_back({});
      continue;
    }
    feedback_.reports.push_back(makeReport(now - arrival->time, arrival->ecn));
    if (!arrival->reported) {
      arrival->reported = true;
      --source.pending;
      --pending_;
    }
    ++arrival;
  }
  feedback_.streams.push_back(stream);
  if (told.lost + told.recovered > 0) told_.push_back(told);
  source.nextBase = std::max(source.nextBase, next);
  const auto kept = std::find_if(
      source.arrivals.begin(), source.arrivals.end(),
      [&](const Arrival& a) { return !a.reported || a.sequence >= source.nextBase - kOverlap; });
  source.arrivals.erase(source.arrivals.begin(), kept);
}

/// Those that had their turn make room for one round.
void CcfbRecorder::changeTurns() {
  for (Source& source : sources_) source.resting = refused_ && !source.resting;
  refused_ = false;
}

size_t CcfbRecorder::write(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes, NtpTime reportTime,
                           Timestamp now) {
  told_.clear();
  if (!isDue(now)) return 0;
  feedback_.senderSsrc = senderSsrc;
  feedback_.reportTimestamp = reportTime.compact();
  feedback_.streams.clear();
  feedback_.reports.clear();
  const size_t count = sources_.size();
  for (size_t i = 0; i < count; ++i) {
    Source& source = sources_[(first_ + i) % count];
    if (source.pending == 0) continue;
    const size_t used = feedback_.size();
    if (used + kStreamHeader + 4 > maxBytes) break;
    fill(source, maxBytes - used, now);
  }
  if (feedback_.streams.empty()) return 0;
  first_ = (first_ + 1) % count;
  const size_t start = w.size();
  feedback_.write(w);
  budget_.onReport(w.size() - start);
  if (pending_ == 0) changeTurns();
  return w.size() - start;
}

void CcfbRecorder::reset() {
  sources_.clear();
  pending_ = 0;
  first_ = 0;
  refused_ = false;
  budget_ = FeedbackBudget(kLeastInterval);
}

}  // namespace parley::media
