#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/crypto/hash.h"

struct evp_cipher_ctx_st;

namespace parley::crypto {

// Ciphers and an authenticator with a key of their own that last for many packets: what can be done
// ahead is done when they are made, and no call allocates. Thread-compatible. They abort only if
// OpenSSL has no memory left or forbids the algorithm; no peer can cause either.

/// AES in counter mode (NIST SP 800-38A section 6.5) with a key of 16 or 32 octets.
class PARLEY_EXPORT AesCounter {
 public:
  static constexpr size_t kBlockSize = 16;

  explicit AesCounter(ByteSpan key);
  ~AesCounter();
  AesCounter(const AesCounter&) = delete;
  AesCounter& operator=(const AesCounter&) = delete;

  /// Encrypts or decrypts in place; `counter` is that of the first block.
  void apply(const std::array<uint8_t, kBlockSize>& counter, MutableByteSpan data);

 private:
  evp_cipher_ctx_st* context_;
};

class GcmX86;

/// AES-GCM (NIST SP 800-38D) with a key of 16 or 32 octets, nonces of 12 and tags of 16.
class PARLEY_EXPORT AesGcm {
 public:
  static constexpr size_t kNonceSize = 12;
  static constexpr size_t kTagSize = 16;
  using Nonce = std::array<uint8_t, kNonceSize>;
  enum class Use : uint8_t { Seal, Open };
  enum class Engine : uint8_t {
    /// This library, on the processor's instructions for it; OpenSSL on processors without them.
    Processor,
    OpenSsl,
  };

  AesGcm(Use use, ByteSpan key, Engine engine = Engine::Processor);
  ~AesGcm();
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;

  /// Encrypts in place and writes kTagSize octets to `tag`. The same nonce must never come with
  /// other data. Only with Use::Seal.
  void seal(const Nonce& nonce, std::initializer_list<ByteSpan> associated, MutableByteSpan data,
            uint8_t* tag);
  /// Decrypts in place; false, and the data undefined, if the tag is wrong. Only with Use::Open.
  bool open(const Nonce& nonce, std::initializer_list<ByteSpan> associated, MutableByteSpan data,
            const uint8_t* tag);

 private:
  void start(const Nonce& nonce, std::initializer_list<ByteSpan> associated);
  std::unique_ptr<GcmX86> processor_;
  evp_cipher_ctx_st* context_ = nullptr;  ///< without it
};

/// HMAC-SHA1 (RFC 2104) with one key for many messages.
class PARLEY_EXPORT HmacSha1 {
 public:
  explicit HmacSha1(ByteSpan key);
  ~HmacSha1();
  HmacSha1(const HmacSha1&) = delete;
  HmacSha1& operator=(const HmacSha1&) = delete;

  Sha1Digest sum(std::initializer_list<ByteSpan> parts) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace parley::crypto
