#pragma once

#include <array>
#include <cstdint>

#include <openssl/evp.h>

#include "parley/base/bytes.h"
#include "parley/base/check.h"

namespace parley::crypto {

/// One running hash of a fixed size. OpenSSL fails here only when out of memory or when its
/// configuration forbids the algorithm; no peer can cause either.
template <size_t N>
class Digest {
 public:
  explicit Digest(const EVP_MD* type) : context_(EVP_MD_CTX_new()) {
    PARLEY_CHECK(context_ != nullptr);
    PARLEY_CHECK(EVP_DigestInit_ex(context_, type, nullptr) == 1);
  }
  ~Digest() { EVP_MD_CTX_free(context_); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void update(ByteSpan bytes) {
    if (!bytes.empty()) PARLEY_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
  }
  std::array<uint8_t, N> finish() {
    std::array<uint8_t, N> out{};
    unsigned int size = 0;
    PARLEY_CHECK(EVP_DigestFinal_ex(context_, out.data(), &size) == 1 && size == N);
    return out;
  }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace parley::crypto
