#include "parley/stun/message_builder.h"

#include <algorithm>
#include <cstring>

#include "parley/crypto/hmac.h"

#include "stun/xor_address.h"

namespace parley::stun {
namespace {

constexpr size_t kMaxLength = 0xFFFC;

uint16_t encodeType(Class messageClass, Method method) {
  const unsigned m = static_cast<unsigned>(method);
  const unsigned c = static_cast<unsigned>(messageClass);
  return static_cast<uint16_t>((m & 0x00F) | ((m & 0x070) << 1) | ((m & 0xF80) << 2) |
                               ((c & 1) << 4) | ((c & 2) << 7));
}

void storeAddress(uint8_t* out, const SocketAddress& address) {
  const ByteSpan ip = address.ip.bytes();
  out[0] = 0;
  out[1] = address.ip.isV4() ? 1 : 2;
  storeU16(out + 2, address.port);
  std::copy(ip.begin(), ip.end(), out + 4);
}

}  // namespace

MessageBuilder::MessageBuilder(MutableByteSpan out, Class messageClass, Method method,
                               const TransactionId& id)
    : out_(out) {
  if (out_.size() < kHeaderSize) {
    ok_ = false;
    return;
  }
  storeU16(&out_[0], encodeType(messageClass, method));
  storeU16(&out_[2], 0);
  storeU32(&out_[4], kMagicCookie);
  std::copy(id.begin(), id.end(), out_.begin() + 8);
  size_ = kHeaderSize;
}

MessageBuilder::MessageBuilder(PacketBuf& packet, Class messageClass, Method method,
                               const TransactionId& id)
    : MessageBuilder(packet ? packet.writable() : MutableByteSpan{}, messageClass, method, id) {}

MessageBuilder MessageBuilder::responseTo(const Message& request, Class messageClass,
                                          MutableByteSpan out) {
  return MessageBuilder(out, messageClass, request.method(), request.transactionId());
}

uint8_t* MessageBuilder::append(AttributeType type, size_t size) {
  const size_t padding = (4 - size % 4) % 4;
  const size_t total = kAttributeHeaderSize + size + padding;
  if (!ok_ || sealed_ || out_.size() - size_ < total || size_ - kHeaderSize + total > kMaxLength) {
    ok_ = false;
    return nullptr;
  }
  uint8_t* header = &out_[size_];
  storeU16(header, static_cast<uint16_t>(type));
  storeU16(header + 2, static_cast<uint16_t>(size));
  std::memset(header + kAttributeHeaderSize + size, 0, padding);
  size_ += total;
  storeU16(&out_[2], static_cast<uint16_t>(size_ - kHeaderSize));
  return header + kAttributeHeaderSize;
}

MessageBuilder& MessageBuilder::bytes(AttributeType type, ByteSpan value) {
  if (uint8_t* out = append(type, value.size())) std::copy(value.begin(), value.end(), out);
  return *this;
}

MessageBuilder& MessageBuilder::u32(AttributeType type, uint32_t value) {
  if (uint8_t* out = append(type, 4)) storeU32(out, value);
  return *this;
}

MessageBuilder& MessageBuilder::u64(AttributeType type, uint64_t value) {
  if (uint8_t* out = append(type, 8)) storeU64(out, value);
  return *this;
}

MessageBuilder& MessageBuilder::address(AttributeType type, const SocketAddress& value) {
  if (uint8_t* out = append(type, 4 + value.ip.bytes().size())) storeAddress(out, value);
  return *this;
}

MessageBuilder& MessageBuilder::xorAddress(AttributeType type, const SocketAddress& value) {
  if (uint8_t* out = append(type, 4 + value.ip.bytes().size())) {
    storeAddress(out, xorWithHeader(value, ByteSpan(out_).subspan(4, 16)));
  }
  return *this;
}

MessageBuilder& MessageBuilder::error(StunError code, std::string_view reason) {
  const unsigned number = static_cast<unsigned>(code);
  if (uint8_t* out = append(AttributeType::ErrorCode, 4 + reason.size())) {
    storeU16(out, 0);
    out[2] = static_cast<uint8_t>(number / 100);
    out[3] = static_cast<uint8_t>(number % 100);
    std::copy(reason.begin(), reason.end(), out + 4);
  }
  return *this;
}

MessageBuilder& MessageBuilder::unknownAttributes(std::span<const uint16_t> types) {
  if (uint8_t* out = append(AttributeType::UnknownAttributes, types.size() * 2)) {
    for (size_t i = 0; i < types.size(); ++i) storeU16(out + 2 * i, types[i]);
  }
  return *this;
}

MessageBuilder& MessageBuilder::messageIntegrity(ByteSpan key) {
  // The HMAC covers the header with a length that already counts this attribute: append first, then
  // hash up to where it began.
  const size_t covered = size_;
  if (uint8_t* out = append(AttributeType::MessageIntegrity, sizeof(crypto::Sha1Digest))) {
    const auto digest = crypto::hmacSha1(key, ByteSpan(out_).first(covered));
    std::copy(digest.begin(), digest.end(), out);
  }
  return *this;
}

MessageBuilder& MessageBuilder::messageIntegritySha256(ByteSpan key) {
  const size_t covered = size_;
  if (uint8_t* out = append(AttributeType::MessageIntegritySha256, sizeof(crypto::Sha256Digest))) {
    const auto digest = crypto::hmacSha256(key, ByteSpan(out_).first(covered));
    std::copy(digest.begin(), digest.end(), out);
  }
  return *this;
}

MessageBuilder& MessageBuilder::fingerprint() {
  constexpr uint32_t kFingerprintXor = 0x5354554E;  // RFC 8489 section 14.7: "STUN" in ASCII
  const size_t covered = size_;
  if (uint8_t* out = append(AttributeType::Fingerprint, 4)) {
    storeU32(out, crypto::crc32(ByteSpan(out_).first(covered)) ^ kFingerprintXor);
    sealed_ = true;
  }
  return *this;
}

bool MessageBuilder::finishInto(PacketBuf& packet) const {
  if (!packet) return false;
  packet.resize(finish());
  return ok_;
}

}  // namespace parley::stun
