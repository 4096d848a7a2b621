#pragma once

#include <initializer_list>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/crypto/hash.h"

namespace parley::crypto {

/// HMAC (RFC 2104) over the joined parts. Any key length.
PARLEY_EXPORT Sha1Digest hmacSha1(ByteSpan key, std::initializer_list<ByteSpan> parts);
PARLEY_EXPORT Sha256Digest hmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts);
PARLEY_EXPORT Sha512Digest hmacSha512(ByteSpan key, std::initializer_list<ByteSpan> parts);
inline Sha1Digest hmacSha1(ByteSpan key, ByteSpan message) {
  return hmacSha1(key, {message});
}
inline Sha256Digest hmacSha256(ByteSpan key, ByteSpan message) {
  return hmacSha256(key, {message});
}

}  // namespace parley::crypto
