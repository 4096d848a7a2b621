#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "parley/base/address.h"
#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/stun/message.h"

namespace parley::stun {

/// Writes one message into a caller's buffer. Attributes appear in call order; the header's length
/// is right after every call. Padding is zero. Writing past the end, or an attribute behind
/// FINGERPRINT, makes the whole message fail: `finish()` then gives 0.
class PARLEY_EXPORT MessageBuilder {
 public:
  MessageBuilder(MutableByteSpan out, Class messageClass, Method method, const TransactionId& id);
  /// Writes into the payload of `packet`; call `finishInto(packet)` at the end.
  MessageBuilder(PacketBuf& packet, Class messageClass, Method method, const TransactionId& id);
  /// The answer to `request`: same method and transaction id.
  static MessageBuilder responseTo(const Message& request, Class messageClass, MutableByteSpan out);

  MessageBuilder& bytes(AttributeType type, ByteSpan value);
  MessageBuilder& text(AttributeType type, std::string_view value) {
    return bytes(type, asBytes(value));
  }
  MessageBuilder& flag(AttributeType type) { return bytes(type, {}); }
  MessageBuilder& u32(AttributeType type, uint32_t value);
  MessageBuilder& u64(AttributeType type, uint64_t value);
  /// MAPPED-ADDRESS form.
  MessageBuilder& address(AttributeType type, const SocketAddress& value);
  /// XOR-MAPPED-ADDRESS form.
  MessageBuilder& xorAddress(AttributeType type, const SocketAddress& value);
  /// `code` 300 to 699; an empty reason is allowed.
  MessageBuilder& error(StunError code, std::string_view reason = {});
  MessageBuilder& unknownAttributes(std::span<const uint16_t> types);

  /// HMAC-SHA1 over everything so far (RFC 8489 section 14.5). Keys: see integrity.h.
  MessageBuilder& messageIntegrity(ByteSpan key);
  /// HMAC-SHA256, 32 bytes (RFC 8489 section 14.6).
  MessageBuilder& messageIntegritySha256(ByteSpan key);
  /// CRC-32 over everything so far; the last attribute (RFC 8489 section 14.7).
  MessageBuilder& fingerprint();

  bool ok() const { return ok_; }
  /// The message's size in bytes, or 0 if it did not fit.
  size_t finish() const { return ok_ ? size_ : 0; }
  /// Sets the packet's length; false (and an empty packet) if the message did not fit.
  bool finishInto(PacketBuf& packet) const;
  ByteSpan written() const { return ByteSpan(out_).first(finish()); }

 private:
  uint8_t* append(AttributeType type, size_t size);
  MutableByteSpan out_;
  size_t size_ = 0;
  bool ok_ = true;
  bool sealed_ = false;
};

}  // namespace parley::stun
