#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/dtls/certificate.h"

namespace parley {

/// RTCDtlsFingerprint (webrtc-pc section 5.5): the hash function's name and lower-case hex with
/// colons.
struct DtlsFingerprint {
  std::string algorithm;  ///< "sha-256"
  std::string value;      ///< "4a:ad:b9:..."
};

/// What `Certificate::generate` makes: the two that every implementation has (RFC 8827
/// section 6.5).
enum class CertificateKey {
  EcdsaP256,  ///< ECDSA on the curve P-256
  Rsa2048     ///< RSASSA-PKCS1-v1_5 with 2048 bits
};

/// RTCCertificate (webrtc-pc section 4.9.2): a key pair and the self-signed certificate that DTLS
/// presents. A value; copies share the key. Any thread.
class PARLEY_EXPORT Certificate {
 public:
  /// RTCPeerConnection.generateCertificate (webrtc-pc section 4.9.1), but at once, on the caller's
  /// thread. Makes a key (ECDSA: under a millisecond; RSA: some hundred) and a certificate for it.
  /// `validFor` (RTCCertificateExpiration): not below zero (Range otherwise); more than a year
  /// counts as a year (W3C 4.9.1). A certificate that has expired cannot be used. Operation if
  /// OpenSSL fails.
  static Result<Certificate> generate(Duration validFor = Duration::seconds(30 * 86400),
                                      CertificateKey key = CertificateKey::EcdsaP256);
  /// Reads what `toPem` wrote, or any PEM text with one certificate and its unencrypted private
  /// key. Syntax if it does not parse or does not fit together; NotSupported for a key too weak to
  /// be used.
  static Result<Certificate> fromPem(std::string_view pem);

  /// Private key and certificate: keep it secret.
  std::string toPem() const;
  /// When it expires, milliseconds since 1970.
  int64_t expires() const;
  /// What descriptions tell of it, for the peer to know it by.
  std::vector<DtlsFingerprint> getFingerprints() const;

  // For the library's own objects.
  explicit Certificate(std::shared_ptr<const dtls::Certificate> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<const dtls::Certificate>& impl() const { return impl_; }

 private:
  std::shared_ptr<const dtls::Certificate> impl_;
};

}  // namespace parley
