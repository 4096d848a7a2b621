#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "parley/base/bytes.h"

// Keys and certificates in OpenSSL's types, for the dtls layer. EVP interfaces only.

namespace parley::crypto {

struct X509Deleter {
  void operator()(X509* certificate) const;
  void operator()(EVP_PKEY* key) const;
};
using X509Ptr = std::unique_ptr<X509, X509Deleter>;
using PrivateKeyPtr = std::unique_ptr<EVP_PKEY, X509Deleter>;

enum class KeyAlgorithm : uint8_t { EcdsaP256, Rsa2048 };

/// A private key and a certificate for its public half. Both set, or neither.
struct Identity {
  PrivateKeyPtr key;
  X509Ptr certificate;
  explicit operator bool() const { return key && certificate; }
};

struct SelfSignedRequest {
  KeyAlgorithm algorithm = KeyAlgorithm::EcdsaP256;
  Bytes serial;  ///< big-endian magnitude, 1 to 20 octets (RFC 5280 section 4.1.2.2)
  std::string commonName;
  int64_t notBeforeUnixSeconds = 0;
  int64_t notAfterUnixSeconds = 0;
};

/// Makes a key pair and a self-signed X.509 v3 certificate (SHA-256). Empty if OpenSSL cannot.
Identity makeSelfSigned(const SelfSignedRequest& request);

/// One certificate and one unencrypted private key from PEM text, in either order. Empty when one
/// is missing, encrypted, malformed, or when they do not belong together.
Identity identityFromPem(std::string_view pem);

/// The private key (PKCS #8, not encrypted) followed by the certificate. Empty if OpenSSL cannot.
std::string identityToPem(const Identity& identity);

Bytes derOf(const X509& certificate);
/// The private key alone (PKCS #8 or the older form of its kind, not encrypted); wipe it after use.
/// Empty if OpenSSL cannot.
Bytes derOf(const EVP_PKEY& key);
/// From what both derOf() gave. Empty if they do not parse or do not belong together.
Identity identityFromDer(KeyAlgorithm algorithm, ByteSpan key, ByteSpan certificate);
std::optional<int64_t> notAfterUnixSeconds(const X509& certificate);

/// Whether the public key is one worth trusting for a session: RSA of 2048 bits or more, or an
/// elliptic curve (also Ed25519) of 250 bits or more.
bool hasStrongKey(const X509& certificate);

/// The hash named as SDP names it ("sha-256", RFC 8122 section 5) in lower case; nullopt for names
/// other than sha-1, sha-224, sha-256, sha-384 and sha-512. MD2 and MD5 are forbidden there.
std::optional<Bytes> digestByName(std::string_view name, ByteSpan message);
/// Octets of that hash, 0 for a name that digestByName does not know.
size_t digestSizeByName(std::string_view name);

}  // namespace parley::crypto
