#pragma once

#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/crypto/hash.h"
#include "parley/stun/message.h"

namespace parley::stun {

enum class IntegrityCheck : uint8_t { Missing, Wrong, Right };

/// MESSAGE-INTEGRITY against `key` (RFC 8489 section 14.5). The comparison takes constant time.
PARLEY_EXPORT IntegrityCheck verifyMessageIntegrity(const Message& message, ByteSpan key);
/// MESSAGE-INTEGRITY-SHA256 (RFC 8489 section 14.6); truncation to 16, 20, 24 or 28 bytes is
/// allowed by the RFC and accepted, shorter is Wrong.
PARLEY_EXPORT IntegrityCheck verifyMessageIntegritySha256(const Message& message, ByteSpan key);
/// FINGERPRINT (RFC 8489 section 14.7). Says "this is STUN", not "this is genuine".
PARLEY_EXPORT IntegrityCheck verifyFingerprint(const Message& message);

// Keys. The RFC has passwords and user names prepared with OpaqueString (RFC 8265) first; ASCII
// text without control characters, which is all that ICE uses, is unchanged by it. Other text must
// come prepared: this library carries no Unicode tables.

/// Short-term credentials: the password itself (RFC 8489 section 9.1.1).
inline ByteSpan shortTermKey(std::string_view password) {
  return asBytes(password);
}
/// Long-term credentials: MD5(user ":" realm ":" password) (RFC 8489 section 9.2.2).
PARLEY_EXPORT crypto::Md5Digest longTermKey(std::string_view user, std::string_view realm,
                                            std::string_view password);
/// The same with SHA-256, for PASSWORD-ALGORITHM 2.
PARLEY_EXPORT crypto::Sha256Digest longTermKeySha256(std::string_view user, std::string_view realm,
                                                     std::string_view password);
/// USERHASH: SHA-256(user ":" realm) (RFC 8489 section 14.4).
PARLEY_EXPORT crypto::Sha256Digest userhash(std::string_view user, std::string_view realm);

/// The security features that a server announces in a nonce which begins with the cookie
/// "obMatJos2" (RFC 8489 section 9.2); nullopt for any other nonce. Bit 0 is the least significant.
struct NonceFeatures {
  bool passwordAlgorithms = false;  ///< bit 0
  bool usernameAnonymity = false;   ///< bit 1
};
PARLEY_EXPORT std::optional<NonceFeatures> nonceFeatures(std::string_view nonce);

}  // namespace parley::stun
