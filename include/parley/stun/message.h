#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "parley/base/address.h"
#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/random.h"
#include "parley/stun/attributes.h"

// stun: the wire format of RFC 8489 (and the attributes of ICE and TURN) and the retransmission
// arithmetic of a client. May use base and crypto. Pure: no sockets, no time but as an argument.
//
// A received datagram goes Message::parse -> verifyFingerprint / verifyMessageIntegrity
// (integrity.h) -> attribute getters. An outgoing one is written by MessageBuilder
// (message_builder.h) straight into a packet buffer.

namespace parley::stun {

enum class Class : uint8_t { Request = 0, Indication = 1, Success = 2, Error = 3 };

enum class Method : uint16_t {
  Binding = 0x001,
  Allocate = 0x003,
  Refresh = 0x004,
  Send = 0x006,
  Data = 0x007,
  CreatePermission = 0x008,
  ChannelBind = 0x009,
  Connect = 0x00A,
  ConnectionBind = 0x00B,
  ConnectionAttempt = 0x00C,
};

using TransactionId = std::array<uint8_t, 12>;

/// 96 random bits (RFC 8489 section 5: "uniformly and randomly chosen ... cryptographically
/// random").
PARLEY_EXPORT TransactionId newTransactionId(Random& random);

constexpr uint32_t kMagicCookie = 0x2112A442;
constexpr size_t kHeaderSize = 20;
constexpr size_t kAttributeHeaderSize = 4;

/// One attribute as it stands in the message. `value` borrows from the message, without padding.
struct Attribute {
  AttributeType type{};
  ByteSpan value;
};

/// ERROR-CODE (RFC 8489 section 14.8). `reason` borrows from the message.
struct ErrorInfo {
  uint16_t code = 0;  ///< 300 to 699
  std::string_view reason;
};

/// A view of one well-formed STUN message; borrows the bytes it was parsed from, allocates nothing.
///
/// Getters see only what the sender authenticated: behind MESSAGE-INTEGRITY nothing but
/// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT exists, behind MESSAGE-INTEGRITY-SHA256 nothing but
/// FINGERPRINT (RFC 8489 sections 14.5 and 14.6: "MUST ignore all the other attributes that
/// follow"). Of an attribute that appears twice the first counts (RFC 8489 section 14).
class PARLEY_EXPORT Message {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Attribute;
    using difference_type = std::ptrdiff_t;
    using pointer = const Attribute*;
    using reference = Attribute;
    Iterator() = default;
    Attribute operator*() const;
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& o) const { return at_ == o.at_; }

   private:
    friend class Message;
    Iterator(ByteSpan bytes, size_t at, size_t end) : bytes_(bytes), at_(at), end_(end) {}
    ByteSpan bytes_;
    size_t at_ = 0;
    size_t end_ = 0;
  };

  /// Exactly one message, nothing before or behind it: two zero bits, magic cookie, a length that
  /// is a multiple of 4 and fits, every attribute inside, FINGERPRINT (if any) last and 4 bytes
  /// long. Anything else gives nullopt. Does not verify FINGERPRINT or integrity.
  static std::optional<Message> parse(ByteSpan datagram);
  /// True if the first bytes could only be STUN: for telling it from other traffic on a port.
  static bool looksLikeStun(ByteSpan datagram);
  /// For stream transports: the size of the message that starts `stream` (header and padding
  /// included), or nullopt while fewer than 4 bytes are there.
  static std::optional<size_t> frameSize(ByteSpan stream);

  Class messageClass() const { return class_; }
  /// May be a number that `Method` does not name.
  Method method() const { return method_; }
  bool is(Class c, Method m) const { return class_ == c && method_ == m; }
  TransactionId transactionId() const;
  ByteSpan bytes() const { return bytes_; }

  /// The visible attributes outside the integrity ones.
  Iterator begin() const { return Iterator(bytes_, kHeaderSize, visibleEnd_); }
  Iterator end() const { return Iterator(bytes_, visibleEnd_, visibleEnd_); }
  std::optional<ByteSpan> find(AttributeType type) const;
  bool has(AttributeType type) const { return find(type).has_value(); }

  /// Typed getters; nullopt also if the value has the wrong size for its type.
  std::optional<uint32_t> u32(AttributeType type) const;
  std::optional<uint64_t> u64(AttributeType type) const;
  std::optional<std::string_view> text(AttributeType type) const;
  /// MAPPED-ADDRESS form.
  std::optional<SocketAddress> address(AttributeType type) const;
  /// XOR-MAPPED-ADDRESS form (RFC 8489 section 14.2).
  std::optional<SocketAddress> xorAddress(AttributeType type) const;
  /// Decodes a single XOR-MAPPED-ADDRESS value, for attributes that may repeat.
  std::optional<SocketAddress> decodeXorAddress(ByteSpan value) const;
  std::optional<ErrorInfo> error() const;

  bool hasMessageIntegrity() const { return integrityAt_ != 0; }
  bool hasMessageIntegritySha256() const { return integritySha256At_ != 0; }
  bool hasFingerprint() const { return fingerprintAt_ != 0; }
  // Offsets of the attribute headers, 0 = absent; for integrity.h.
  size_t messageIntegrityOffset() const { return integrityAt_; }
  size_t messageIntegritySha256Offset() const { return integritySha256At_; }
  size_t fingerprintOffset() const { return fingerprintAt_; }
  /// The value of the attribute whose header stands at `offset`.
  ByteSpan valueAt(size_t offset) const;

  /// Writes the comprehension-required types for which `isKnown(AttributeType)` is false into
  /// `out`; returns how many were stored (the rest is cut off).
  template <class IsKnown>
  size_t unknownRequired(std::span<uint16_t> out, IsKnown isKnown) const {
    size_t count = 0;
    for (const Attribute& attribute : *this) {
      if (count == out.size()) break;
      if (!isComprehensionRequired(attribute.type) || isKnown(attribute.type)) continue;
      out[count++] = static_cast<uint16_t>(attribute.type);
    }
    return count;
  }

 private:
  Message() = default;
  bool scanAttributes();

  ByteSpan bytes_;
  Class class_ = Class::Request;
  Method method_ = Method::Binding;
  size_t visibleEnd_ = kHeaderSize;
  size_t integrityAt_ = 0;
  size_t integritySha256At_ = 0;
  size_t fingerprintAt_ = 0;
};

}  // namespace parley::stun
