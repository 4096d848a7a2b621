#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

// crypto: hashes, HMAC, constant-time comparison, X.509, on top of OpenSSL. May use base. Pure
// functions; nothing here keeps state between calls.

namespace parley::crypto {

using Md5Digest = std::array<uint8_t, 16>;
using Sha1Digest = std::array<uint8_t, 20>;
using Sha256Digest = std::array<uint8_t, 32>;
using Sha512Digest = std::array<uint8_t, 64>;

// Each takes its message in parts, hashed as if they were joined.
PARLEY_EXPORT Md5Digest md5(std::initializer_list<ByteSpan> parts);
PARLEY_EXPORT Sha1Digest sha1(std::initializer_list<ByteSpan> parts);
PARLEY_EXPORT Sha256Digest sha256(std::initializer_list<ByteSpan> parts);
inline Md5Digest md5(ByteSpan message) {
  return md5({message});
}
inline Sha1Digest sha1(ByteSpan message) {
  return sha1({message});
}
inline Sha256Digest sha256(ByteSpan message) {
  return sha256({message});
}

/// CRC-32 as in ITU-T V.42 and zlib: reflected polynomial 0xEDB88320, initial value and final XOR
/// all ones. STUN's FINGERPRINT (RFC 8489 section 14.7) and PNG use it; SCTP's CRC-32C is another
/// one.
PARLEY_EXPORT uint32_t crc32(std::initializer_list<ByteSpan> parts);
inline uint32_t crc32(ByteSpan message) {
  return crc32({message});
}

}  // namespace parley::crypto
