#include "parley/crypto/srtp_keying.h"

#include <algorithm>

#include "parley/crypto/const_time.h"

namespace parley::crypto {

const char* toString(SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::Aes128CmHmacSha1_80:
      return "AES_CM_128_HMAC_SHA1_80";
    case SrtpProfile::Aes128CmHmacSha1_32:
      return "AES_CM_128_HMAC_SHA1_32";
    case SrtpProfile::AeadAes128Gcm:
      return "AEAD_AES_128_GCM";
    case SrtpProfile::AeadAes256Gcm:
      return "AEAD_AES_256_GCM";
  }
  return "";
}

Secret::Secret(ByteSpan bytes) : size_(std::min(bytes.size(), kMaxSize)) {
  std::copy_n(bytes.begin(), size_, bytes_.begin());
}

Secret::~Secret() {
  wipe(bytes_);
}

std::optional<SrtpKeying> SrtpKeying::fromExporter(SrtpProfile profile, ByteSpan exported) {
  if (exported.size() != srtpExporterLength(profile)) return std::nullopt;
  const size_t key = srtpKeyLength(profile);
  const size_t salt = srtpSaltLength(profile);
  SrtpKeying keying;
  keying.profile = profile;
  keying.clientKey = Secret(exported.subspan(0, key));
  keying.serverKey = Secret(exported.subspan(key, key));
  keying.clientSalt = Secret(exported.subspan(2 * key, salt));
  keying.serverSalt = Secret(exported.subspan(2 * key + salt, salt));
  return keying;
}

}  // namespace parley::crypto
