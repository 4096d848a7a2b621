#pragma once

#include <memory>

#include <openssl/bio.h>
#include <openssl/types.h>

#include "crypto/x509.h"

namespace parley::dtls {

/// What all connections with one certificate share: the SSL_CTX with our DTLS policy, and the
/// datagram BIO's method table. Immutable once made.
class SslContext {
 public:
  /// Null if OpenSSL refuses the identity or lacks memory.
  static std::unique_ptr<SslContext> create(crypto::Identity identity);
  ~SslContext();
  SslContext(const SslContext&) = delete;
  SslContext& operator=(const SslContext&) = delete;

  /// OpenSSL counts references atomically, so a const context can be used from several threads.
  SSL_CTX* get() const { return context_; }
  const BIO_METHOD* bioMethod() const { return bioMethod_; }
  const crypto::Identity& identity() const { return identity_; }

 private:
  SslContext() = default;
  bool configure();

  crypto::Identity identity_;
  SSL_CTX* context_ = nullptr;
  BIO_METHOD* bioMethod_ = nullptr;
};

}  // namespace parley::dtls
