#include "parley/dtls/certificate.h"

#include <algorithm>
#include <array>

#include "parley/base/check.h"
#include "parley/crypto/const_time.h"

#include "crypto/x509.h"
#include "dtls/ssl_context.h"

namespace parley::dtls {
namespace {

constexpr Duration kMaxExpiry = Duration::seconds(365 * 86'400);
/// Peers' clocks differ, and some look at notBefore although nobody has to.
constexpr Duration kBackdate = Duration::seconds(86'400);

std::string randomName(Random& random) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<uint8_t, 8> bytes;
  random.fill(bytes);
  std::string name;
  for (uint8_t byte : bytes) {
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

Bytes randomSerial(Random& random) {
  Bytes serial(16);
  random.fill(serial);
  serial[0] = static_cast<uint8_t>((serial[0] & 0x7f) | 0x40);  // positive and not zero
  return serial;
}

crypto::KeyAlgorithm algorithmOf(KeyType type) {
  return type == KeyType::Rsa2048 ? crypto::KeyAlgorithm::Rsa2048 : crypto::KeyAlgorithm::EcdsaP256;
}

}  // namespace

Certificate::Certificate() = default;
Certificate::~Certificate() {
  crypto::wipe(keyDer_);
}

Result<std::shared_ptr<const Certificate>> Certificate::generate(Random& random, int64_t unixNanos,
                                                                 CertificateOptions options) {
  if (options.expiry < Duration::zero()) {
    return fail(ErrorCode::Range, "A certificate's expiry must not lie in the past.");
  }
  crypto::SelfSignedRequest request;
  request.algorithm = algorithmOf(options.keyType);
  request.serial = randomSerial(random);
  request.commonName = randomName(random);
  const auto toSeconds = [](int64_t nanos) { return nanos / 1'000'000'000; };
  request.notBeforeUnixSeconds = toSeconds(unixNanos - kBackdate.nanos());
  request.notAfterUnixSeconds = toSeconds(unixNanos + std::min(options.expiry, kMaxExpiry).nanos());
  return wrap(crypto::makeSelfSigned(request),
              options.forOneConnection ? std::optional(options.keyType) : std::nullopt);
}

Result<std::shared_ptr<const Certificate>> Certificate::fromPem(std::string_view pem) {
  crypto::Identity identity = crypto::identityFromPem(pem);
  if (!identity) {
    return fail(ErrorCode::Syntax,
                "The text does not hold a PEM certificate and its unencrypted private key.");
  }
  if (!crypto::hasStrongKey(*identity.certificate)) {
    return fail(ErrorCode::NotSupported,
                "The certificate's key is too weak or of an unknown kind.");
  }
  return wrap(std::move(identity), std::nullopt);
}

Result<std::shared_ptr<const Certificate>> Certificate::wrap(crypto::Identity identity,
                                                             std::optional<KeyType> bytesOnly) {
  constexpr char kFailed[] = "OpenSSL could not make or use the certificate.";
  if (!identity) return fail(ErrorCode::Operation, kFailed);
  const X509& x509 = *identity.certificate;
  std::shared_ptr<Certificate> made(new Certificate);
  made->der_ = crypto::derOf(x509);
  const auto notAfter = crypto::notAfterUnixSeconds(x509);
  auto fingerprint = Fingerprint::ofCertificate("sha-256", made->der_);
  if (made->der_.empty() || !notAfter || !fingerprint) return fail(ErrorCode::Operation, kFailed);
  made->fingerprints_.push_back(std::move(*fingerprint));
  made->expiresUnixMillis_ = *notAfter * 1000;
  const bool kept = bytesOnly ? made->keepBytes(*identity.key, *bytesOnly)
                              : made->keepContext(std::move(identity));
  if (!kept) return fail(ErrorCode::Operation, kFailed);
  return std::shared_ptr<const Certificate>(std::move(made));
}

bool Certificate::keepContext(crypto::Identity identity) {
  identity_ = std::make_unique<crypto::Identity>(std::move(identity));
  sslContext_ = SslContext::create(*identity_);
  return sslContext_ != nullptr;
}

bool Certificate::keepBytes(const evp_pkey_st& key, KeyType type) {
  keyType_ = type;
  keyDer_ = crypto::derOf(key);
  return !keyDer_.empty();
}

crypto::Identity Certificate::identityFromBytes() const {
  return crypto::identityFromDer(algorithmOf(keyType_), keyDer_, der_);
}

std::shared_ptr<const SslContext> Certificate::sslContext() const {
  return sslContext_ ? sslContext_ : SslContext::create(identityFromBytes());
}

std::string Certificate::toPem() const {
  return identity_ ? crypto::identityToPem(*identity_) : crypto::identityToPem(identityFromBytes());
}

}  // namespace parley::dtls
