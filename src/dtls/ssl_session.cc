#include "dtls/ssl_session.h"

#include <array>
#include <cstring>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "parley/crypto/const_time.h"

namespace parley::dtls {
namespace {

const char* openSslName(crypto::SrtpProfile profile) {
  switch (profile) {
    case crypto::SrtpProfile::Aes128CmHmacSha1_80:
      return "SRTP_AES128_CM_SHA1_80";
    case crypto::SrtpProfile::Aes128CmHmacSha1_32:
      return "SRTP_AES128_CM_SHA1_32";
    case crypto::SrtpProfile::AeadAes128Gcm:
      return "SRTP_AEAD_AES_128_GCM";
    case crypto::SrtpProfile::AeadAes256Gcm:
      return "SRTP_AEAD_AES_256_GCM";
  }
  return "";
}

SslSession* sessionOf(const SSL* ssl) {
  return static_cast<SslSession*>(SSL_get_app_data(ssl));
}
SslSession* sessionOf(BIO* bio) {
  return static_cast<SslSession*>(BIO_get_data(bio));
}

}  // namespace

SslSession::SslSession(std::shared_ptr<const SslContext> context, DatagramPort& port,
                       RetransmitTimer& timer,
                       const std::optional<std::vector<Fingerprint>>& expected)
    : context_(std::move(context)), port_(port), timer_(timer), expected_(expected) {}

SslSession::~SslSession() {
  SSL_free(ssl_);
}

bool SslSession::open(Role role, size_t mtu, const std::vector<crypto::SrtpProfile>& srtpProfiles) {
  ERR_clear_error();
  if (!context_) return false;
  ssl_ = SSL_new(context_->get());
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(context_->bioMethod());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  DTLS_set_timer_cb(ssl_, onTimer);
  setMtu(mtu);
  // Also sizes the write buffer: 16 KiB would be wasted on records that fit a datagram.
  SSL_set_max_send_fragment(ssl_, 2048);

  std::string profiles;
  for (crypto::SrtpProfile profile : srtpProfiles) {
    if (!profiles.empty()) profiles += ':';
    profiles += openSslName(profile);
  }
  // This one function of OpenSSL returns 0 for success.
  if (!profiles.empty() && SSL_set_tlsext_use_srtp(ssl_, profiles.c_str()) != 0) return false;

  if (role == Role::Client) {
    SSL_set_connect_state(ssl_);
  } else {
    // Not DTLSv1_listen(): its cookies prove an address that ICE has proven already, and it refuses
    // a fragmented ClientHello, which browsers with post-quantum key shares send.
    SSL_set_accept_state(ssl_);
  }
  return true;
}

SslSession::Outcome SslSession::handshake() {
  FlightScope flight(port_);
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  const Outcome outcome = result == 1 ? Outcome::Ok : classify(result);
  timer_.settle(ssl_);
  return outcome;
}

void SslSession::setMtu(size_t mtu) {
  // OpenSSL fills a fragment up to its MTU and then adds the record header and, late, the seal.
  SSL_set_mtu(ssl_, static_cast<long>(mtu - Connection::kRecordOverhead));
}

void SslSession::shutdown() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

SslSession::Outcome SslSession::fireTimer(RetransmitTimer::Backoff backoff) {
  FlightScope flight(port_);
  ERR_clear_error();
  return timer_.fire(ssl_, backoff) < 0 ? classify(-1) : Outcome::Ok;
}

/// OpenSSL may leave remarks in its error queue about a record that it dropped, and SSL_get_error()
/// then calls a mere lack of input an error. A session that is really dead no longer counts as
/// initialised and refuses to go on; one that is not is asked once more.
SslSession::Outcome SslSession::classify(int result) {
  const auto wants = [&](int error) {
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  };
  const int error = SSL_get_error(ssl_, result);
  if (wants(error)) return Outcome::WantMore;
  if (error == SSL_ERROR_ZERO_RETURN) return Outcome::PeerClosed;
  if (error_ == 0) error_ = ERR_peek_error();
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_) == 1) return Outcome::WantMore;
  const int again = SSL_do_handshake(ssl_);
  if (again == 1) return Outcome::Ok;
  return wants(SSL_get_error(ssl_, again)) ? Outcome::WantMore : Outcome::Fatal;
}

