#include "sctp/reset_gate.h"

#include "parley/base/seq_num.h"

namespace parley::sctp {
namespace {

constexpr uint16_t kOutgoingResetRequest = 13;
constexpr size_t kRequestFixedSize = 16;

}  // namespace

void ResetGate::start(uint32_t initialTsn) {
  if (!next_) next_ = initialTsn;
}

void ResetGate::onData(uint32_t tsn) {
  if (next_ && tsn == *next_) next_ = tsn + 1;
}

void ResetGate::onSacked(uint32_t cumulativeTsn) {
  if (!next_ || isNewer(cumulativeTsn + 1, *next_)) next_ = cumulativeTsn + 1;
}

bool ResetGate::arrived(uint32_t tsn) const {
  return next_ && isNewer(*next_, tsn);
}

void ResetGate::filter(MutableByteSpan packet) {
  ChunkCursor chunks(packet);
  ChunkView c;
  while (chunks.next(c)) {
    if (c.type != chunk::kReConfig) continue;
    bool early = false;
    uint32_t lastTsn = 0;
    for (size_t at = 0; at + 4 <= c.value.size();) {
      const uint16_t type = loadU16(&c.value[at]);
      const size_t length = loadU16(&c.value[at + 2]);
      if (length < 4 || length > c.value.size() - at) break;
      if (type == kOutgoingResetRequest && length >= kRequestFixedSize) {
        packet[c.offset + 4 + at + 8] ^= 0x80;  // response sequence number: matches nothing now
        lastTsn = loadU32(&c.value[at + 12]);
        early = early || !arrived(lastTsn);
      }
      at += (length + 3) & ~size_t{3};
    }
    if (!early) continue;
    const size_t size = 4 + c.value.size();
    held_.assign(packet.begin(), packet.begin() + kCommonHeaderSize);
    held_.insert(held_.end(), packet.begin() + static_cast<ptrdiff_t>(c.offset),
                 packet.begin() + static_cast<ptrdiff_t>(c.offset + size));
    held_.resize((held_.size() + 3) & ~size_t{3});
    heldTsn_ = lastTsn;
    packet[c.offset] = chunk::kPad;
  }
}

std::optional<Bytes> ResetGate::release() {
  if (held_.empty() || !arrived(heldTsn_)) return std::nullopt;
  Bytes out;
  out.swap(held_);
  return out;
}

}  // namespace parley::sctp
