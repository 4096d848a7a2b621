#include "parley/dtls/connection.h"

#include <algorithm>
#include <array>

#include "parley/base/check.h"
#include "parley/base/ring_queue.h"
#include "parley/base/sequence_checker.h"

#include "dtls/datagram_port.h"
#include "dtls/record_filter.h"
#include "dtls/retransmit_timer.h"
#include "dtls/ssl_session.h"

namespace parley::dtls {
namespace {

constexpr size_t kMinMtu = 300;
constexpr size_t kMaxUnverifiedData = 64;

}  // namespace

const char* toString(State state) {
  switch (state) {
    case State::New:
      return "new";
    case State::Connecting:
      return "connecting";
    case State::Connected:
      return "connected";
    case State::Closed:
      return "closed";
    case State::Failed:
      return "failed";
  }
  return "";
}

const char* toString(Reason reason) {
  switch (reason) {
    case Reason::None:
      return "none";
    case Reason::LocalClose:
      return "closed here";
    case Reason::RemoteClose:
      return "closed by the peer";
    case Reason::HandshakeTimeout:
      return "handshake timed out";
    case Reason::HandshakeFailed:
      return "handshake failed";
    case Reason::CertificateRejected:
      return "peer's certificate rejected";
    case Reason::PeerAlert:
      return "fatal alert from the peer";
    case Reason::InternalError:
      return "internal error";
  }
  return "";
}

class Connection::Impl {
 public:
  Impl(Environment& environment, Config config);

