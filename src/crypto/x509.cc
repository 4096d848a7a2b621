#include "crypto/x509.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace parley::crypto {
namespace {

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

/// OpenSSL reports through a per-thread queue; what we asked for and did not get must not be found
/// there by somebody else.
struct ErrorQueueScope {
  ~ErrorQueueScope() { ERR_clear_error(); }
};

PrivateKeyPtr generateKey(KeyAlgorithm algorithm) {
  return PrivateKeyPtr(algorithm == KeyAlgorithm::Rsa2048 ? EVP_RSA_gen(2048u)
                                                          : EVP_EC_gen("P-256"));
}

bool setSerial(X509* certificate, ByteSpan serial) {
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  const bool done = number != nullptr &&
                    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return done;
}

bool fill(X509* certificate, EVP_PKEY* key, const SelfSignedRequest& request) {
  X509_NAME* name = X509_get_subject_name(certificate);
  constexpr long kVersion3 = 2;
  return X509_set_version(certificate, kVersion3) == 1 && setSerial(certificate, request.serial) &&
         ASN1_TIME_set(X509_getm_notBefore(certificate),
                       static_cast<time_t>(request.notBeforeUnixSeconds)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate),
                       static_cast<time_t>(request.notAfterUnixSeconds)) != nullptr &&
         X509_NAME_add_entry_by_txt(
             name, "CN", MBSTRING_ASC,
             reinterpret_cast<const unsigned char*>(request.commonName.data()),
             static_cast<int>(request.commonName.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

/// Refuses to unlock an encrypted key: without a callback OpenSSL would ask on the terminal.
int noPassphrase(char*, int, int, void*) {
  return -1;
}

BioPtr readBio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

const EVP_MD* hashByName(std::string_view name) {
  if (name == "sha-1") return EVP_sha1();
  if (name == "sha-224") return EVP_sha224();
  if (name == "sha-256") return EVP_sha256();
  if (name == "sha-384") return EVP_sha384();
  if (name == "sha-512") return EVP_sha512();
  return nullptr;
}

}  // namespace

void X509Deleter::operator()(X509* certificate) const {
  X509_free(certificate);
}
void X509Deleter::operator()(EVP_PKEY* key) const {
  EVP_PKEY_free(key);
}

Identity makeSelfSigned(const SelfSignedRequest& request) {
  ErrorQueueScope errors;
  Identity identity{generateKey(request.algorithm), X509Ptr(X509_new())};
  if (!identity || !fill(identity.certificate.get(), identity.key.get(), request)) return {};
  return identity;
}

Identity identityFromPem(std::string_view pem) {
  ErrorQueueScope errors;
  constexpr size_t kMaxPem = 64 * 1024;
  if (pem.size() > kMaxPem) return {};
  const BioPtr forCertificate = readBio(pem);
  const BioPtr forKey = readBio(pem);
  if (!forCertificate || !forKey) return {};
  Identity identity{
      PrivateKeyPtr(PEM_read_bio_PrivateKey(forKey.get(), nullptr, noPassphrase, nullptr)),
      X509Ptr(PEM_read_bio_X509(forCertificate.get(), nullptr, noPassphrase, nullptr))};
  if (!identity) return {};
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) return {};
  return identity;
}

std::string identityToPem(const Identity& identity) {
  ErrorQueueScope errors;
  // Secure-heap or not, the BIO wipes what it held when it is freed.
  const BioPtr out(BIO_new(BIO_s_secmem()));
  if (!out || !identity ||
      PEM_write_bio_PKCS8PrivateKey(out.get(), identity.key.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr) != 1 ||
      PEM_write_bio_X509(out.get(), identity.certificate.get()) != 1) {
    return {};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

Bytes derOf(const X509& certificate) {
  ErrorQueueScope errors;
  const int size = i2d_X509(&certificate, nullptr);
  if (size <= 0) return {};
  Bytes der(static_cast<size_t>(size));
  unsigned char* at = der.data();
  if (i2d_X509(&certificate, &at) != size) return {};
  return der;
}

Bytes derOf(const EVP_PKEY& key) {
  ErrorQueueScope errors;
  const int size = i2d_PrivateKey(&key, nullptr);
  if (size <= 0) return {};
  Bytes der(static_cast<size_t>(size));
  unsigned char* at = der.data();
  if (i2d_PrivateKey(&key, &at) != size) return {};
  return der;
}

Identity identityFromDer(KeyAlgorithm algorithm, ByteSpan key, ByteSpan certificate) {
  ErrorQueueScope errors;
  const unsigned char* keyAt = key.data();
  const unsigned char* certificateAt = certificate.data();
  Identity identity{
      PrivateKeyPtr(d2i_PrivateKey(algorithm == KeyAlgorithm::Rsa2048 ? EVP_PKEY_RSA : EVP_PKEY_EC,
                                   nullptr, &keyAt, static_cast<long>(key.size()))),
      X509Ptr(d2i_X509(nullptr, &certificateAt, static_cast<long>(certificate.size())))};
  if (!identity) return {};
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) return {};
  return identity;
}

std::optional<int64_t> notAfterUnixSeconds(const X509& certificate) {
  ErrorQueueScope errors;
  const std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)> epoch(ASN1_TIME_set(nullptr, 0),
                                                               ASN1_TIME_free);
  int days = 0;
  int seconds = 0;
  if (!epoch ||
      ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(&certificate)) != 1) {
    return std::nullopt;
  }
  return int64_t{days} * 86'400 + seconds;
}

bool hasStrongKey(const X509& certificate) {
  ErrorQueueScope errors;
  const EVP_PKEY* key = X509_get0_pubkey(&certificate);
  if (key == nullptr) return false;
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      return bits >= 2048;
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
      return bits >= 250;
    default:
      return false;
  }
}

std::optional<Bytes> digestByName(std::string_view name, ByteSpan message) {
  ErrorQueueScope errors;
  const EVP_MD* type = hashByName(name);
  if (type == nullptr) return std::nullopt;
  Bytes out(static_cast<size_t>(EVP_MD_get_size(type)));
  unsigned int size = 0;
  if (EVP_Digest(message.data(), message.size(), out.data(), &size, type, nullptr) != 1) {
    return std::nullopt;
  }
  return out;
}

size_t digestSizeByName(std::string_view name) {
  const EVP_MD* type = hashByName(name);
  return type == nullptr ? 0 : static_cast<size_t>(EVP_MD_get_size(type));
}

}  // namespace parley::crypto
