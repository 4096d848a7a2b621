#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

bool CompoundReader::isWellFormed(ByteSpan datagram) {
  CompoundReader reader(datagram);
  Block block;
  bool any = false;
  while (reader.next(block)) any = true;
  return any && reader.rest_.empty();
}

bool CompoundReader::next(Block& out) {
  if (rest_.size() < kBlockHeaderSize || rest_[0] >> 6 != 2) return false;
  const size_t length = 4u * (loadU16(&rest_[2]) + 1u);
  if (length > rest_.size()) return false;
  size_t padding = 0;
  if (rest_[0] & 0x20) {
    // RFC 3550 section 6.4.1: in a compound, "padding is only required on one individual packet",
    // the last one. Its count should be a multiple of four, but transport feedback is sent with one
    // to three bytes of it everywhere.
    padding = rest_[length - 1];
    if (length != rest_.size() || padding == 0 || padding > length - kBlockHeaderSize) return false;
  }
  out.type = rest_[1];
  out.count = rest_[0] & 0x1f;
  out.body = rest_.subspan(kBlockHeaderSize, length - kBlockHeaderSize - padding);
  rest_ = rest_.subspan(length);
  return true;
}

BlockWriter::BlockWriter(ByteWriter& writer, uint8_t type, uint8_t count)
    : writer_(writer), start_(writer.size()) {
  writer_.u8(static_cast<uint8_t>(0x80 | (count & 0x1f)));
  writer_.u8(type);
  writer_.u16(0);
}

BlockWriter::~BlockWriter() {
  writer_.zeros((4 - (writer_.size() - start_) % 4) % 4);
  writer_.patchU16(start_ + 2, static_cast<uint16_t>((writer_.size() - start_) / 4 - 1));
}

}  // namespace parley::rtp::rtcp
