#include "parley/crypto/hmac.h"

#include <algorithm>

#include "parley/crypto/const_time.h"

#include "crypto/digest.h"

namespace parley::crypto {
namespace {

// RFC 2104 section 2 written out: OpenSSL's own HMAC fetches its implementation by name on every
// use, which costs more than hashing a STUN message.
template <size_t N, size_t kBlockSize = 64>  // of SHA-1 and SHA-256
std::array<uint8_t, N> hmac(const EVP_MD* type, ByteSpan key,
                            std::initializer_list<ByteSpan> parts) {
  std::array<uint8_t, kBlockSize> block{};
  if (key.size() > kBlockSize) {
    Digest<N> shorten(type);
    shorten.update(key);
    const auto shortKey = shorten.finish();
    std::copy(shortKey.begin(), shortKey.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }

  for (uint8_t& byte : block) byte ^= 0x36;
  Digest<N> inner(type);
  inner.update(block);
  for (ByteSpan part : parts) inner.update(part);
  const auto innerDigest = inner.finish();

  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  Digest<N> outer(type);
  outer.update(block);
  outer.update(innerDigest);
  wipe(block);
  return outer.finish();
}

}  // namespace

Sha1Digest hmacSha1(ByteSpan key, std::initializer_list<ByteSpan> parts) {
  return hmac<20>(EVP_sha1(), key, parts);
}

Sha512Digest hmacSha512(ByteSpan key, std::initializer_list<ByteSpan> parts) {
  return hmac<64, 128>(EVP_sha512(), key, parts);
}

Sha256Digest hmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts) {
  return hmac<32>(EVP_sha256(), key, parts);
}

}  // namespace parley::crypto
