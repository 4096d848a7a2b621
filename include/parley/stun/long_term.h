#pragma once

#include <span>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

// What the long-term credential mechanism of RFC 8489 section 9.2 adds on the wire.

namespace parley::stun {

/// The "STUN Password Algorithms" registry (RFC 8489 section 18.5).
enum class PasswordAlgorithm : uint16_t { Md5 = 0x0001, Sha256 = 0x0002 };

/// A long-term key: 16 bytes under MD5, 32 under SHA-256.
class LongTermKey {
 public:
  LongTermKey() = default;
  PARLEY_EXPORT LongTermKey(PasswordAlgorithm algorithm, std::string_view user,
                            std::string_view realm, std::string_view password);
  ByteSpan span() const { return {bytes_.data(), bytes_.size()}; }
  bool empty() const { return bytes_.empty(); }
  bool operator==(const LongTermKey&) const = default;

 private:
  InlineVector<uint8_t, 32> bytes_;
};

/// One entry of PASSWORD-ALGORITHMS, known or not. Neither MD5 nor SHA-256 has parameters.
struct PasswordAlgorithmEntry {
  uint16_t number = 0;
  ByteSpan parameters;  ///< borrows from the message
};
using PasswordAlgorithmList = InlineVector<PasswordAlgorithmEntry, 8>;

/// PASSWORD-ALGORITHMS (RFC 8489 section 14.11): the order is the server's preference. nullopt if
/// malformed, empty or longer than any registry will be.
PARLEY_EXPORT std::optional<PasswordAlgorithmList> parsePasswordAlgorithms(ByteSpan value);
/// PASSWORD-ALGORITHM (section 14.12): exactly one entry.
PARLEY_EXPORT std::optional<PasswordAlgorithmEntry> parsePasswordAlgorithm(ByteSpan value);
/// The value of either attribute.
PARLEY_EXPORT Bytes writePasswordAlgorithms(std::span<const PasswordAlgorithm> algorithms);

/// How a nonce begins that announces features (RFC 8489 section 9.2): see `nonceFeatures`.
PARLEY_EXPORT std::string noncePrefix(NonceFeatures features);

}  // namespace parley::stun
