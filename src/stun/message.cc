#include "parley/stun/message.h"

#include <algorithm>

#include "stun/xor_address.h"

namespace parley::stun {
namespace {

constexpr size_t padded(size_t size) {
  return (size + 3) & ~size_t{3};
}

Attribute attributeAt(ByteSpan bytes, size_t at) {
  const size_t size = loadU16(&bytes[at + 2]);
  return {static_cast<AttributeType>(loadU16(&bytes[at])),
          bytes.subspan(at + kAttributeHeaderSize, size)};
}

// RFC 8489 section 5: the class bits C1 and C0 sit between the method's bits, at 8 and 4.
Class decodeClass(uint16_t type) {
  return static_cast<Class>(((type >> 7) & 2) | ((type >> 4) & 1));
}
Method decodeMethod(uint16_t type) {
  return static_cast<Method>((type & 0x000F) | ((type & 0x00E0) >> 1) | ((type & 0x3E00) >> 2));
}

}  // namespace

TransactionId newTransactionId(Random& random) {
  TransactionId id;
  random.fill(id);
  return id;
}

Attribute Message::Iterator::operator*() const {
  return attributeAt(bytes_, at_);
}

Message::Iterator& Message::Iterator::operator++() {
  const size_t size = loadU16(&bytes_[at_ + 2]);
  at_ = std::min(at_ + kAttributeHeaderSize + padded(size), end_);
  return *this;
}

bool Message::looksLikeStun(ByteSpan datagram) {
  return datagram.size() >= kHeaderSize && (datagram[0] & 0xC0) == 0 &&
         loadU32(&datagram[4]) == kMagicCookie;
}

std::optional<size_t> Message::frameSize(ByteSpan stream) {
  if (stream.size() < 4) return std::nullopt;
  return kHeaderSize + padded(loadU16(&stream[2]));
}

std::optional<Message> Message::parse(ByteSpan datagram) {
  if (!looksLikeStun(datagram)) return std::nullopt;
  const size_t length = loadU16(&datagram[2]);
  if (length % 4 != 0 || kHeaderSize + length != datagram.size()) return std::nullopt;

  Message message;
  message.bytes_ = datagram;
  const uint16_t type = loadU16(&datagram[0]);
  message.class_ = decodeClass(type);
  message.method_ = decodeMethod(type);
  if (!message.scanAttributes()) return std::nullopt;
  return message;
}

bool Message::scanAttributes() {
  visibleEnd_ = bytes_.size();
  for (size_t at = kHeaderSize; at < bytes_.size();) {
    if (bytes_.size() - at < kAttributeHeaderSize) return false;
    const size_t size = loadU16(&bytes_[at + 2]);
    const size_t next = at + kAttributeHeaderSize + padded(size);
    if (next > bytes_.size()) return false;

    const bool behindSha256 = integritySha256At_ != 0;
    switch (static_cast<AttributeType>(loadU16(&bytes_[at]))) {
      case AttributeType::MessageIntegrity:
        if (integrityAt_ == 0 && !behindSha256) integrityAt_ = at;
        break;
      case AttributeType::MessageIntegritySha256:
        if (!behindSha256) integritySha256At_ = at;
        break;
      case AttributeType::Fingerprint:
        // RFC 8489 section 14.7: "MUST be the last attribute in the message".
        if (size != 4 || next != bytes_.size()) return false;
        fingerprintAt_ = at;
        break;
      default:
        at = next;
        continue;
    }
    visibleEnd_ = std::min(visibleEnd_, at);
    at = next;
  }
  return true;
}

TransactionId Message::transactionId() const {
  TransactionId id;
  std::copy_n(bytes_.begin() + 8, id.size(), id.begin());
  return id;
}

ByteSpan Message::valueAt(size_t offset) const {
  return attributeAt(bytes_, offset).value;
}

std::optional<ByteSpan> Message::find(AttributeType type) const {
  if (type == AttributeType::MessageIntegrity) {
    return integrityAt_ != 0 ? std::optional(valueAt(integrityAt_)) : std::nullopt;
  }
  if (type == AttributeType::MessageIntegritySha256) {
    return integritySha256At_ != 0 ? std::optional(valueAt(integritySha256At_)) : std::nullopt;
  }
  if (type == AttributeType::Fingerprint) {
    return fingerprintAt_ != 0 ? std::optional(valueAt(fingerprintAt_)) : std::nullopt;
  }
  for (const Attribute& attribute : *this) {
    if (attribute.type == type) return attribute.value;
  }
  return std::nullopt;
}

std::optional<uint32_t> Message::u32(AttributeType type) const {
  const auto value = find(type);
  if (!value || value->size() != 4) return std::nullopt;
  return loadU32(value->data());
}

std::optional<uint64_t> Message::u64(AttributeType type) const {
  const auto value = find(type);
  if (!value || value->size() != 8) return std::nullopt;
  return loadU64(value->data());
}

std::optional<std::string_view> Message::text(AttributeType type) const {
  const auto value = find(type);
  return value ? std::optional(asText(*value)) : std::nullopt;
}

std::optional<SocketAddress> Message::address(AttributeType type) const {
  const auto value = find(type);
  return value ? decodeAddress(*value) : std::nullopt;
}

std::optional<SocketAddress> Message::xorAddress(AttributeType type) const {
  const auto value = find(type);
  return value ? decodeXorAddress(*value) : std::nullopt;
}

std::optional<SocketAddress> Message::decodeXorAddress(ByteSpan value) const {
  const auto plain = decodeAddress(value);
  if (!plain) return std::nullopt;
  return xorWithHeader(*plain, bytes_.subspan(4, 16));
}

std::optional<ErrorInfo> Message::error() const {
  const auto value = find(AttributeType::ErrorCode);
  if (!value || value->size() < 4) return std::nullopt;
  const unsigned hundreds = (*value)[2] & 7u;
  const unsigned rest = (*value)[3];
  if (hundreds < 3 || hundreds > 6 || rest > 99) return std::nullopt;
  return ErrorInfo{static_cast<uint16_t>(hundreds * 100 + rest), asText(value->subspan(4))};
}

}  // namespace parley::stun
