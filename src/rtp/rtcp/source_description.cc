#include "parley/rtp/rtcp/source_description.h"

namespace parley::rtp::rtcp {

namespace {

constexpr uint8_t kEnd = 0;
constexpr uint8_t kCname = 1;

// The items of one chunk end with a zero byte, then zeros up to the next word.
bool readItems(ByteReader& r, std::string_view& cname) {
  for (;;) {
    const uint8_t type = r.u8();
    if (!r.ok()) return false;
    if (type == kEnd) break;
    const ByteSpan value = r.bytes(r.u8());
    if (!r.ok()) return false;
    if (type == kCname) cname = asText(value);
  }
  r.skip((4 - r.position() % 4) % 4);
  return r.ok();
}

// SSRC, item header and text, then at least one zero, up to a word.
size_t chunkSize(const SourceDescription::Chunk& c) {
  return (4 + 2 + c.cname.size() + 1 + 3) / 4 * 4;
}

}  // namespace

std::optional<SourceDescription> SourceDescription::parse(const Block& block) {
  if (block.type != kSourceDescription) return std::nullopt;
  ByteReader r(block.body);
  SourceDescription out;
  for (size_t i = 0; i < block.count; ++i) {
    Chunk chunk;
    chunk.ssrc = r.u32();
    if (!r.ok() || !readItems(r, chunk.cname)) return std::nullopt;
    out.chunks.push_back(chunk);
  }
  return out;
}

size_t SourceDescription::size() const {
  size_t size = kBlockHeaderSize;
  for (const Chunk& c : chunks) size += chunkSize(c);
  return size;
}

void SourceDescription::write(ByteWriter& w) const {
  BlockWriter block(w, kSourceDescription, static_cast<uint8_t>(chunks.size()));
  for (const Chunk& c : chunks) {
    const std::string_view cname = c.cname.substr(0, kMaxCname);
    w.u32(c.ssrc);
    w.u8(kCname);
    w.u8(static_cast<uint8_t>(cname.size()));
    w.bytes(asBytes(cname));
    w.zeros(chunkSize({c.ssrc, cname}) - 6 - cname.size());
  }
}

}  // namespace parley::rtp::rtcp
