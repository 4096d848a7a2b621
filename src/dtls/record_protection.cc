#include "dtls/record_protection.h"

#include <cstring>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "parley/crypto/const_time.h"

#include "dtls/record_filter.h"

namespace parley::dtls {
namespace {

constexpr size_t kTagSize = 16;
constexpr size_t kSequenceOffset = 3;  ///< epoch and sequence number, together 8 octets
constexpr uint64_t kEpoch1 = uint64_t{1} << 48;
constexpr uint64_t kWindowSize = 64;

const EVP_CIPHER* cipherOf(RecordKeys::Aead aead) {
  switch (aead) {
    case RecordKeys::Aead::Aes128Gcm:
      return EVP_aes_128_gcm();
    case RecordKeys::Aead::Aes256Gcm:
      return EVP_aes_256_gcm();
    case RecordKeys::Aead::ChaCha20Poly1305:
      return EVP_chacha20_poly1305();
  }
  return nullptr;
}

EVP_CIPHER_CTX* makeContext(const EVP_CIPHER* cipher, const uint8_t* key, bool sealing) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  if (context != nullptr &&
      EVP_CipherInit_ex(context, cipher, nullptr, key, nullptr, sealing ? 1 : 0) != 1) {
    EVP_CIPHER_CTX_free(context);
    return nullptr;
  }
  return context;
}

/// RFC 5246 section 6.2.3.3: epoch and sequence number, type, version, length of the plaintext.
std::array<uint8_t, 13> additionalData(const uint8_t* header, size_t plaintextSize) {
  std::array<uint8_t, 13> out;
  std::memcpy(out.data(), header + kSequenceOffset, 8);
  std::memcpy(out.data() + 8, header, 3);
  storeU16(out.data() + 11, static_cast<uint16_t>(plaintextSize));
  return out;
}

/// OpenSSL's own way for the records of TLS 1.2 under GCM: one call for all that a record needs. It
/// counts the explicit nonces of what it seals, from `first`, and writes them into the records.
bool prepareForRecords(EVP_CIPHER_CTX* context, const std::array<uint8_t, 12>& iv, uint64_t first) {
  std::array<uint8_t, 12> whole = iv;
  storeU64(&whole[4], first);
  constexpr int kWhole = -1;
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IV_FIXED, kWhole, whole.data()) == 1;
}

/// Seals or opens what lies behind a record's header: explicit nonce, payload, room for the tag.
bool runGcm(EVP_CIPHER_CTX* context, const uint8_t* header, uint8_t* body, size_t size) {
  // RFC 5246 has the length of the plaintext here. OpenSSL takes off the nonce's, and the tag's of
  // what it opens.
  const size_t tag = EVP_CIPHER_CTX_is_encrypting(context) ? kTagSize : 0;
  std::array<uint8_t, 13> extra = additionalData(header, size - tag);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(
                                       OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, extra.data(), extra.size()),
                                   OSSL_PARAM_construct_end()};
  return EVP_CIPHER_CTX_set_params(context, parameters) == 1 &&
         EVP_Cipher(context, body, body, static_cast<unsigned>(size)) >= 0;
}

}  // namespace

RecordKeys::~RecordKeys() {
  for (Side* side : {&own, &peer}) {
    crypto::wipe(side->key);
    crypto::wipe(side->iv);
  }
}

std::unique_ptr<RecordProtection> RecordProtection::create(const RecordKeys& keys,
                                                           WritePosition position) {
  std::unique_ptr<RecordProtection> made(new RecordProtection);
  made->keys_ = keys;
  made->isGcm_ = keys.aead != RecordKeys::Aead::ChaCha20Poly1305;
  made->position_ = position;
  const EVP_CIPHER* cipher = cipherOf(keys.aead);
  made->sealer_ = makeContext(cipher, keys.own.key.data(), true);
  made->opener_ = makeContext(cipher, keys.peer.key.data(), false);
  if (!made->sealer_ || !made->opener_) return nullptr;
  if (made->isGcm_ && (!prepareForRecords(made->sealer_, keys.own.iv, position.nextNonce) ||
                       !prepareForRecords(made->opener_, keys.peer.iv, 0))) {
    return nullptr;
  }
  return made;
}

