#include "parley/rtp/rtcp/receiver_report.h"
#include "parley/rtp/rtcp/sender_report.h"

namespace parley::rtp::rtcp {

namespace {

bool readBlocks(ByteReader& r, size_t count, ReportBlocks& out) {
  for (size_t i = 0; i < count; ++i) out.push_back(ReportBlock::read(r));
  return r.ok();
}

}  // namespace

std::optional<SenderReport> SenderReport::parse(const Block& block) {
  if (block.type != kSenderReport) return std::nullopt;
  ByteReader r(block.body);
  SenderReport out;
  out.senderSsrc = r.u32();
  out.ntp.value = r.u64();
  out.rtpTimestamp = r.u32();
  out.packetCount = r.u32();
  out.octetCount = r.u32();
  if (!readBlocks(r, block.count, out.blocks)) return std::nullopt;
  return out;
}

void SenderReport::write(ByteWriter& w) const {
  BlockWriter block(w, kSenderReport, static_cast<uint8_t>(blocks.size()));
  w.u32(senderSsrc);
  w.u64(ntp.value);
  w.u32(rtpTimestamp);
  w.u32(packetCount);
  w.u32(octetCount);
  for (const ReportBlock& b : blocks) b.write(w);
}

std::optional<ReceiverReport> ReceiverReport::parse(const Block& block) {
  if (block.type != kReceiverReport) return std::nullopt;
  ByteReader r(block.body);
  ReceiverReport out;
  out.senderSsrc = r.u32();
  if (!readBlocks(r, block.count, out.blocks)) return std::nullopt;
  return out;
}

void ReceiverReport::write(ByteWriter& w) const {
  BlockWriter block(w, kReceiverReport, static_cast<uint8_t>(blocks.size()));
  w.u32(senderSsrc);
  for (const ReportBlock& b : blocks) b.write(w);
}

}  // namespace parley::rtp::rtcp
