#include "parley/rtp/rtcp/bye.h"

namespace parley::rtp::rtcp {

std::optional<Bye> Bye::parse(const Block& block) {
  if (block.type != kBye) return std::nullopt;
  ByteReader r(block.body);
  Bye out;
  for (size_t i = 0; i < block.count; ++i) out.ssrcs.push_back(r.u32());
  if (!r.ok()) return std::nullopt;
  if (!r.atEnd()) out.reason = asText(r.bytes(r.u8()));
  return out;
}

size_t Bye::size() const {
  const size_t text = reason.empty() ? 0 : (1 + reason.substr(0, 255).size() + 3) / 4 * 4;
  return kBlockHeaderSize + ssrcs.size() * 4 + text;
}

void Bye::write(ByteWriter& w) const {
  BlockWriter block(w, kBye, static_cast<uint8_t>(ssrcs.size()));
  for (uint32_t ssrc : ssrcs) w.u32(ssrc);
  if (reason.empty()) return;
  const std::string_view text = reason.substr(0, 255);
  w.u8(static_cast<uint8_t>(text.size()));
  w.bytes(asBytes(text));
}

}  // namespace parley::rtp::rtcp