RecordProtection::~RecordProtection() {
  EVP_CIPHER_CTX_free(sealer_);
  EVP_CIPHER_CTX_free(opener_);
}

/// RFC 7905 section 2.
std::array<uint8_t, 12> RecordProtection::chaChaNonce(const RecordKeys::Side& side,
                                                      const uint8_t* sequence) {
  std::array<uint8_t, 12> nonce = side.iv;
  for (size_t i = 0; i < 8; ++i) nonce[4 + i] ^= sequence[i];
  return nonce;
}

bool RecordProtection::seal(ContentType type, PacketBuf& packet) {
  const size_t plaintextSize = packet.size();
  const size_t nonceSize = explicitNonceSize();
  if (position_.nextSequence >= kEpoch1 || !packet.growFront(kRecordHeaderSize + nonceSize) ||
      packet.writable().size() < packet.size() + kTagSize) {
    return false;
  }
  packet.resize(packet.size() + kTagSize);
  uint8_t* header = packet.data();
  uint8_t* body = header + kRecordHeaderSize;
  header[0] = static_cast<uint8_t>(type);
  storeU16(header + 1, 0xfefd);
  storeU64(header + kSequenceOffset, kEpoch1 | position_.nextSequence++);
  storeU16(header + 11, static_cast<uint16_t>(packet.size() - kRecordHeaderSize));
  if (isGcm_) return runGcm(sealer_, header, body, packet.size() - kRecordHeaderSize);

  const auto nonce = chaChaNonce(keys_.own, header + kSequenceOffset);
  const auto extra = additionalData(header, plaintextSize);
  int written = 0;
  return EVP_EncryptInit_ex(sealer_, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_EncryptUpdate(sealer_, nullptr, &written, extra.data(), extra.size()) == 1 &&
         EVP_EncryptUpdate(sealer_, body, &written, body, static_cast<int>(plaintextSize)) == 1 &&
         EVP_EncryptFinal_ex(sealer_, body + plaintextSize, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(sealer_, EVP_CTRL_AEAD_GET_TAG, kTagSize, body + plaintextSize) == 1;
}

std::optional<MutableByteSpan> RecordProtection::open(MutableByteSpan record) {
  const size_t overhead = kRecordHeaderSize + explicitNonceSize() + kTagSize;
  if (record.size() < overhead) return std::nullopt;
  uint8_t* header = record.data();
  const uint64_t sequence = loadU64(header + kSequenceOffset) & (kEpoch1 - 1);
  if (!isFresh(sequence)) return std::nullopt;
  const size_t size = record.size() - overhead;
  uint8_t* body = header + kRecordHeaderSize;
  if (isGcm_) {
    if (!runGcm(opener_, header, body, record.size() - kRecordHeaderSize)) return std::nullopt;
    remember(sequence);
    return MutableByteSpan(body + explicitNonceSize(), size);
  }

  const auto nonce = chaChaNonce(keys_.peer, header + kSequenceOffset);
  const auto extra = additionalData(header, size);
  int written = 0;
  const bool authentic =
      EVP_DecryptInit_ex(opener_, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
      EVP_DecryptUpdate(opener_, nullptr, &written, extra.data(), extra.size()) == 1 &&
      EVP_DecryptUpdate(opener_, body, &written, body, static_cast<int>(size)) == 1 &&
      EVP_CIPHER_CTX_ctrl(opener_, EVP_CTRL_AEAD_SET_TAG, kTagSize, body + size) == 1 &&
      EVP_DecryptFinal_ex(opener_, body + size, &written) == 1;
  if (!authentic) return std::nullopt;
  remember(sequence);
  return MutableByteSpan(body, size);
}

bool RecordProtection::isFresh(uint64_t sequence) const {
  if (sequence >= highest_) return true;
  const uint64_t age = highest_ - 1 - sequence;
  return age < kWindowSize && (window_ >> age & 1) == 0;
}

void RecordProtection::remember(uint64_t sequence) {
  if (sequence < highest_) {
    window_ |= uint64_t{1} << (highest_ - 1 - sequence);
    return;
  }
  const uint64_t shift = sequence + 1 - highest_;
  window_ = (shift < kWindowSize ? window_ << shift : 0) | 1;
  highest_ = sequence + 1;
}

}  // namespace parley::dtls
