#pragma once

#include <memory>

#include <openssl/bio.h>
#include <openssl/types.h>

#include "crypto/x509.h"

namespace parley::dtls {

/// What handshakes with one certificate share: the SSL_CTX with our DTLS policy, and the datagram
/// BIO's method table. Immutable once made.
class SslContext {
 public:
  /// Null if OpenSSL refuses the identity or lacks memory.
  static std::shared_ptr<const SslContext> create(const crypto::Identity& identity);
  ~SslContext();
  SslContext(const SslContext&) = delete;
  SslContext& operator=(const SslContext&) = delete;

  /// OpenSSL counts references atomically, so a const context can be used from several threads.
  SSL_CTX* get() const { return context_; }
  const BIO_METHOD* bioMethod() const { return bioMethod_; }

 private:
  SslContext() = default;
  bool configure(const crypto::Identity& identity);

  SSL_CTX* context_ = nullptr;
  BIO_METHOD* bioMethod_ = nullptr;
};

}  // namespace parley::dtls
