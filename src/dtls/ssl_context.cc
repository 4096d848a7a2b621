#include "dtls/ssl_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "dtls/ssl_session.h"

namespace parley::dtls {
namespace {

// RFC 9325 section 4: forward secrecy and AEAD only. The first is the one that RFC 8827 section 6.5
// requires of everybody.
constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr char kSignatures[] =
    "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:"
    "ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512:ed25519";

}  // namespace

std::shared_ptr<const SslContext> SslContext::create(const crypto::Identity& identity) {
  std::shared_ptr<SslContext> made(new SslContext);
  const bool configured = made->configure(identity);
  ERR_clear_error();
  return configured ? made : nullptr;
}

SslContext::~SslContext() {
  SSL_CTX_free(context_);
  BIO_meth_free(bioMethod_);
}

bool SslContext::configure(const crypto::Identity& identity) {
  if (!identity) return false;
  // No index from BIO_get_new_index(): there are 127 per process, and nobody looks for our type.
  bioMethod_ = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "parley datagrams");
  context_ = SSL_CTX_new(DTLS_method());
  if (bioMethod_ == nullptr || context_ == nullptr) return false;
  if (!SslSession::fillBioMethod(bioMethod_)) return false;

  constexpr uint64_t kOptions = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE;
  SSL_CTX_set_options(context_, kOptions);
  // No resumption: it would skip the certificate, and with it the fingerprint (RFC 8842
  // section 5.1).
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  constexpr long kMaxCertificateMessage = 16 * 1024;
  SSL_CTX_set_max_cert_list(context_, kMaxCertificateMessage);
  // Our own chain is self-signed; the peer's is judged by SslSession::verify.
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context_, SslSession::verify, nullptr);
  SSL_CTX_set_info_callback(context_, SslSession::onInfo);

  return SSL_CTX_set_min_proto_version(context_, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context_, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context_, kCiphers) == 1 &&
         SSL_CTX_set1_groups_list(context_, kGroups) == 1 &&
         SSL_CTX_set1_sigalgs_list(context_, kSignatures) == 1 &&
         SSL_CTX_use_certificate(context_, identity.certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(context_, identity.key.get()) == 1;
}

}  // namespace parley::dtls
