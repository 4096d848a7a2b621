#include "parley/rtp/rtcp/extended_report.h"

namespace parley::rtp::rtcp {

std::optional<ExtendedReport> ExtendedReport::parse(const Block& block) {
  if (block.type != kExtendedReport) return std::nullopt;
  ByteReader r(block.body);
  ExtendedReport out;
  out.senderSsrc = r.u32();
  while (r.ok() && r.remaining() >= 4) {
    const uint8_t type = r.u8();
    const uint8_t flags = r.u8();
    const ByteSpan body = r.bytes(4u * r.u16());
    ByteReader b(body);
    if (!r.ok()) return std::nullopt;
    if (type == kReceiverReferenceTime && b.remaining() == 8) {
      out.receiverReferenceTime = NtpTime{b.u64()};
    } else if (type == kDlrr) {
      while (b.remaining() >= 12) {
        DlrrEntry e;
        e.ssrc = b.u32();
        e.lastRr = b.u32();
        e.delaySinceLastRr = b.u32();
        out.dlrr.push_back(e);
      }
    } else if (type == StatisticsSummary::kType && !out.summary) {
      out.summary = StatisticsSummary::parse(flags, body);
    } else if (type == VoipMetrics::kType && !out.voip) {
      out.voip = VoipMetrics::parse(body);
    }
  }
  if (!r.ok()) return std::nullopt;
  return out;
}

size_t ExtendedReport::size() const {
  return 8 + (receiverReferenceTime ? 12u : 0u) + (dlrr.empty() ? 0u : 4 + 12 * dlrr.size());
}

void ExtendedReport::write(ByteWriter& w) const {
  BlockWriter block(w, kExtendedReport, 0);
  w.u32(senderSsrc);
  if (receiverReferenceTime) {
    w.u8(kReceiverReferenceTime);
    w.u8(0);
    w.u16(2);
    w.u64(receiverReferenceTime->value);
  }
  if (!dlrr.empty()) {
    w.u8(kDlrr);
    w.u8(0);
    w.u16(static_cast<uint16_t>(3 * dlrr.size()));
    for (const DlrrEntry& e : dlrr) {
      w.u32(e.ssrc);
      w.u32(e.lastRr);
      w.u32(e.delaySinceLastRr);
    }
  }
}

}  // namespace parley::rtp::rtcp
