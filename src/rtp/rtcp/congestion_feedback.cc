#include "parley/rtp/rtcp/congestion_feedback.h"

namespace parley::rtp::rtcp {

bool CongestionFeedback::parse(const Block& block, CongestionFeedback& out) {
  out.streams.clear();
  out.reports.clear();
  if (!block.is(kTransportFeedback, kFormat)) return false;
  // Sender SSRC in front, report timestamp at the end, stream blocks between.
  if (block.body.size() < 8) return false;
  out.senderSsrc = loadU32(block.body.data());
  out.reportTimestamp = loadU32(block.body.data() + block.body.size() - 4);
  ByteReader r(block.body.subspan(4, block.body.size() - 8));
  while (!r.atEnd()) {
    Stream s;
    s.ssrc = r.u32();
    s.beginSequence = r.u16();
    s.count = r.u16();
    const size_t padded = s.count + (s.count & 1u);
    if (!r.ok() || s.count > kMaxReportsPerStream || r.remaining() < 2 * padded) return false;
    s.firstReport = out.reports.size();
    for (size_t i = 0; i < s.count; ++i) {
      const uint16_t v = r.u16();
      Report report;
      report.received = (v & 0x8000) != 0;
      // "the subsequent 15 bits MUST be ignored" when R is 0.
      if (report.received) {
        report.ecn = static_cast<Ecn>(v >> 13 & 3);
        report.arrivalOffset = v & 0x1fff;
      }
      out.reports.push_back(report);
    }
    if (s.count & 1) r.skip(2);
    out.streams.push_back(s);
  }
  return r.ok();
}

size_t CongestionFeedback::size() const {
  size_t size = kBlockHeaderSize + 8;
  for (const Stream& s : streams) size += 8 + 2u * (s.count + (s.count & 1u));
  return size;
}

void CongestionFeedback::write(ByteWriter& w) const {
  BlockWriter block(w, kTransportFeedback, kFormat);
  w.u32(senderSsrc);
  for (const Stream& s : streams) {
    w.u32(s.ssrc);
    w.u16(s.beginSequence);
    w.u16(s.count);
    for (const Report& report : reportsOf(s)) {
      w.u16(report.received
                ? static_cast<uint16_t>(0x8000 | static_cast<unsigned>(report.ecn) << 13 |
                                        (report.arrivalOffset & 0x1fff))
                : uint16_t{0});
    }
    if (s.count & 1) w.u16(0);
  }
  w.u32(reportTimestamp);
}

}  // namespace parley::rtp::rtcp
