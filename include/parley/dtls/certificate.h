#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/random.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/dtls/fingerprint.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace parley::crypto {
struct Identity;
}

namespace parley::dtls {

class SslContext;

enum class KeyType : uint8_t { EcdsaP256, Rsa2048 };

struct CertificateOptions {
  KeyType keyType = KeyType::EcdsaP256;
  /// Counted from now; more than a year counts as a year (W3C WebRTC section 4.9.1).
  Duration expiry = Duration::seconds(30 * 86'400);
  /// For one connection only: nothing but the bytes is kept, for what OpenSSL makes of them would
  /// be more memory than the rest of an idle connection's DTLS.
  bool forOneConnection = false;
};

/// A key pair and its self-signed certificate, the identity of a DTLS endpoint. Immutable, so it
/// may be shared between connections, loops and threads. What OpenSSL can share between handshakes
/// hangs on it, which keeps them cheap.
class PARLEY_EXPORT Certificate {
 public:
  /// Random serial number and common name, so that certificates of one user cannot be linked (RFC
  /// 8827 section 6.5). ECDSA takes well below a millisecond, RSA some hundred.
  /// Errors: Range for an expiry below zero; Operation if OpenSSL fails.
  static Result<std::shared_ptr<const Certificate>> generate(Random& random, int64_t unixNanos,
                                                             CertificateOptions options = {});
  /// Reads what toPem() wrote, or any PEM text with one certificate and its unencrypted private
  /// key. Errors: Syntax for what does not parse or does not fit together; NotSupported for a key
  /// that no peer should accept (RSA below 2048 bits, curves below 250).
  static Result<std::shared_ptr<const Certificate>> fromPem(std::string_view pem);
  ~Certificate();
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  /// Private key (PKCS #8, not encrypted) and certificate. Keep it secret.
  std::string toPem() const;
  /// Milliseconds since 1970, as RTCCertificate.expires.
  int64_t expiresUnixMillis() const { return expiresUnixMillis_; }
  bool expiredAt(int64_t unixNanos) const { return unixNanos / 1'000'000 >= expiresUnixMillis_; }
  /// For `a=fingerprint`: one, with SHA-256.
  const std::vector<Fingerprint>& fingerprints() const { return fingerprints_; }
  ByteSpan der() const { return der_; }

  /// For dtls::Connection only; null if OpenSSL fails.
  std::shared_ptr<const SslContext> sslContext() const;

 private:
  Certificate();
  static Result<std::shared_ptr<const Certificate>> wrap(crypto::Identity identity,
                                                         std::optional<KeyType> bytesOnly);
  bool keepContext(crypto::Identity identity);
  bool keepBytes(const evp_pkey_st& key, KeyType type);
  crypto::Identity identityFromBytes() const;

  // Either both of these, or the key's bytes, from which they are made anew when needed.
  std::unique_ptr<crypto::Identity> identity_;
  std::shared_ptr<const SslContext> sslContext_;
  Bytes keyDer_;
  KeyType keyType_ = KeyType::EcdsaP256;

  Bytes der_;
  std::vector<Fingerprint> fingerprints_;
  int64_t expiresUnixMillis_ = 0;
};

}  // namespace parley::dtls
