#include "dtls/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "crypto/x509.h"
#include "dtls/tls_session.h"

namespace parley::dtls {
namespace {

// RFC 9325 section 4.2: forward secrecy and AEAD only. TLS 1.3 suites are OpenSSL's own.
constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

/// Our questions to OpenSSL leave nothing in its per-thread queue.
struct ErrorQueueScope {
  ~ErrorQueueScope() { ERR_clear_error(); }
};

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

BioPtr readBio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Without a callback OpenSSL would ask for a passphrase on the terminal.
int noPassphrase(char*, int, int, void*) {
  return -1;
}

bool addRoots(SSL_CTX* context, std::string_view pem) {
  const BioPtr in = readBio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  size_t count = 0;
  while (X509* certificate = PEM_read_bio_X509(in.get(), nullptr, noPassphrase, nullptr)) {
    const bool added = X509_STORE_add_cert(store, certificate) == 1;
    X509_free(certificate);
    if (!added) return false;
    ++count;
  }
  return count > 0;
}

bool useChain(SSL_CTX* context, std::string_view pem) {
  const BioPtr in = readBio(pem);
  X509* own = PEM_read_bio_X509(in.get(), nullptr, noPassphrase, nullptr);
  if (own == nullptr) return false;
  const bool used = SSL_CTX_use_certificate(context, own) == 1;
  X509_free(own);
  while (X509* link = PEM_read_bio_X509(in.get(), nullptr, noPassphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, link) != 1) {
      X509_free(link);
      return false;
    }
  }
  return used;
}

bool useKey(SSL_CTX* context, std::string_view pem) {
  const BioPtr in = readBio(pem);
  const crypto::PrivateKeyPtr key(
      PEM_read_bio_PrivateKey(in.get(), nullptr, noPassphrase, nullptr));
  return key && SSL_CTX_use_PrivateKey(context, key.get()) == 1 &&
         SSL_CTX_check_private_key(context) == 1;
}

/// What both sides share. Null if OpenSSL lacks memory.
std::unique_ptr<TlsContext::State> makeState(TlsTransport transport, bool server) {
  auto state = std::make_unique<TlsContext::State>();
  state->transport = transport;
  state->server = server;
  state->bioMethod = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "parley tls");
  const bool stream = transport == TlsTransport::Stream;
  state->context = SSL_CTX_new(stream ? TLS_method() : DTLS_method());
  if (state->bioMethod == nullptr || state->context == nullptr ||
      !TlsSessionCore::fillBioMethod(state->bioMethod)) {
    return nullptr;
  }
  SSL_CTX* context = state->context;
  constexpr uint64_t kOptions = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                SSL_OP_IGNORE_UNEXPECTED_EOF;
  SSL_CTX_set_options(context, kOptions);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  const bool done =
      SSL_CTX_set_min_proto_version(context, stream ? TLS1_2_VERSION : DTLS1_2_VERSION) == 1 &&
      SSL_CTX_set_cipher_list(context, kCiphers) == 1;
  return done ? std::move(state) : nullptr;
}

}  // namespace

TlsContext::State::~State() {
  SSL_CTX_free(context);
  BIO_meth_free(bioMethod);
}

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

TlsTransport TlsContext::transport() const {
  return state_->transport;
}
bool TlsContext::isServer() const {
  return state_->server;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientOptions& options) {
  const ErrorQueueScope scope;
  auto state = makeState(options.transport, false);
  if (!state) return fail(ErrorCode::Operation, "OpenSSL could not set up TLS");
  state->verify = options.verifyPeer;
  if (options.verifyPeer) {
    if (options.roots.empty()) {
      SSL_CTX_set_default_verify_paths(state->context);
    } else if (!addRoots(state->context, options.roots)) {
      return fail(ErrorCode::Syntax, "the root certificates are not PEM text");
    }
    SSL_CTX_set_verify(state->context, SSL_VERIFY_PEER, nullptr);
  } else {
    SSL_CTX_set_verify(state->context, SSL_VERIFY_NONE, nullptr);
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerOptions& options) {
  const ErrorQueueScope scope;
  auto state = makeState(options.transport, true);
  if (!state) return fail(ErrorCode::Operation, "OpenSSL could not set up TLS");
  if (!useChain(state->context, options.certificateChain)) {
    return fail(ErrorCode::Syntax, "the certificate chain is not PEM text with certificates");
  }
  const std::string& key =
      options.privateKey.empty() ? options.certificateChain : options.privateKey;
  if (!useKey(state->context, key)) {
    return fail(ErrorCode::Syntax,
                "the private key is not PEM text or not that of the certificate");
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

}  // namespace parley::dtls