bool SslSession::hasExtendedMasterSecret() const {
  return SSL_get_extms_support(ssl_) == 1;
}

std::optional<crypto::SrtpProfile> SslSession::srtpProfile() const {
  const SRTP_PROTECTION_PROFILE* selected = SSL_get_selected_srtp_profile(ssl_);
  if (selected == nullptr) return std::nullopt;
  for (auto known :
       {crypto::SrtpProfile::Aes128CmHmacSha1_80, crypto::SrtpProfile::Aes128CmHmacSha1_32,
        crypto::SrtpProfile::AeadAes128Gcm, crypto::SrtpProfile::AeadAes256Gcm}) {
    if (static_cast<unsigned long>(known) == selected->id) return known;
  }
  return std::nullopt;
}

std::optional<crypto::SrtpKeying> SslSession::exportKeying() const {
  const auto profile = srtpProfile();
  if (!profile) return std::nullopt;
  // RFC 5764 section 4.2: no context, which is not the same as an empty one.
  constexpr std::string_view kLabel = "EXTRACTOR-dtls_srtp";
  std::array<uint8_t, 4 * crypto::Secret::kMaxSize> exported{};
  const size_t length = crypto::srtpExporterLength(*profile);
  std::optional<crypto::SrtpKeying> keying;
  if (SSL_export_keying_material(ssl_, exported.data(), length, kLabel.data(), kLabel.size(),
                                 nullptr, 0, 0) == 1) {
    keying = crypto::SrtpKeying::fromExporter(*profile, ByteSpan(exported).first(length));
  }
  crypto::wipe(exported);
  return keying;
}

std::optional<RecordKeys> SslSession::recordKeys() const {
  RecordKeys keys;
  size_t keySize = 16, ivSize = 4;
  switch (SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(ssl_))) {
    case NID_aes_128_gcm:
      break;
    case NID_aes_256_gcm:
      keys.aead = RecordKeys::Aead::Aes256Gcm;
      keySize = 32;
      break;
    case NID_chacha20_poly1305:
      keys.aead = RecordKeys::Aead::ChaCha20Poly1305;
      keySize = 32;
      ivSize = 12;
      break;
    default:
      return std::nullopt;  // not offered
  }
  // The client's key, the server's, the client's IV, the server's: an AEAD has no MAC keys.
  std::array<uint8_t, 2 * (32 + 12)> block{};
  const MutableByteSpan used(block.data(), 2 * (keySize + ivSize));
  const bool expanded = expandKeys(used);
  if (expanded) {
    const bool isServer = SSL_is_server(ssl_) == 1;
    RecordKeys::Side& client = isServer ? keys.peer : keys.own;
    RecordKeys::Side& server = isServer ? keys.own : keys.peer;
    const uint8_t* at = block.data();
    const auto take = [&at](uint8_t* out, size_t size) {
      std::memcpy(out, at, size);
      at += size;
    };
    take(client.key.data(), keySize);
    take(server.key.data(), keySize);
    take(client.iv.data(), ivSize);
    take(server.iv.data(), ivSize);
  }
  crypto::wipe(block);
  if (!expanded) return std::nullopt;
  return keys;
}

