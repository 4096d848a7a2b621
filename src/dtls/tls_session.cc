#include "dtls/tls_session.h"

#include <algorithm>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "parley/base/address.h"
#include "parley/base/machine.h"

namespace parley::dtls {
namespace {

static_assert(Machine<TlsSession>);

constexpr size_t kMaxQueued = 256;
constexpr size_t kMtu = 1200;
/// Record header, explicit nonce and tag of DTLS 1.2 with an AEAD cipher.
constexpr size_t kRecordOverhead = 13 + 8 + 16;

TlsSessionCore* coreOf(BIO* bio) {
  return static_cast<TlsSessionCore*>(BIO_get_data(bio));
}

}  // namespace

TlsSessionCore::TlsSessionCore(Environment& environment, std::shared_ptr<const TlsContext> context,
                               std::string serverName)
    : env_(environment),
      context_(std::move(context)),
      serverName_(std::move(serverName)),
      ciphertext_(kMaxQueued),
      plaintext_(kMaxQueued),
      port_(environment.pool, kMtu, kMaxQueued) {}

TlsSessionCore::~TlsSessionCore() {
  SSL_free(ssl_);
}

void TlsSessionCore::start(Timestamp now) {
  enter(now);
  if (state_ != State::New) return;
  state_ = State::Handshaking;
  handshakeDeadline_ = clock_.last() + TlsSession::kHandshakeTimeout;
  ERR_clear_error();
  if (!open(clock_.last())) {
    fail("OpenSSL could not set up a session");
    return;
  }
  handshake();
}

bool TlsSessionCore::open(Timestamp now) {
  ssl_ = SSL_new(context_->state().context);
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(context_->state().bioMethod);
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  if (!isStream()) {
    DTLS_set_timer_cb(ssl_, onTimer);
    SSL_set_mtu(ssl_, static_cast<long>(kMtu - kRecordOverhead));
  }
  if (context_->isServer()) {
    SSL_set_accept_state(ssl_);
    return true;
  }
  SSL_set_connect_state(ssl_);
  return expectName(now);
}

/// RFC 6125: the certificate must be for the name that the user wrote, not for what DNS or a
/// redirection made of it (RFC 8489 section 10 keeps it, too).
bool TlsSessionCore::expectName(Timestamp now) {
  const bool literal = IpAddress::parse(serverName_).has_value();
  if (!literal && !serverName_.empty() &&
      SSL_set_tlsext_host_name(ssl_, serverName_.c_str()) != 1) {
    return false;
  }
  if (!context_->state().verify) return true;
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_);
  // The time that counts is the one that we are told. Without any, OpenSSL looks at the clock.
  const int64_t unixSeconds = env_.wallClock.unixNanosAt(now) / 1'000'000'000;
  if (env_.wallClock.unixNanos != 0)
    X509_VERIFY_PARAM_set_time(expected, static_cast<time_t>(unixSeconds));
  if (literal) return X509_VERIFY_PARAM_set1_ip_asc(expected, serverName_.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(expected, serverName_.data(), serverName_.size()) == 1;
}

void TlsSessionCore::handshake() {
  FlightScope flight(port_);
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (!isStream()) timer_.settle(ssl_);
  if (result != 1) {
    endedBy(result);
    return;
  }
  state_ = State::Connected;
  handshakeDeadline_ = Timestamp::never();
}

void TlsSessionCore::handleBytes(ByteSpan bytes, Timestamp now) {
  enter(now);
  if (ssl_ == nullptr || ended()) return;
  inbound_ = bytes;
  if (!isStream()) port_.deliver(bytes);
  if (state_ == State::Handshaking) handshake();
  if (state_ == State::Connected) readAll();
  inbound_ = {};
  port_.withdraw();
}

void TlsSessionCore::readAll() {
  FlightScope flight(port_);  // the last flight, if the peer repeats its own
  for (;;) {
    PacketBuf data = env_.pool.allocate();
    if (!data) {
      if (isStream()) fail("no packet buffer left");
      return;
    }
    ERR_clear_error();
    const int result = SSL_read(ssl_, data.data(), static_cast<int>(PacketBuf::kMaxPayload));
    if (result <= 0) {
      endedBy(result);
      return;
    }
    data.resize(static_cast<size_t>(result));
    if (!plaintext_.push(std::move(data)) && isStream()) {
      fail("plaintext was not taken");
      return;
    }
  }
}

bool TlsSessionCore::send(ByteSpan plaintext, Timestamp now) {
  enter(now);
  if (state_ != State::Connected || plaintext.empty()) return false;
  ERR_clear_error();
  const int result = SSL_write(ssl_, plaintext.data(), static_cast<int>(plaintext.size()));
  if (result > 0 && !overflow_) return true;
  if (overflow_) {
    fail("ciphertext was not taken");
  } else {
    endedBy(result);
  }
  return false;
}

void TlsSessionCore::close(Timestamp now) {
  enter(now);
  if (ended()) return;
  if (state_ == State::Connected) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  state_ = State::Closed;
  handshakeDeadline_ = Timestamp::never();
}

bool TlsSessionCore::endedBy(int result) {
  const int error = SSL_get_error(ssl_, result);
  const unsigned long detail = ERR_peek_error();
  ERR_clear_error();
  if (overflow_) {
    fail("ciphertext was not taken");
    return true;
  }
  switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return false;
    case SSL_ERROR_ZERO_RETURN:
      state_ = State::Closed;
      handshakeDeadline_ = Timestamp::never();
      return true;
    default:
      // Over datagrams anybody can send rubbish, about which OpenSSL may leave a remark: only a
      // session that OpenSSL itself gave up is over.
      if (!isStream() && SSL_is_init_finished(ssl_) == 1) return false;
      fail(reasonFor(detail));
      return true;
  }
}