  void setRemoteFingerprints(std::vector<Fingerprint> fingerprints, Timestamp now);
  void start(Role role, Timestamp now);
  void resendFlightNow(Timestamp now);
  void handlePacket(ByteSpan datagram, Timestamp now);
  Result<void> send(ByteSpan data, Timestamp now);
  void close(Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  std::optional<crypto::SrtpKeying> srtpKeying() const;
  Counters counters() const;
  bool pollData(PacketBuf& out);

  size_t maxDataSize() const { return config_.mtu - kRecordOverhead; }

  Environment& environment_;
  Config config_;
  mutable SequenceChecker checker_;
  RetransmitTimer timer_;
  DatagramPort port_;
  RingQueue<PacketBuf> early_;
  RingQueue<PacketBuf> data_;
  RingQueue<Event> events_{8};
  State state_ = State::New;
  Role role_ = Role::Client;
  Bytes remoteCertificate_;
  std::string cipherName_;
  std::string tlsVersion_;
  std::string groupName_;
  std::optional<crypto::SrtpProfile> srtpProfile_;

 private:
  void enter(Timestamp now) { timer_.setNow(clock_.clamp(now)); }
  bool shakingHands() const { return state_ == State::Connecting && !handshakeDone_; }
  void process(ByteSpan datagram);
  void pump();
  void onHandshakeDone();
  void readData();
  void takeCertificate();
  void verifyPeer();
  void handle(SslSession::Outcome outcome);
  void setState(State state, Reason reason);
  void end(State state, Reason reason);
  Reason reasonForFailure() const;
  size_t recordBudget();

  Counters counters_;
  MonotonicGuard clock_;
  std::optional<std::vector<Fingerprint>> expected_;
  std::unique_ptr<SslSession> session_;  ///< from start() until the end
  Timestamp handshakeDeadline_ = Timestamp::never();
  Timestamp rateWindowStart_;
  size_t recordsInWindow_ = 0;
  bool handshakeDone_ = false;
};

Connection::Impl::Impl(Environment& environment, Config config)
    : environment_(environment),
      config_([&] {
        config.mtu = std::clamp(config.mtu, kMinMtu, PacketBuf::kMaxPayload);
        return std::move(config);
      }()),
      port_(environment.pool, config_.mtu, environment.limits.maxQueuedTransmits),
      early_(environment.limits.maxQueuedDtlsPackets),
      data_(environment.limits.maxQueuedTransmits) {
  PARLEY_CHECK(config_.certificate != nullptr);
}

void Connection::Impl::setState(State state, Reason reason) {
  state_ = state;
  PARLEY_LOG(environment_.log, Info, "dtls", "%s (%s)", toString(state), toString(reason));
  Event event{state, reason, {}, {}};
  if (session_ && state == State::Failed) {
    event.sentAlert = session_->sentAlert();
    event.receivedAlert = session_->receivedAlert();
  }
  events_.push(event);  // each state is entered once, so there is always room
}

/// Closed and Failed: keys, contexts and everything the peer was not allowed to deliver go away (a
/// failed certificate check must leave nothing usable).
void Connection::Impl::end(State state, Reason reason) {
  if (state_ == State::Closed || state_ == State::Failed) return;
  const bool wasConnected = state_ == State::Connected;
  if (session_ && state == State::Failed) {
    PARLEY_LOG(environment_.log, Warning, "dtls", "failed: %s: %s", toString(reason),
               session_->errorText());
  }
  takeCertificate();
  setState(state, reason);
  if (!wasConnected || reason == Reason::CertificateRejected) data_.clear();
  early_.clear();
  session_.reset();
}

void Connection::Impl::takeCertificate() {
  if (!session_ || !remoteCertificate_.empty()) return;
  remoteCertificate_ = session_->takePeerCertificate();
}

Reason Connection::Impl::reasonForFailure() const {
  if (session_->certificateRejected()) return Reason::CertificateRejected;
  if (session_->receivedAlert()) return Reason::PeerAlert;
  if (role_ == Role::Server && session_->failedForLackOfCertificate()) {
    return Reason::CertificateRejected;
  }
  return Reason::HandshakeFailed;
}

void Connection::Impl::handle(SslSession::Outcome outcome) {
  if (outcome == SslSession::Outcome::Fatal) {
    end(State::Failed, reasonForFailure());
  } else if (outcome == SslSession::Outcome::PeerClosed) {
    session_->shutdown();  // RFC 5246 section 7.2.1: answer with a close_notify
    end(State::Closed, Reason::RemoteClose);
  }
}

void Connection::Impl::setRemoteFingerprints(std::vector<Fingerprint> fingerprints, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  expected_ = std::move(fingerprints);
  if (handshakeDone_) verifyPeer();
}

/// The gate of RFC 8827 section 6.5, for both orders of handshake and signalling.
void Connection::Impl::verifyPeer() {
  if (!session_ || !expected_) return;
  if (!matchesCertificate(*expected_, remoteCertificate_)) {
    // OpenSSL can send no other alert once its handshake is done.
    session_->shutdown();
    end(State::Failed, Reason::CertificateRejected);
  } else if (state_ == State::Connecting) {
    setState(State::Connected, Reason::None);
  }
}

void Connection::Impl::start(Role role, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  if (state_ != State::New) return;
  enter(now);
  role_ = role;
  handshakeDeadline_ = clock_.last() + config_.handshakeTimeout;
  session_ =
      std::make_unique<SslSession>(config_.certificate->sslContext(), port_, timer_, expected_);
  setState(State::Connecting, Reason::None);
  if (!session_->open(role, config_.mtu, config_.srtpProfiles)) {
    end(State::Failed, Reason::InternalError);
    return;
  }
  pump();
  while (!early_.empty()) {
    const PacketBuf packet = early_.pop();
    process(packet.span());
  }
}

void Connection::Impl::resendFlightNow(Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (shakingHands() && timer_.mayRepeatEarly()) handle(session_->fireTimer(true));
}

void Connection::Impl::handlePacket(ByteSpan datagram, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  ++counters_.datagramsReceived;
  const bool ended = state_ == State::Closed || state_ == State::Failed;
  if (ended || datagram.empty() || datagram.size() > PacketBuf::kSlotSize) {
    ++counters_.datagramsDropped;
  } else if (state_ == State::New) {
    PacketBuf copy = environment_.pool.copyOf(datagram);
    if (!copy || !early_.push(std::move(copy))) ++counters_.datagramsDropped;
  } else {
    process(datagram);
  }
}

/// Before the handshake is done a record costs OpenSSL memory (reassembly) and perhaps a signature.
size_t Connection::Impl::recordBudget() {
  const Timestamp now = clock_.last();
  if (now - rateWindowStart_ >= Duration::seconds(1)) {
    rateWindowStart_ = now;
    recordsInWindow_ = 0;
  }
  const size_t limit = environment_.limits.maxDtlsRecordsPerSecond;
  return limit - std::min(limit, recordsInWindow_);
}

void Connection::Impl::process(ByteSpan datagram) {
  if (!session_) return;
  std::array<uint8_t, PacketBuf::kSlotSize> filtered;
  const size_t budget = handshakeDone_ ? datagram.size() : recordBudget();
  const FilterResult result = filterRecords(datagram, role_, handshakeDone_, budget, filtered);
  counters_.recordsDropped += result.dropped;
  recordsInWindow_ += result.kept;
  if (result.size == 0) return;
  port_.deliver(ByteSpan(filtered).first(result.size));
  pump();
  port_.withdraw();
}

void Connection::Impl::pump() {
  if (!handshakeDone_) {
    const SslSession::Outcome outcome = session_->handshake();
    takeCertificate();
    if (outcome == SslSession::Outcome::Ok) {
      onHandshakeDone();
    } else {
      handle(outcome);
    }
  }
  if (handshakeDone_) readData();
}

void Connection::Impl::onHandshakeDone() {
  handshakeDone_ = true;
  if (!session_->hasExtendedMasterSecret()) {
    // RFC 7627 section 5.4: without it the keys do not prove which handshake made them.
    session_->shutdown();
    end(State::Failed, Reason::HandshakeFailed);
    return;
  }
  srtpProfile_ = session_->srtpProfile();
  cipherName_ = session_->cipherName();
  tlsVersion_ = session_->tlsVersion();
  groupName_ = session_->groupName();
  verifyPeer();
}

void Connection::Impl::readData() {
  while (session_) {
    std::array<uint8_t, 512> scratch;
    PacketBuf packet = environment_.pool.allocate();
    const MutableByteSpan room = packet ? packet.writable() : MutableByteSpan(scratch);
    const SslSession::Read read = session_->read(room);
    if (read.outcome != SslSession::Outcome::Ok) {
      handle(read.outcome);
      return;
    }
    ++counters_.dataReceived;
    const bool mayHold = state_ == State::Connected || data_.size() < kMaxUnverifiedData;
    if (packet) packet.resize(read.size);
    if (!packet || read.truncated || !mayHold || !data_.push(std::move(packet))) {
      ++counters_.dataDropped;
    }
  }
}

Result<void> Connection::Impl::send(ByteSpan data, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (state_ != State::Connected) {
    return fail(ErrorCode::InvalidState, "DTLS is not connected.");
  }
  if (data.empty() || data.size() > maxDataSize()) {
    return fail(ErrorCode::Range, "A DTLS record must hold 1 to maxDataSize() octets.");
  }
  handle(session_->write(data));
  if (state_ == State::Connected) return ok();
  return fail(ErrorCode::Operation, "DTLS failed while sealing a record.");
}

void Connection::Impl::close(Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (session_ && handshakeDone_) session_->shutdown();
  end(State::Closed, Reason::LocalClose);
}

bool Connection::Impl::pollData(PacketBuf& out) {
  // Data of a connection that was verified may still be read when it has ended.
  const bool withheld = state_ == State::New || state_ == State::Connecting;
  if (withheld || data_.empty()) return false;
  out = data_.pop();
  return true;
}

void Connection::Impl::advance(Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (!shakingHands()) return;
  if (clock_.last() >= handshakeDeadline_) {
    end(State::Failed, Reason::HandshakeTimeout);
  } else if (clock_.last() >= timer_.deadline()) {
    handle(session_->fireTimer(false));
  }
}

Timestamp Connection::Impl::nextDeadline() const {
  return shakingHands() ? earliest(handshakeDeadline_, timer_.deadline()) : Timestamp::never();
}

std::optional<crypto::SrtpKeying> Connection::Impl::srtpKeying() const {
  if (state_ != State::Connected) return std::nullopt;
  return session_->exportKeying();
}

Counters Connection::Impl::counters() const {
  Counters counters = counters_;
  counters.datagramsSent = port_.sent();
  counters.sendDropped = port_.dropped();
  counters.flightsRetransmitted = timer_.retransmissions();
  return counters;
}

Connection::Connection(Environment& environment, Config config)
    : impl_(std::make_unique<Impl>(environment, std::move(config))) {}
Connection::~Connection() = default;

void Connection::setRemoteFingerprints(std::vector<Fingerprint> fingerprints, Timestamp now) {
  impl_->setRemoteFingerprints(std::move(fingerprints), now);
}
void Connection::start(Role role, Timestamp now) {
  impl_->start(role, now);
}
void Connection::setRttHint(Duration rtt) {
  impl_->timer_.setRttHint(rtt);
}
void Connection::resendFlightNow(Timestamp now) {
  impl_->resendFlightNow(now);
}
void Connection::handlePacket(ByteSpan datagram, Timestamp now) {
  impl_->handlePacket(datagram, now);
}
Result<void> Connection::send(ByteSpan data, Timestamp now) {
  return impl_->send(data, now);
}
size_t Connection::maxDataSize() const {
  return impl_->maxDataSize();
}
void Connection::close(Timestamp now) {
  impl_->close(now);
}
bool Connection::pollTransmit(PacketBuf& out) {
  return impl_->port_.poll(out);
}
bool Connection::pollData(PacketBuf& out) {
  return impl_->pollData(out);
}
bool Connection::pollEvent(Event& out) {
  if (impl_->events_.empty()) return false;
  out = impl_->events_.pop();
  return true;
}
void Connection::advance(Timestamp now) {
  impl_->advance(now);
}
Timestamp Connection::nextDeadline() const {
  return impl_->nextDeadline();
}
State Connection::state() const {
  return impl_->state_;
}
Role Connection::role() const {
  return impl_->role_;
}
std::optional<crypto::SrtpKeying> Connection::srtpKeying() const {
  return impl_->srtpKeying();
}
std::optional<crypto::SrtpProfile> Connection::srtpProfile() const {
  return impl_->srtpProfile_;
}
const Bytes& Connection::remoteCertificateDer() const {
  return impl_->remoteCertificate_;
}
const std::string& Connection::cipherName() const {
  return impl_->cipherName_;
}
const std::string& Connection::tlsVersion() const {
  return impl_->tlsVersion_;
}
const std::string& Connection::groupName() const {
  return impl_->groupName_;
}
Counters Connection::counters() const {
  return impl_->counters();
}

}  // namespace parley::dtls
