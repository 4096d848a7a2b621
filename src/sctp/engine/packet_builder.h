#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"

#include "sctp/packet.h"

namespace parley::sctp {

/// Writes one SCTP packet in place into a pooled buffer, chunk by chunk. The checksum field stays
/// zero.
class PacketBuilder {
 public:
  /// `limit`: largest packet, at most PacketBuf::kMaxPayload.
  PacketBuilder(PacketBuf& packet, size_t limit, uint16_t from, uint16_t to, uint32_t tag)
      : packet_(packet), limit_(limit) {
    packet_.resize(limit_);
    uint8_t* p = packet_.data();
    storeU16(p, from);
    storeU16(p + 2, to);
    storeU32(p + 4, tag);
    storeU32(p + 8, 0);
  }

  /// Bytes left for one more chunk's value, its header already taken off.
  size_t room() const { return limit_ - size_ > 4 ? limit_ - size_ - 4 : 0; }
  bool empty() const { return size_ == kCommonHeaderSize; }
  size_t size() const { return size_; }

  /// Appends a chunk and returns where its value of `size` bytes is to be written; null if it does
  /// not fit.
  uint8_t* add(uint8_t type, uint8_t flags, size_t size) {
    const size_t padded = (size + 3) & ~size_t{3};
    if (size_ + 4 + padded > limit_) return nullptr;
    uint8_t* p = packet_.data() + size_;
    p[0] = type;
    p[1] = flags;
    storeU16(p + 2, static_cast<uint16_t>(size + 4));
    std::memset(p + 4 + size, 0, padded - size);
    size_ += 4 + padded;
    return p + 4;
  }
  bool add(uint8_t type, uint8_t flags, ByteSpan value) {
    uint8_t* p = add(type, flags, value.size());
    if (p == nullptr) return false;
    if (!value.empty()) std::memcpy(p, value.data(), value.size());
    return true;
  }
  /// Fills up to `size` with a PAD chunk (RFC 4820), if one fits.
  void pad(size_t size) {
    size = (size < limit_ ? size : limit_) & ~size_t{3};
    if (size < size_ + 4) return;
    const size_t length = size - size_ - 4;
    if (uint8_t* p = add(chunk::kPad, 0, length)) std::memset(p, 0, length);
  }
  void setTag(uint32_t tag) { storeU32(packet_.data() + 4, tag); }
  void finish() { packet_.resize(size_); }

 private:
  PacketBuf& packet_;
  size_t limit_;
  size_t size_ = kCommonHeaderSize;
};

}  // namespace parley::sctp
