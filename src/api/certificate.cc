#include "parley/api/certificate.h"

#include "parley/base/secure_random.h"
#include "parley/base/text.h"
#include "parley/io/clock.h"

namespace parley {

Result<Certificate> Certificate::generate(Duration validFor, CertificateKey key) {
  SecureRandom random;
  dtls::CertificateOptions options;
  options.expiry = validFor;
  options.keyType =
      key == CertificateKey::Rsa2048 ? dtls::KeyType::Rsa2048 : dtls::KeyType::EcdsaP256;
  auto made = dtls::Certificate::generate(random, io::readWallClock().unixNanos, options);
  if (!made) return fail(std::move(made).error());
  return Certificate(*std::move(made));
}

Result<Certificate> Certificate::fromPem(std::string_view pem) {
  auto read = dtls::Certificate::fromPem(pem);
  if (!read) return fail(std::move(read).error());
  return Certificate(*std::move(read));
}

std::string Certificate::toPem() const {
  return impl_->toPem();
}
int64_t Certificate::expires() const {
  return impl_->expiresUnixMillis();
}

std::vector<DtlsFingerprint> Certificate::getFingerprints() const {
  std::vector<DtlsFingerprint> out;
  for (const dtls::Fingerprint& fingerprint : impl_->fingerprints()) {
    // RFC 4572 writes upper case; the W3C asks for lower (section 4.9.2).
    const std::string text = fingerprint.toString();
    out.push_back({fingerprint.algorithm, toLower(text.substr(fingerprint.algorithm.size() + 1))});
  }
  return out;
}

}  // namespace parley
