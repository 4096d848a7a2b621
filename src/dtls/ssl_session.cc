#include "dtls/ssl_session.h"

#include <array>

#include <openssl/bio.h>
#include <openssl/err.h>
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

SslSession::SslSession(const SslContext& context, DatagramPort& port, RetransmitTimer& timer,
                       const std::optional<std::vector<Fingerprint>>& expected)
    : context_(context), port_(port), timer_(timer), expected_(expected) {}

SslSession::~SslSession() {
  SSL_free(ssl_);
}

bool SslSession::open(Role role, size_t mtu, const std::vector<crypto::SrtpProfile>& srtpProfiles) {
  ERR_clear_error();
  ssl_ = SSL_new(context_.get());
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(context_.bioMethod());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  DTLS_set_timer_cb(ssl_, onTimer);
  // OpenSSL fills a fragment up to its MTU and then adds the record header and, late, the seal.
  SSL_set_mtu(ssl_, static_cast<long>(mtu - Connection::kRecordOverhead));
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

bool SslSession::handshakeDone() const {
  return SSL_is_init_finished(ssl_) == 1;
}

SslSession::Read SslSession::read(MutableByteSpan out) {
  FlightScope flight(port_);  // the last flight, if the peer repeats its own
  ERR_clear_error();
  const int result = SSL_read(ssl_, out.data(), static_cast<int>(out.size()));
  if (result <= 0) return {classify(result), 0, false};
  Read read{Outcome::Ok, static_cast<size_t>(result), false};
  while (SSL_pending(ssl_) > 0) {
    std::array<uint8_t, 512> rest;
    if (SSL_read(ssl_, rest.data(), static_cast<int>(rest.size())) <= 0) break;
    read.truncated = true;
  }
  return read;
}

SslSession::Outcome SslSession::write(ByteSpan data) {
  ERR_clear_error();
  const int result = SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
  return result > 0 ? Outcome::Ok : classify(result);
}

void SslSession::shutdown() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

SslSession::Outcome SslSession::fireTimer(bool restartBackoff) {
  FlightScope flight(port_);
  ERR_clear_error();
  return timer_.fire(ssl_, restartBackoff) < 0 ? classify(-1) : Outcome::Ok;
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
