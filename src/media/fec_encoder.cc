#include "media/fec_encoder.h"

#include <algorithm>
#include <cstring>

#include "parley/rtp/packet_writer.h"

namespace parley::media {

bool FecEncoder::hasRoom(int64_t sequence, size_t more) const {
  if (packets_.size() + 1 + more > kMaxPackets) return false;
  const int64_t first = packets_.empty() ? sequence : packets_[0].sequence;
  return sequence - first + static_cast<int64_t>(more) <
         static_cast<int64_t>(rtp::fecMaxSpan(scheme_));
}

void FecEncoder::add(int64_t sequence, uint8_t payloadType, ByteSpan header, ByteSpan payload) {
  if (!hasRoom(sequence, 0)) return;
  PacketBuf copy = pool_.allocate();
  const size_t size = header.size() + payload.size();
  if (!copy || size > copy.writable().size()) return;
  copy.resize(size);
  std::memcpy(copy.data(), header.data(), header.size());
  if (!payload.empty()) std::memcpy(copy.data() + header.size(), payload.data(), payload.size());
  rtp::setPayloadType(copy.mutableSpan(), payloadType);
  const size_t slot = packets_.size();
  buffers_[slot] = std::move(copy);
  packets_.push_back({sequence, slot});
}

void FecEncoder::clear() {
  for (const Entry& entry : packets_) buffers_[entry.slot].reset();
  packets_.clear();
  masks_.clear();
}

void FecEncoder::plan(size_t repairs, LossPattern pattern) {
  masks_.clear();
  const size_t count = std::min({repairs, packets_.size(), kMaxRepairs});
  while (masks_.size() < count) masks_.push_back({});
  if (count > 0) makeFecMasks(packets_.size(), pattern, {masks_.data(), count});
}

size_t FecEncoder::write(size_t repair, uint32_t protectedSsrc, MutableByteSpan out) const {
  // The mask counts packets; the wire counts sequence numbers, of which padding takes some.
  const rtp::FecMask& covered = masks_[repair];
  rtp::FecPacket fec;
  fec.scheme = scheme_;
  if (scheme_ != rtp::FecScheme::Ulpfec) fec.protectedSsrc = protectedSsrc;
  int64_t base = -1;
  size_t longest = 0;
  for (size_t i = 0; i < packets_.size(); ++i) {
    if (!covered.test(i)) continue;
    if (base < 0) base = packets_[i].sequence;
    fec.mask.set(static_cast<size_t>(packets_[i].sequence - base));
    longest = std::max(longest, buffers_[packets_[i].slot].size());
  }
  if (base < 0) return 0;
  fec.sequenceBase = static_cast<uint16_t>(base);
  const size_t header = rtp::fecHeaderSize(scheme_, fec.mask.span());
  const size_t body = longest - rtp::kFixedHeaderSize;
  if (header == 0 || header + body > out.size()) return 0;
  const MutableByteSpan sum = out.subspan(header, body);
  std::memset(sum.data(), 0, sum.size());
  for (size_t i = 0; i < packets_.size(); ++i) {
    if (covered.test(i)) fec.sum.add(buffers_[packets_[i].slot].span(), sum);
  }
  ByteWriter w(out.first(header));
  rtp::writeFecHeader(fec, body, w);
  return header + body;
}

}  // namespace parley::media
