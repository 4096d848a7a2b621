#include "parley/stun/integrity.h"

#include <algorithm>

#include "parley/crypto/const_time.h"
#include "parley/crypto/hmac.h"

namespace parley::stun {
namespace {

/// The first 20 bytes with the length that the sender had there when it computed the attribute at
/// `offset`: the message then ended with that attribute.
std::array<uint8_t, kHeaderSize> headerEndingAt(const Message& message, size_t end) {
  std::array<uint8_t, kHeaderSize> header;
  std::copy_n(message.bytes().begin(), kHeaderSize, header.begin());
  storeU16(&header[2], static_cast<uint16_t>(end - kHeaderSize));
  return header;
}

ByteSpan attributesBefore(const Message& message, size_t offset) {
  return message.bytes().subspan(kHeaderSize, offset - kHeaderSize);
}

int base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

IntegrityCheck verifyMessageIntegrity(const Message& message, ByteSpan key) {
  if (!message.hasMessageIntegrity()) return IntegrityCheck::Missing;
  const size_t offset = message.messageIntegrityOffset();
  const ByteSpan sent = message.valueAt(offset);
  if (sent.size() != sizeof(crypto::Sha1Digest)) return IntegrityCheck::Wrong;
  const auto header =
      headerEndingAt(message, offset + kAttributeHeaderSize + sizeof(crypto::Sha1Digest));
  const auto digest = crypto::hmacSha1(key, {header, attributesBefore(message, offset)});
  return crypto::constantTimeEquals(digest, sent) ? IntegrityCheck::Right : IntegrityCheck::Wrong;
}

IntegrityCheck verifyMessageIntegritySha256(const Message& message, ByteSpan key) {
  if (!message.hasMessageIntegritySha256()) return IntegrityCheck::Missing;
  const size_t offset = message.messageIntegritySha256Offset();
  const ByteSpan sent = message.valueAt(offset);
  // RFC 8489 section 14.6: "MUST be at least 16 bytes", at most 32, a multiple of 4.
  if (sent.size() < 16 || sent.size() > 32 || sent.size() % 4 != 0) return IntegrityCheck::Wrong;
  const auto header = headerEndingAt(message, offset + kAttributeHeaderSize + sent.size());
  const auto digest = crypto::hmacSha256(key, {header, attributesBefore(message, offset)});
  return crypto::constantTimeEquals(ByteSpan(digest).first(sent.size()), sent)
             ? IntegrityCheck::Right
             : IntegrityCheck::Wrong;
}

IntegrityCheck verifyFingerprint(const Message& message) {
  if (!message.hasFingerprint()) return IntegrityCheck::Missing;
  const size_t offset = message.fingerprintOffset();
  const uint32_t expected = crypto::crc32(message.bytes().first(offset)) ^ 0x5354554E;
  return loadU32(message.valueAt(offset).data()) == expected ? IntegrityCheck::Right
                                                             : IntegrityCheck::Wrong;
}

crypto::Md5Digest longTermKey(std::string_view user, std::string_view realm,
                              std::string_view password) {
  return crypto::md5(
      {asBytes(user), asBytes(":"), asBytes(realm), asBytes(":"), asBytes(password)});
}

crypto::Sha256Digest longTermKeySha256(std::string_view user, std::string_view realm,
                                       std::string_view password) {
  return crypto::sha256(
      {asBytes(user), asBytes(":"), asBytes(realm), asBytes(":"), asBytes(password)});
}

crypto::Sha256Digest userhash(std::string_view user, std::string_view realm) {
  return crypto::sha256({asBytes(user), asBytes(":"), asBytes(realm)});
}

std::optional<NonceFeatures> nonceFeatures(std::string_view nonce) {
  constexpr std::string_view kCookie = "obMatJos2";
  if (!nonce.starts_with(kCookie) || nonce.size() < kCookie.size() + 4) return std::nullopt;
  unsigned bits = 0;
  for (char c : nonce.substr(kCookie.size(), 4)) {
    const int value = base64Value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<unsigned>(value);
  }
  return NonceFeatures{(bits & 1) != 0, (bits & 2) != 0};
}

}  // namespace parley::stun
