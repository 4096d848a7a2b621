#include "parley/rtp/rtcp/nack.h"

namespace parley::rtp::rtcp {

std::optional<Nack> Nack::parse(const Block& block) {
  if (!block.is(kTransportFeedback, kFormat)) return std::nullopt;
  ByteReader r(block.body);
  Nack out;
  out.senderSsrc = r.u32();
  out.mediaSsrc = r.u32();
  // RFC 4585 section 6.2.1: "there MUST be at least one" FCI entry.
  if (!r.ok() || r.remaining() < 4) return std::nullopt;
  while (r.remaining() >= 4) {
    const uint16_t pid = r.u16();
    const uint16_t following = r.u16();
    out.sequences.push_back(pid);
    for (unsigned bit = 0; bit < 16; ++bit) {
      if (following >> bit & 1) out.sequences.push_back(static_cast<uint16_t>(pid + 1 + bit));
    }
  }
  return out;
}

size_t Nack::write(ByteWriter& w, uint32_t senderSsrc, uint32_t mediaSsrc,
                   std::span<const uint16_t> sequences, size_t maxBytes) {
  if (sequences.empty() || maxBytes < 16) return 0;
  size_t pairsLeft = (maxBytes - 12) / 4;
  size_t taken = 0;
  BlockWriter block(w, kTransportFeedback, kFormat);
  w.u32(senderSsrc);
  w.u32(mediaSsrc);
  while (taken < sequences.size() && pairsLeft-- > 0) {
    const uint16_t pid = sequences[taken++];
    uint16_t following = 0;
    for (; taken < sequences.size(); ++taken) {
      const uint16_t distance = static_cast<uint16_t>(sequences[taken] - pid);
      if (distance == 0 || distance > 16) break;
      following = static_cast<uint16_t>(following | 1u << (distance - 1));
    }
    w.u16(pid);
    w.u16(following);
  }
  return taken;
}

}  // namespace parley::rtp::rtcp
