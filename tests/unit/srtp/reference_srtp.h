#pragma once

#include <algorithm>
#include <array>

#include <openssl/evp.h>

#include "parley/base/bytes.h"
#include "parley/crypto/hmac.h"
#include "parley/crypto/srtp_keying.h"

// SRTP written a second time, straight from RFC 3711 and RFC 7714 and without libsrtp: slow, for
// one packet at a time, with the packet index given. The tests hold it against the RFCs' examples,
// and then SrtpSession against it.

namespace parley::srtp::test {

inline const EVP_CIPHER* counterCipher(size_t keySize) {
  return keySize == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
}

/// RFC 3711 section 4.1.1: `size` octets of keystream.
inline Bytes aesCmKeystream(ByteSpan key, ByteSpan iv, size_t size) {
  Bytes zeros(size), out(size);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  int written = 0;
  EVP_EncryptInit_ex(context, counterCipher(key.size()), nullptr, key.data(), iv.data());
  EVP_EncryptUpdate(context, out.data(), &written, zeros.data(), static_cast<int>(size));
  EVP_CIPHER_CTX_free(context);
  return out;
}

/// RFC 3711 section 4.3.1 with a key derivation rate of zero. A 12-octet salt is padded (RFC 7714
/// section 11).
inline Bytes deriveKey(ByteSpan masterKey, ByteSpan masterSalt, uint8_t label, size_t size) {
  std::array<uint8_t, 16> iv{};
  std::copy(masterSalt.begin(), masterSalt.end(), iv.begin());
  iv[7] ^= label;
  return aesCmKeystream(masterKey, iv, size);
}

inline Bytes gcmSeal(ByteSpan key, ByteSpan iv, ByteSpan associated, ByteSpan plain) {
  Bytes out(plain.size() + 16);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  int written = 0;
  EVP_EncryptInit_ex(context, key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), nullptr,
                     key.data(), iv.data());
  EVP_EncryptUpdate(context, nullptr, &written, associated.data(),
                    static_cast<int>(associated.size()));
  EVP_EncryptUpdate(context, out.data(), &written, plain.data(), static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(context, out.data() + written, &written);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + plain.size());
  EVP_CIPHER_CTX_free(context);
  return out;
}

struct SessionKeys {
  Bytes key, salt, auth;  // no auth for GCM
};

inline SessionKeys sessionKeys(ByteSpan masterKey, ByteSpan masterSalt, bool rtcp) {
  const uint8_t base = rtcp ? 3 : 0;
  return {deriveKey(masterKey, masterSalt, base, masterKey.size()),
          deriveKey(masterKey, masterSalt, static_cast<uint8_t>(base + 2), masterSalt.size()),
          deriveKey(masterKey, masterSalt, static_cast<uint8_t>(base + 1), 20)};
}

inline size_t headerSize(ByteSpan rtp) {
  size_t size = 12 + size_t{4} * (rtp[0] & 15);
  if ((rtp[0] & 16) != 0) size += 4 + size_t{4} * loadU16(&rtp[size + 2]);
  return size;
}

inline void append(Bytes& out, ByteSpan more) {
  out.insert(out.end(), more.begin(), more.end());
}

inline Bytes xorWith(ByteSpan a, ByteSpan b) {
  Bytes out = toBytes(a);
  for (size_t i = 0; i < out.size(); ++i) out[i] ^= b[i];
  return out;
}

/// RFC 3711 section 4.1.1: salt * 2^16 XOR ssrc * 2^64 XOR index * 2^16.
inline std::array<uint8_t, 16> cmIv(ByteSpan salt, uint32_t ssrc, uint64_t index) {
  std::array<uint8_t, 16> iv{};
  std::copy(salt.begin(), salt.end(), iv.begin());
  for (size_t i = 0; i < 4; ++i) iv[4 + i] ^= static_cast<uint8_t>(ssrc >> (24 - 8 * i));
  for (size_t i = 0; i < 6; ++i) iv[8 + i] ^= static_cast<uint8_t>(index >> (40 - 8 * i));
  return iv;
}

