#include "parley/rtp/payload_format/red.h"

namespace parley::rtp {

bool RedPayload::parse(ByteSpan payload, RedPayload& out) {
  out.blocks.clear();
  InlineVector<uint16_t, kMaxBlocks> lengths;
  ByteReader r(payload);
  for (;;) {
    const uint8_t first = r.u8();
    if (!r.ok() || out.blocks.full()) return false;
    RedBlock block;
    block.payloadType = first & 0x7f;
    if (!(first & 0x80)) {
      out.blocks.push_back(block);
      break;
    }
    const uint32_t v = r.u24();
    block.timestampOffset = static_cast<uint16_t>(v >> 10);
    lengths.push_back(v & 0x3ff);
    out.blocks.push_back(block);
  }
  for (size_t i = 0; i < lengths.size(); ++i) out.blocks[i].data = r.bytes(lengths[i]);
  if (!r.ok() || r.atEnd()) return false;
  out.blocks[out.blocks.size() - 1].data = r.rest();
  return true;
}

}  // namespace parley::rtp
