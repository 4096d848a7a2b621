#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::crypto {

/// DTLS-SRTP protection profiles by their IANA numbers (RFC 5764 section 4.1.2, RFC 7714 section
/// 14.2). Stated here because dtls negotiates them, srtp applies them, and neither may know the
/// other.
enum class SrtpProfile : uint16_t {
  Aes128CmHmacSha1_80 = 0x0001,
  Aes128CmHmacSha1_32 = 0x0002,  ///< 32-bit tag on RTP only; SRTCP keeps 80 bits
  AeadAes128Gcm = 0x0007,
  AeadAes256Gcm = 0x0008,
};

constexpr size_t srtpKeyLength(SrtpProfile profile) {
  return profile == SrtpProfile::AeadAes256Gcm ? 32 : 16;
}
constexpr size_t srtpSaltLength(SrtpProfile profile) {
  return profile == SrtpProfile::AeadAes128Gcm || profile == SrtpProfile::AeadAes256Gcm ? 12 : 14;
}
/// Octets that the DTLS exporter must give: two keys and two salts.
constexpr size_t srtpExporterLength(SrtpProfile profile) {
  return 2 * (srtpKeyLength(profile) + srtpSaltLength(profile));
}
/// The name that statistics show as `srtpCipher`, e.g. "AES_CM_128_HMAC_SHA1_80".
PARLEY_EXPORT const char* toString(SrtpProfile profile);

/// At most 32 secret octets, kept in place and wiped when they die.
class PARLEY_EXPORT Secret {
 public:
  static constexpr size_t kMaxSize = 32;

  Secret() = default;
  /// Takes the first kMaxSize octets.
  explicit Secret(ByteSpan bytes);
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();

  ByteSpan span() const { return ByteSpan(bytes_).first(size_); }
  size_t size() const { return size_; }

 private:
  std::array<uint8_t, kMaxSize> bytes_{};
  size_t size_ = 0;
};

/// What a DTLS handshake leaves for SRTP: the profile, and master key and salt per direction. The
/// client's are used by the DTLS client to send.
struct PARLEY_EXPORT SrtpKeying {
  SrtpProfile profile = SrtpProfile::Aes128CmHmacSha1_80;
  Secret clientKey;
  Secret serverKey;
  Secret clientSalt;
  Secret serverSalt;

  /// Cuts exporter output in the order of RFC 5764 section 4.2: client key, server key, client
  /// salt, server salt. Nullopt unless there are exactly srtpExporterLength() octets.
  static std::optional<SrtpKeying> fromExporter(SrtpProfile profile, ByteSpan exported);
};

}  // namespace parley::crypto
