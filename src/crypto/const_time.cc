#include "parley/crypto/const_time.h"

#include <openssl/crypto.h>

namespace parley::crypto {

bool constantTimeEquals(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(MutableByteSpan secret) {
  if (!secret.empty()) OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace parley::crypto