std::string TlsSessionCore::reasonFor(unsigned long error) const {
  const long verified = SSL_get_verify_result(ssl_);
  if (context_->state().verify && !context_->isServer() && verified != X509_V_OK)
    return std::string("certificate: ") + X509_verify_cert_error_string(verified);
  const char* text = ERR_reason_error_string(error);
  return text == nullptr ? "the connection was cut off" : text;
}

void TlsSessionCore::fail(std::string reason) {
  if (ended()) return;
  state_ = State::Failed;
  error_ = std::move(reason);
  handshakeDeadline_ = Timestamp::never();
  PARLEY_LOG(env_.log, Info, "tls", "%s", error_.c_str());
}

bool TlsSessionCore::pollTransmit(PacketBuf& out) {
  if (!isStream()) return port_.poll(out);
  if (ciphertext_.empty()) return false;
  out = ciphertext_.pop();
  return true;
}

bool TlsSessionCore::pollData(PacketBuf& out) {
  if (plaintext_.empty()) return false;
  out = plaintext_.pop();
  return true;
}

void TlsSessionCore::advance(Timestamp now) {
  enter(now);
  if (state_ != State::Handshaking) return;
  if (clock_.last() >= handshakeDeadline_) {
    fail("the handshake takes too long");
  } else if (!isStream() && clock_.last() >= timer_.deadline()) {
    FlightScope flight(port_);
    ERR_clear_error();
    if (timer_.fire(ssl_, RetransmitTimer::Backoff::Double) < 0) endedBy(-1);
  }
}

Timestamp TlsSessionCore::nextDeadline() const {
  if (state_ != State::Handshaking) return Timestamp::never();
  return isStream() ? handshakeDeadline_ : earliest(handshakeDeadline_, timer_.deadline());
}

// ---- OpenSSL's side ----

bool TlsSessionCore::fillBioMethod(BIO_METHOD* method) {
  return BIO_meth_set_read(method, onBioRead) == 1 && BIO_meth_set_write(method, onBioWrite) == 1 &&
         BIO_meth_set_ctrl(method, onBioControl) == 1;
}

int TlsSessionCore::onBioRead(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  TlsSessionCore& core = *coreOf(bio);
  const MutableByteSpan room(reinterpret_cast<uint8_t*>(out), static_cast<size_t>(size));
  size_t taken;
  if (core.isStream()) {
    taken = std::min(room.size(), core.inbound_.size());
    if (taken > 0) std::memcpy(room.data(), core.inbound_.data(), taken);
    core.inbound_ = core.inbound_.subspan(taken);
  } else {
    taken = core.port_.read(room);
  }
  if (taken != 0) return static_cast<int>(taken);
  BIO_set_retry_read(bio);
  return -1;
}

int TlsSessionCore::onBioWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  TlsSessionCore& core = *coreOf(bio);
  const ByteSpan bytes(reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size));
  if (core.isStream()) {
    core.writeStream(bytes);
  } else {
    core.port_.write(bytes);
  }
  return size;
}

void TlsSessionCore::writeStream(ByteSpan bytes) {
  while (!bytes.empty()) {
    PacketBuf piece = env_.pool.allocate();
    const size_t size = piece ? std::min(bytes.size(), piece.writable().size()) : 0;
    if (size == 0 || ciphertext_.full()) {
      overflow_ = true;
      return;
    }
    piece.resize(size);
    std::memcpy(piece.data(), bytes.data(), size);
    ciphertext_.push(std::move(piece));
    bytes = bytes.subspan(size);
  }
}

long TlsSessionCore::onBioControl(BIO* bio, int command, long, void* pointer) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
      coreOf(bio)->timer_.onNextTimeout(static_cast<timeval*>(pointer));
      return 1;
    default:
      return 0;
  }
}

unsigned TlsSessionCore::onTimer(SSL* ssl, unsigned previous) {
  return static_cast<TlsSessionCore*>(SSL_get_app_data(ssl))->timer_.durationFor(previous);
}

// ---- the public face ----

TlsSession::TlsSession(Environment& environment, std::shared_ptr<const TlsContext> context,
                       std::string serverName)
    : core_(std::make_unique<TlsSessionCore>(environment, std::move(context),
                                             std::move(serverName))) {}
TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;

void TlsSession::start(Timestamp now) {
  core_->start(now);
}
void TlsSession::handleBytes(ByteSpan bytes, Timestamp now) {
  core_->handleBytes(bytes, now);
}
bool TlsSession::send(ByteSpan plaintext, Timestamp now) {
  return core_->send(plaintext, now);
}
void TlsSession::close(Timestamp now) {
  core_->close(now);
}
bool TlsSession::pollTransmit(PacketBuf& out) {
  return core_->pollTransmit(out);
}
bool TlsSession::pollData(PacketBuf& out) {
  return core_->pollData(out);
}
TlsSession::State TlsSession::state() const {
  return core_->state();
}
const std::string& TlsSession::error() const {
  return core_->error();
}
void TlsSession::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp TlsSession::nextDeadline() const {
  return core_->nextDeadline();
}

}  // namespace parley::dtls