/// PRF(master_secret, "key expansion", server_random + client_random), RFC 5246 section 6.3.
bool SslSession::expandKeys(MutableByteSpan out) const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  std::array<uint8_t, SSL_MAX_MASTER_KEY_LENGTH> master{};
  std::array<uint8_t, SSL3_RANDOM_SIZE> clientRandom{}, serverRandom{};
  const size_t masterSize =
      SSL_SESSION_get_master_key(SSL_get_session(ssl_), master.data(), master.size());
  SSL_get_client_random(ssl_, clientRandom.data(), clientRandom.size());
  SSL_get_server_random(ssl_, serverRandom.data(), serverRandom.size());
  char label[] = "key expansion";
  auto* digest = const_cast<char*>(EVP_MD_get0_name(SSL_CIPHER_get_handshake_digest(cipher)));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master.data(), masterSize),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, serverRandom.data(),
                                        serverRandom.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, clientRandom.data(),
                                        clientRandom.size()),
      OSSL_PARAM_construct_end()};
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_PRF, nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  const bool derived =
      context != nullptr && EVP_KDF_derive(context, out.data(), out.size(), parameters) == 1;
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  crypto::wipe(master);
  return derived;
}

std::string SslSession::cipherName() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  const char* name = cipher == nullptr ? nullptr : SSL_CIPHER_standard_name(cipher);
  return name == nullptr ? std::string() : name;
}

std::string SslSession::tlsVersion() const {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const unsigned version = static_cast<unsigned>(SSL_version(ssl_));
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[version >> shift & 15];
  return text;
}

std::string SslSession::groupName() const {
  const char* name = SSL_group_to_name(ssl_, static_cast<int>(SSL_get_negotiated_group(ssl_)));
  return name == nullptr ? std::string() : name;
}

bool SslSession::failedForLackOfCertificate() const {
  return ERR_GET_LIB(error_) == ERR_LIB_SSL &&
         ERR_GET_REASON(error_) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

const char* SslSession::errorText() const {
  const char* text = ERR_reason_error_string(error_);
  return text == nullptr ? "no reason given" : text;
}

bool SslSession::fillBioMethod(BIO_METHOD* method) {
  return BIO_meth_set_read(method, onBioRead) == 1 && BIO_meth_set_write(method, onBioWrite) == 1 &&
         BIO_meth_set_ctrl(method, onBioControl) == 1;
}

int SslSession::onBioRead(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  const size_t taken =
      sessionOf(bio)->port_.read({reinterpret_cast<uint8_t*>(out), static_cast<size_t>(size)});
  if (taken != 0) return static_cast<int>(taken);
  BIO_set_retry_read(bio);
  return -1;
}

int SslSession::onBioWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  // A full queue loses the datagram as a network would.
  sessionOf(bio)->port_.write({reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)});
  return size;
}

long SslSession::onBioControl(BIO* bio, int command, long, void* pointer) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
      sessionOf(bio)->timer_.onNextTimeout(static_cast<timeval*>(pointer));
      return 1;
    default:
      return 0;
  }
}

unsigned SslSession::onTimer(SSL* ssl, unsigned previous) {
  return sessionOf(ssl)->timer_.durationFor(previous);
}

void SslSession::onInfo(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_ALERT) == 0) return;
  SslSession* self = sessionOf(ssl);
  if (self == nullptr) return;
  const auto description = static_cast<uint8_t>(value & 0xff);
  ((where & SSL_CB_READ) != 0 ? self->receivedAlert_ : self->sentAlert_) = description;
}

/// Replaces the verification of a chain: there is none, and expiry does not count (RFC 8827 section
/// 6.5). The certificate stands for itself, through its fingerprint.
int SslSession::verify(X509_STORE_CTX* store, void*) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  SslSession* self = sessionOf(ssl);
  const bool accepted = self->acceptCertificate(X509_STORE_CTX_get0_cert(store));
  X509_STORE_CTX_set_error(store, accepted ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
  return accepted ? 1 : 0;
}

bool SslSession::acceptCertificate(const X509* certificate) {
  if (certificate == nullptr) return false;
  peerCertificate_ = crypto::derOf(*certificate);
  const bool accepted = crypto::hasStrongKey(*certificate) &&
                        (!expected_ || matchesCertificate(*expected_, peerCertificate_));
  certificateRejected_ = !accepted;
  return accepted;
}

}  // namespace parley::dtls
