#include "parley/rtp/packet_writer.h"

#include <algorithm>
#include <cstring>

#include "parley/base/check.h"

namespace parley::rtp {

PacketWriter::PacketWriter(PacketBuf& buf, const PacketHeader& header,
                           std::span<const uint32_t> csrcs, ExtensionForm form)
    : buf_(buf), form_(form) {
  PARLEY_CHECK(static_cast<bool>(buf_));
  buf_.resize(std::min(buf_.writable().size(), PacketBuf::kMaxPayload));
  PARLEY_CHECK(buf_.size() >= kFixedHeaderSize + 4 * 15);
  const size_t csrcCount = std::min<size_t>(csrcs.size(), 15);
  put(0, static_cast<uint8_t>(0x80 | csrcCount));
  put(1, static_cast<uint8_t>((header.marker ? 0x80 : 0) | (header.payloadType & 0x7f)));
  storeU16(buf_.data() + 2, header.sequenceNumber);
  storeU32(buf_.data() + 4, header.timestamp);
  storeU32(buf_.data() + 8, header.ssrc);
  size_ = kFixedHeaderSize;
  for (size_t i = 0; i < csrcCount; ++i, size_ += 4) storeU32(buf_.data() + size_, csrcs[i]);
}

bool PacketWriter::addRaw(uint8_t id, ByteSpan value) {
  PARLEY_DCHECK(!inPayload_);
  const bool oneByte = form_ == ExtensionForm::OneByte;
  if (id == 0 || value.size() > 255) return false;
  if (oneByte && (id > 14 || value.empty() || value.size() > 16)) return false;
  const size_t start = extensionStart_ ? 0 : 4;
  const size_t needed = start + (oneByte ? 1 : 2) + value.size() + 3;  // 3: padding to a word
  if (buf_.size() - size_ < needed) return false;
  if (!extensionStart_) {
    extensionStart_ = size_;
    put(0, buf_.data()[0] | 0x10);
    storeU16(buf_.data() + size_,
             oneByte ? ExtensionReader::kOneByteProfile : ExtensionReader::kTwoByteProfile);
    size_ += 4;
  }
  if (oneByte) {
    put(size_++, static_cast<uint8_t>(id << 4 | (value.size() - 1)));
  } else {
    put(size_++, id);
    put(size_++, static_cast<uint8_t>(value.size()));
  }
  lastValueAt_ = size_;
  if (!value.empty()) std::memcpy(buf_.data() + size_, value.data(), value.size());
  size_ += value.size();
  return true;
}

MutableByteSpan PacketWriter::beginPayload() {
  if (!inPayload_ && extensionStart_) {
    while ((size_ - extensionStart_) % 4 != 0) put(size_++, 0);
    storeU16(buf_.data() + extensionStart_ + 2,
             static_cast<uint16_t>((size_ - extensionStart_ - 4) / 4));
  }
  inPayload_ = true;
  return buf_.mutableSpan().subspan(size_);
}

void PacketWriter::finish(size_t payloadSize) {
  beginPayload();
  PARLEY_CHECK(payloadSize <= buf_.size() - size_);
  buf_.resize(size_ + payloadSize);
}

MutableByteSpan findExtension(MutableByteSpan packet, uint8_t id) {
  const auto view = PacketView::parse(packet);
  if (!view) return {};
  const auto value = view->extension(id);
  if (!value) return {};
  return packet.subspan(static_cast<size_t>(value->data() - packet.data()), value->size());
}

bool addPadding(PacketBuf& packet, size_t count) {
  const size_t size = packet.size();
  if (count == 0 || count > 255 || size < kFixedHeaderSize || (packet.data()[0] & 0x20) != 0) {
    return false;
  }
  if (size + count > std::min(packet.writable().size(), PacketBuf::kMaxPayload)) return false;
  packet.resize(size + count);
  std::memset(packet.data() + size, 0, count);
  packet.data()[size + count - 1] = static_cast<uint8_t>(count);
  packet.data()[0] |= 0x20;
  return true;
}

}  // namespace parley::rtp