inline Bytes sealRtpCm(const SessionKeys& keys, ByteSpan rtp, uint32_t roc, size_t tagSize) {
  const size_t header = headerSize(rtp);
  const uint64_t index = uint64_t{roc} << 16 | loadU16(&rtp[2]);
  const ByteSpan payload = rtp.subspan(header);
  Bytes out = toBytes(rtp.first(header));
  append(out, xorWith(payload, aesCmKeystream(keys.key, cmIv(keys.salt, loadU32(&rtp[8]), index),
                                              payload.size())));
  uint8_t rocOctets[4];
  storeU32(rocOctets, roc);
  const auto tag = crypto::hmacSha1(keys.auth, {ByteSpan(out), ByteSpan(rocOctets)});
  append(out, ByteSpan(tag).first(tagSize));
  return out;
}

inline Bytes sealRtcpCm(const SessionKeys& keys, ByteSpan rtcp, uint32_t index) {
  const ByteSpan payload = rtcp.subspan(8);
  Bytes out = toBytes(rtcp.first(8));
  append(out, xorWith(payload, aesCmKeystream(keys.key, cmIv(keys.salt, loadU32(&rtcp[4]), index),
                                              payload.size())));
  uint8_t trailer[4];
  storeU32(trailer, 0x80000000u | index);
  append(out, trailer);
  const auto tag = crypto::hmacSha1(keys.auth, {ByteSpan(out)});
  append(out, ByteSpan(tag).first(10));
  return out;
}

/// RFC 7714 section 8.1: two zero octets, SSRC, ROC, sequence number, XOR salt.
inline Bytes sealRtpGcm(const SessionKeys& keys, ByteSpan rtp, uint32_t roc) {
  uint8_t iv[12] = {};
  storeU32(iv + 2, loadU32(&rtp[8]));
  storeU32(iv + 6, roc);
  storeU16(iv + 10, loadU16(&rtp[2]));
  const size_t header = headerSize(rtp);
  Bytes out = toBytes(rtp.first(header));
  append(out, gcmSeal(keys.key, xorWith(iv, keys.salt), rtp.first(header), rtp.subspan(header)));
  return out;
}

/// RFC 7714 section 9: two zero octets, SSRC, two zero octets, SRTCP index, XOR salt; the index
/// word is authenticated and stands last.
inline Bytes sealRtcpGcm(const SessionKeys& keys, ByteSpan rtcp, uint32_t index) {
  uint8_t iv[12] = {};
  storeU32(iv + 2, loadU32(&rtcp[4]));
  storeU32(iv + 8, index);
  uint8_t word[4];
  storeU32(word, 0x80000000u | index);
  Bytes associated = toBytes(rtcp.first(8));
  append(associated, word);
  Bytes out = toBytes(rtcp.first(8));
  append(out, gcmSeal(keys.key, xorWith(iv, keys.salt), associated, rtcp.subspan(8)));
  append(out, word);
  return out;
}

/// Both, for a profile and a master key.
class Reference {
 public:
  Reference(crypto::SrtpProfile profile, ByteSpan masterKey, ByteSpan masterSalt)
      : profile_(profile),
        rtp_(sessionKeys(masterKey, masterSalt, false)),
        rtcp_(sessionKeys(masterKey, masterSalt, true)) {}
  Bytes rtp(ByteSpan packet, uint32_t roc) const {
    if (gcm()) return sealRtpGcm(rtp_, packet, roc);
    return sealRtpCm(rtp_, packet, roc,
                     profile_ == crypto::SrtpProfile::Aes128CmHmacSha1_32 ? 4 : 10);
  }
  Bytes rtcp(ByteSpan packet, uint32_t index) const {
    return gcm() ? sealRtcpGcm(rtcp_, packet, index) : sealRtcpCm(rtcp_, packet, index);
  }

 private:
  bool gcm() const {
    return profile_ == crypto::SrtpProfile::AeadAes128Gcm ||
           profile_ == crypto::SrtpProfile::AeadAes256Gcm;
  }
  crypto::SrtpProfile profile_;
  SessionKeys rtp_, rtcp_;
};

}  // namespace parley::srtp::test
