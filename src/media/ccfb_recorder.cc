#include "media/ccfb_recorder.h"

#include <algorithm>

namespace parley::media {

namespace {

// RFC 8888 section 4 suggests one report per 50 to 200 ms.
constexpr Duration kInterval = Duration::millis(50);
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

CcfbRecorder::Source* CcfbRecorder::sourceOf(uint32_t ssrc, uint16_t sequence) {
  for (Source& s : sources_) {
    if (s.ssrc == ssrc) return &s;
  }
  if (sources_.size() == maxSources_) {
    // Forget one that has nothing to report.
    const auto idle = std::find_if(sources_.begin(), sources_.end(),
                                   [](const Source& s) { return s.arrivals.empty(); });
    if (idle == sources_.end()) return nullptr;
    sources_.erase(idle);
  }
  Source& s = sources_.emplace_back();
  s.ssrc = ssrc;
  s.nextBase = sequence;
  return &s;
}

void CcfbRecorder::handlePacket(uint32_t ssrc, uint16_t sequence, Ecn ecn, Timestamp now) {
  Source* s = sourceOf(ssrc, sequence);
  if (!s) return;
  const int64_t unwrapped = s->unwrapper.unwrap(sequence);
  if (unwrapped < s->nextBase || s->arrivals.size() == kMaxArrivals) return;
  const auto at =
      std::lower_bound(s->arrivals.begin(), s->arrivals.end(), unwrapped,
                       [](const Arrival& a, int64_t value) { return a.sequence < value; });
  if (at != s->arrivals.end() && at->sequence == unwrapped) {
    // RFC 8888 section 3.1: of duplicates, ECN-CE wins.
    if (ecn == Ecn::Ce) at->ecn = ecn;
    return;
  }
  s->arrivals.insert(at, {unwrapped, now, ecn});
  if (pending_++ == 0) due_ = now + kInterval;
}

void CcfbRecorder::fill(Source& source, size_t room, Timestamp now) {
  using Feedback = rtp::rtcp::CongestionFeedback;
  // Two bytes each, an even number of them.
  const size_t fits = std::min((room - kStreamHeader) / 4 * 2, Feedback::kMaxReportsPerStream);
  int64_t next = source.nextBase;
  const int64_t last = source.arrivals.back().sequence;
  if (source.arrivals.front().sequence - next > kMaxGap) next = source.arrivals.front().sequence;
  Feedback::Stream stream;
  stream.ssrc = source.ssrc;
  stream.beginSequence = static_cast<uint16_t>(next);
  stream.firstReport = feedback_.reports.size();
  size_t taken = 0;
  for (; next <= last && stream.count < fits; ++next, ++stream.count) {
    if (source.arrivals[taken].sequence - next > kMaxGap) break;
    if (source.arrivals[taken].sequence == next) {
      feedback_.reports.push_back(
          makeReport(now - source.arrivals[taken].time, source.arrivals[taken].ecn));
      ++taken;
    } else {
      feedback_.reports.push_back({});
    }
  }
  feedback_.streams.push_back(stream);
  source.nextBase = next;
  source.arrivals.erase(source.arrivals.begin(),
                        source.arrivals.begin() + static_cast<ptrdiff_t>(taken));
  pending_ -= taken;
}

size_t CcfbRecorder::write(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes, NtpTime reportTime,
                           Timestamp now) {
  if (!isDue(now)) return 0;
  feedback_.senderSsrc = senderSsrc;
  feedback_.reportTimestamp = reportTime.compact();
  feedback_.streams.clear();
  feedback_.reports.clear();
  const size_t count = sources_.size();
  for (size_t i = 0; i < count; ++i) {
    Source& source = sources_[(first_ + i) % count];
    if (source.arrivals.empty()) continue;
    const size_t used = feedback_.size();
    if (used + kStreamHeader + 4 > maxBytes) break;
    fill(source, maxBytes - used, now);
  }
  if (feedback_.streams.empty()) return 0;
  first_ = (first_ + 1) % count;
  const size_t start = w.size();
  feedback_.write(w);
  return w.size() - start;
}

void CcfbRecorder::reset() {
  sources_.clear();
  pending_ = 0;
  first_ = 0;
}

}  // namespace parley::media
