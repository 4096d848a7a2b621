#include "parley/rtp/payload_format/red.h"

#include <cstring>

#include "parley/rtp/packet_writer.h"

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

size_t writeRed(std::span<const RedBlock> blocks, MutableByteSpan out) {
  if (blocks.empty()) return 0;
  ByteWriter w(out);
  const std::span<const RedBlock> redundant = blocks.first(blocks.size() - 1);
  for (const RedBlock& block : redundant) {
    if (block.data.size() > RedBlock::kMaxSize || block.timestampOffset > RedBlock::kMaxOffset)
      return 0;
    w.u8(static_cast<uint8_t>(0x80 | block.payloadType));
    w.u24(static_cast<uint32_t>(block.timestampOffset) << 10 |
          static_cast<uint32_t>(block.data.size()));
  }
  w.u8(blocks.back().payloadType & 0x7f);
  for (const RedBlock& block : blocks) w.bytes(block.data);
  return w.ok() ? w.size() : 0;
}

void unwrapRed(PacketBuf& packet, const PacketView& view, const RedPayload& red) {
  const size_t header = view.headerSize();
  const auto cut = static_cast<size_t>(red.primary().data.data() - view.payload().data());
  std::memmove(packet.data() + cut, packet.data(), header);
  packet.trimFront(cut);
  setPayloadType(packet.mutableSpan(), red.primary().payloadType);
}

}  // namespace parley::rtp
