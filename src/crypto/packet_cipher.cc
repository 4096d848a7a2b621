// SHA_CTX: with EVP, taking up a hash that has seen the key already means an allocation, and
// hashing the key again costs a sixth of a packet.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "parley/crypto/packet_cipher.h"

#include <algorithm>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "parley/base/check.h"
#include "parley/crypto/const_time.h"

#include "crypto/gcm_x86.h"

namespace parley::crypto {
namespace {

constexpr size_t kShaBlock = 64;

EVP_CIPHER_CTX* makeContext(const EVP_CIPHER* cipher, ByteSpan key, bool encrypting) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  PARLEY_CHECK(context != nullptr);
  PARLEY_CHECK(
      EVP_CipherInit_ex(context, cipher, nullptr, key.data(), nullptr, encrypting ? 1 : 0) == 1);
  return context;
}

const EVP_CIPHER* gcmOf(ByteSpan key) {
  PARLEY_CHECK(key.size() == 16 || key.size() == 32);
  return key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

const EVP_CIPHER* counterOf(ByteSpan key) {
  PARLEY_CHECK(key.size() == 16 || key.size() == 32);
  return key.size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
}

void update(EVP_CIPHER_CTX* context, uint8_t* out, ByteSpan in) {
  if (in.empty()) return;
  int written = 0;
  PARLEY_CHECK(EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) ==
               1);
}

}  // namespace

AesCounter::AesCounter(ByteSpan key) : context_(makeContext(counterOf(key), key, true)) {}
AesCounter::~AesCounter() {
  EVP_CIPHER_CTX_free(context_);
}

void AesCounter::apply(const std::array<uint8_t, kBlockSize>& counter, MutableByteSpan data) {
  PARLEY_CHECK(EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, counter.data(), -1) == 1);
  update(context_, data.data(), data);
}

#if !defined(__x86_64__)
class GcmX86 {};
#endif

AesGcm::AesGcm(Use use, ByteSpan key, [[maybe_unused]] Engine engine) {
#if defined(__x86_64__)
  if (engine == Engine::Processor && GcmX86::isSupported()) {
    processor_ = std::make_unique<GcmX86>(key);
    return;
  }
#endif
  context_ = makeContext(gcmOf(key), key, use == Use::Seal);
}

AesGcm::~AesGcm() {
  EVP_CIPHER_CTX_free(context_);
}

void AesGcm::start(const Nonce& nonce, std::initializer_list<ByteSpan> associated) {
  PARLEY_CHECK(EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce.data(), -1) == 1);
  for (const ByteSpan part : associated) update(context_, nullptr, part);
}

void AesGcm::seal(const Nonce& nonce, std::initializer_list<ByteSpan> associated,
                  MutableByteSpan data, uint8_t* tag) {
#if defined(__x86_64__)
  if (processor_) {
    processor_->seal(nonce, associated, data, tag);
    return;
  }
#endif
  start(nonce, associated);
  update(context_, data.data(), data);
  int written = 0;
  uint8_t none[EVP_MAX_BLOCK_LENGTH];
  PARLEY_CHECK(EVP_CipherFinal_ex(context_, none, &written) == 1);
  PARLEY_CHECK(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1);
}

bool AesGcm::open(const Nonce& nonce, std::initializer_list<ByteSpan> associated,
                  MutableByteSpan data, const uint8_t* tag) {
#if defined(__x86_64__)
  if (processor_) return processor_->open(nonce, associated, data, tag);
#endif
  start(nonce, associated);
  update(context_, data.data(), data);
  // OpenSSL takes the tag by a pointer to non-const and copies it.
  PARLEY_CHECK(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTagSize,
                                   const_cast<uint8_t*>(tag)) == 1);
  int written = 0;
  uint8_t none[EVP_MAX_BLOCK_LENGTH];
  return EVP_CipherFinal_ex(context_, none, &written) == 1;
}

/// Both hashes of RFC 2104 after their first block, which is made of the key alone.
struct HmacSha1::State {
  SHA_CTX inner;
  SHA_CTX outer;
};

HmacSha1::HmacSha1(ByteSpan key) : state_(std::make_unique<State>()) {
  std::array<uint8_t, kShaBlock> block{};
  if (key.size() > block.size()) {
    const Sha1Digest shortKey = sha1({key});
    std::copy(shortKey.begin(), shortKey.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  for (uint8_t& byte : block) byte ^= 0x36;
  SHA1_Init(&state_->inner);
  SHA1_Update(&state_->inner, block.data(), block.size());
  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  SHA1_Init(&state_->outer);
  SHA1_Update(&state_->outer, block.data(), block.size());
  wipe(block);
}

HmacSha1::~HmacSha1() {
  wipe({reinterpret_cast<uint8_t*>(state_.get()), sizeof(State)});
}

Sha1Digest HmacSha1::sum(std::initializer_list<ByteSpan> parts) const {
  Sha1Digest digest;
  SHA_CTX hash = state_->inner;
  for (const ByteSpan part : parts) SHA1_Update(&hash, part.data(), part.size());
  SHA1_Final(digest.data(), &hash);
  hash = state_->outer;
  SHA1_Update(&hash, digest.data(), digest.size());
  SHA1_Final(digest.data(), &hash);
  return digest;
}

}  // namespace parley::crypto
