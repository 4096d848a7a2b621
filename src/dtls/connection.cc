#include "parley/dtls/connection.h"

#include <algorithm>
#include <array>

#include "parley/base/check.h"
#include "parley/base/ring_queue.h"
#include "parley/base/sequence_checker.h"

#include "dtls/datagram_port.h"
#include "dtls/record_filter.h"
#include "dtls/record_protection.h"
#include "dtls/retransmit_timer.h"
#include "dtls/ssl_session.h"

namespace parley::dtls {
namespace {

constexpr size_t kMinMtu = 300;
constexpr size_t kMaxUnverifiedData = 64;
/// A client whose final flight is answered by nothing repeats it for as long as it waits.
constexpr int kMaxRepeatedFinals = 32;
/// A flight that is repeated for the third time may be too large for the path, and for the fourth
/// time still. 900 fits a path of 1000 with every header that may be around it, 500 one of 576.
struct Step {
  unsigned attempts;
  size_t mtu;
};
constexpr Step kSmaller[] = {{2, 900}, {3, 500}};

constexpr uint8_t kWarning = 1, kFatal = 2;
constexpr uint8_t kCloseNotify = 0;

/// Of a handshake record in the clear. The client's earlier flights are ClientHellos (RFC 6347
/// section 4.2.4): one that comes now is old, or the beginning of another association.
bool isOfLastFlight(ByteSpan datagram, const Record& record) {
  constexpr uint8_t kClientHello = 1;
  return !record.isSealed() && record.size > kRecordHeaderSize &&
         datagram[record.begin + kRecordHeaderSize] != kClientHello;
}

}  // namespace

class Connection::Impl {
 public:
  Impl(Environment& environment, Config config);

  void setRemoteFingerprints(std::vector<Fingerprint> fingerprints, Timestamp now);
  void start(Role role, Timestamp now);
  void resendFlightNow(Timestamp now);
  void handlePacket(PacketBuf datagram, Timestamp now);
  void handlePacket(ByteSpan datagram, Timestamp now);
  Result<void> send(ByteSpan data, Timestamp now);
  Result<void> seal(PacketBuf& data, Timestamp now);
  Result<void> checkSend(size_t size) const;
  void close(Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  Counters counters() const;
  bool pollData(PacketBuf& out);

  size_t maxDataSize() const { return std::max(config_.mtu, config_.dataMtu) - kRecordOverhead; }

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
  std::optional<crypto::SrtpKeying> srtpKeying_;

 private:
  void enter(Timestamp now) { timer_.setNow(clock_.clamp(now)); }
  bool shakingHands() const { return state_ == State::Connecting && !handshakeDone_; }
  void process(PacketBuf datagram);
  void processHandshake(ByteSpan datagram);
  void repeatFlight(RetransmitTimer::Backoff backoff);
  void holdSealed(ByteSpan datagram);
  void processSealed(PacketBuf datagram);
  void repeatFinalFlight();
  void handleSealed(uint8_t type, ByteSpan plaintext);
  void handleAlert(ByteSpan alert);
  void deliver(PacketBuf data);
  void pump();
  void onHandshakeDone();
  bool takeOver();
  void sendAlert(uint8_t level, uint8_t description);
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
  std::unique_ptr<SslSession> session_;           ///< from start() until the handshake is done
  std::unique_ptr<RecordProtection> protection_;  ///< from then on
  Bytes finalFlight_;  ///< a server's: its loss shows only in the client repeating its own
  int repeatedFinals_ = 0;
  uint64_t flights_ = 0;
  unsigned nextMessage_ = 0;   ///< after the newest that came in the clear
  unsigned answeredUpTo_ = 0;  ///< messages below are answered by the flight that is out
  std::optional<uint8_t> receivedAlert_;
  Timestamp handshakeDeadline_ = Timestamp::never();
  Timestamp rateWindowStart_;
  size_t recordsInWindow_ = 0;
  bool handshakeDone_ = false;
};

Connection::Impl::Impl(Environment& environment, Config config)
    : environment_(environment),
      config_([&] {
        config.mtu = std::clamp(config.mtu, kMinMtu, PacketBuf::kMaxPayload);
        config.dataMtu = std::min(config.dataMtu, PacketBuf::kMaxPayload);
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
  if (state == State::Failed) {
    event.sentAlert = session_ ? session_->sentAlert() : std::nullopt;
    event.receivedAlert = session_ ? session_->receivedAlert() : receivedAlert_;
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
  protection_.reset();
  srtpKeying_.reset();
  finalFlight_ = {};
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
  if (!protection_ || !expected_) return;
  if (!matchesCertificate(*expected_, remoteCertificate_)) {
    sendAlert(kWarning, kCloseNotify);
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
  timer_.setEnd(handshakeDeadline_);
  session_ =
      std::make_unique<SslSession>(config_.certificate->sslContext(), port_, timer_, expected_);
  setState(State::Connecting, Reason::None);
  if (!session_->open(role, config_.mtu, config_.srtpProfiles)) {
    end(State::Failed, Reason::InternalError);
    return;
  }
  pump();
  flights_ = timer_.flights();
  // Each once: what overtook the end of the handshake is put back.
  for (size_t waiting = early_.size(); waiting > 0 && !early_.empty(); --waiting) {
    process(early_.pop());
  }
}

void Connection::Impl::resendFlightNow(Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (shakingHands() && timer_.mayRepeatEarly()) repeatFlight(RetransmitTimer::Backoff::Restart);
}

void Connection::Impl::repeatFlight(RetransmitTimer::Backoff backoff) {
  for (const Step& step : kSmaller) {
    if (timer_.attempts() < step.attempts || port_.mtu() <= step.mtu) continue;
    port_.setMtu(step.mtu);
    session_->setMtu(step.mtu);
  }
  handle(session_->fireTimer(backoff));
}

void Connection::Impl::handlePacket(PacketBuf datagram, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  ++counters_.datagramsReceived;
  const bool ended = state_ == State::Closed || state_ == State::Failed;
  if (ended || datagram.empty()) {
    ++counters_.datagramsDropped;
  } else if (state_ == State::New) {
    if (!early_.push(std::move(datagram))) ++counters_.datagramsDropped;
  } else {
    process(std::move(datagram));
  }
}

void Connection::Impl::handlePacket(ByteSpan datagram, Timestamp now) {
  PacketBuf copy = environment_.pool.copyOf(datagram);
  if (copy || datagram.empty()) {
    handlePacket(std::move(copy), now);
    return;
  }
  // No buffer: the handshake needs none, data is lost.
  SequenceChecker::Scope scope(checker_);
  enter(now);
  ++counters_.datagramsReceived;
  if (session_ && datagram.size() <= PacketBuf::kSlotSize) {
    processHandshake(datagram);
  } else if (protection_) {
    ++counters_.dataDropped;
  } else {
    ++counters_.datagramsDropped;
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

void Connection::Impl::process(PacketBuf datagram) {
  if (protection_) {
    processSealed(std::move(datagram));
  } else if (session_) {
    processHandshake(datagram.span());
  }
}

void Connection::Impl::processHandshake(ByteSpan datagram) {
  holdSealed(datagram);
  std::array<uint8_t, PacketBuf::kSlotSize> filtered;
  const FilterResult result = filterRecords(datagram, role_, recordBudget(), filtered);
  counters_.recordsDropped += result.dropped;
  recordsInWindow_ += result.kept;
  if (result.size == 0) return;
  port_.deliver(ByteSpan(filtered).first(result.size));
  const bool repeated = result.lowestMessage < answeredUpTo_;
  if (result.lowestMessage <= result.highestMessage)
    nextMessage_ = std::max(nextMessage_, result.highestMessage + 1u);
  pump();
  port_.withdraw();
  if (std::exchange(flights_, timer_.flights()) != timer_.flights()) {
    answeredUpTo_ = nextMessage_;
  } else if (repeated && shakingHands() && timer_.mayAnswerRepeat()) {
    // RFC 6347 section 4.2.4: who waits and "receives a retransmitted flight from the peer" sends
    // its own once more.
    repeatFlight(RetransmitTimer::Backoff::Keep);
  }
}

/// Keeps data and alerts that overtook the end of the handshake, or share its last datagram.
void Connection::Impl::holdSealed(ByteSpan datagram) {
  ByteReader reader(datagram);
  Record record;
  while (!reader.atEnd() && readRecord(reader, record)) {
    if (!record.isSealed() || record.isSealedHandshake()) continue;
    PacketBuf copy = environment_.pool.copyOf(datagram.subspan(record.begin, record.size));
    if (!copy || !early_.push(std::move(copy))) ++counters_.recordsDropped;
  }
}

void Connection::Impl::pump() {
  const SslSession::Outcome outcome = session_->handshake();
  takeCertificate();
  if (outcome == SslSession::Outcome::Ok) {
    onHandshakeDone();
  } else {
    handle(outcome);
  }
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
  srtpKeying_ = session_->exportKeying();
  cipherName_ = session_->cipherName();
  tlsVersion_ = session_->tlsVersion();
  groupName_ = session_->groupName();
  if (!takeOver()) {
    end(State::Failed, Reason::InternalError);
    return;
  }
  verifyPeer();
  for (size_t held = early_.size(); held > 0 && !early_.empty(); --held) process(early_.pop());
}

/// OpenSSL's object has done its work: the records that follow are ours.
bool Connection::Impl::takeOver() {
  const std::optional<RecordKeys> keys = session_->recordKeys();
  if (keys) protection_ = RecordProtection::create(*keys, port_.sealedPosition());
  if (!protection_) return false;
  finalFlight_ = port_.takeFlight();
  port_.withdraw();
  session_.reset();
  return true;
}

void Connection::Impl::processSealed(PacketBuf datagram) {
  const size_t size = datagram.size();
  ByteReader reader(datagram.span());
  Record record;
  bool isRepeatedFlight = false;
  while (protection_ && !reader.atEnd()) {
    std::optional<MutableByteSpan> plaintext;
    const bool isRecord = readRecord(reader, record);
    if (isRecord && record.isSealed()) {
      plaintext = protection_->open(datagram.mutableSpan().subspan(record.begin, record.size));
    }
    if (isRecord && record.type == static_cast<uint8_t>(ContentType::Handshake)) {
      isRepeatedFlight |= plaintext || isOfLastFlight(datagram.span(), record);
    }
    if (!plaintext) {
      // RFC 6347 section 4.1.2.7: "invalid records SHOULD be silently discarded".
      ++counters_.recordsDropped;
      if (!reader.ok()) break;
    } else if (record.type != static_cast<uint8_t>(ContentType::ApplicationData)) {
      handleSealed(record.type, *plaintext);
    } else if (record.begin + record.size < size) {
      deliver(environment_.pool.copyOf(*plaintext));
    } else {
      datagram.trimFront(static_cast<size_t>(plaintext->data() - datagram.data()));
      datagram.resize(plaintext->size());
      deliver(std::move(datagram));
      break;
    }
  }
  if (isRepeatedFlight) repeatFinalFlight();
}

/// The client repeats its last flight because ours was lost. The very same records do: where they
/// did arrive the client takes them for replays. Its Finished is a datagram of its own if the
/// flight is large, and may be what is missing of it: any part of that flight asks, also one in the
/// clear, which anybody can send. Renegotiation ends here too, unanswered.
void Connection::Impl::repeatFinalFlight() {
  if (finalFlight_.empty() || repeatedFinals_ >= kMaxRepeatedFinals) return;
  ++repeatedFinals_;
  port_.push(environment_.pool.copyOf(finalFlight_));
}

void Connection::Impl::handleSealed(uint8_t type, ByteSpan plaintext) {
  if (type == static_cast<uint8_t>(ContentType::Alert)) handleAlert(plaintext);
}

void Connection::Impl::handleAlert(ByteSpan alert) {
  if (alert.size() != 2) return;
  if (alert[1] == kCloseNotify) {
    sendAlert(kWarning, kCloseNotify);  // RFC 5246 section 7.2.1: answer with a close_notify
    end(State::Closed, Reason::RemoteClose);
  } else if (alert[0] == kFatal) {
    receivedAlert_ = alert[1];
    end(State::Failed, Reason::PeerAlert);
  }
}

void Connection::Impl::deliver(PacketBuf data) {
  ++counters_.dataReceived;
  const bool mayHold = state_ == State::Connected || data_.size() < kMaxUnverifiedData;
  if (!data || !mayHold || !data_.push(std::move(data))) ++counters_.dataDropped;
}

Result<void> Connection::Impl::checkSend(size_t size) const {
  if (state_ != State::Connected) {
    return fail(ErrorCode::InvalidState, "DTLS is not connected.");
  }
  if (size == 0 || size > maxDataSize()) {
    return fail(ErrorCode::Range, "A DTLS record must hold 1 to maxDataSize() octets.");
  }
  return ok();
}

Result<void> Connection::Impl::seal(PacketBuf& data, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (Result<void> checked = checkSend(data.size()); !checked) return checked;
  if (!protection_->seal(ContentType::ApplicationData, data)) {
    return fail(ErrorCode::Range, "The buffer has no room for the record around its data.");
  }
  port_.noteSent();
  return ok();
}

Result<void> Connection::Impl::send(ByteSpan data, Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (Result<void> checked = checkSend(data.size()); !checked) return checked;
  PacketBuf packet = environment_.pool.copyOf(data);
  if (packet) protection_->seal(ContentType::ApplicationData, packet);
  port_.push(std::move(packet));  // one that is not there is lost as in a network
  return ok();
}

void Connection::Impl::sendAlert(uint8_t level, uint8_t description) {
  const std::array<uint8_t, 2> alert{level, description};
  PacketBuf packet = environment_.pool.copyOf(alert);
  if (packet && protection_->seal(ContentType::Alert, packet)) port_.push(std::move(packet));
}

void Connection::Impl::close(Timestamp now) {
  SequenceChecker::Scope scope(checker_);
  enter(now);
  if (protection_) sendAlert(kWarning, kCloseNotify);
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
    repeatFlight(RetransmitTimer::Backoff::Double);
  }
}

Timestamp Connection::Impl::nextDeadline() const {
  return shakingHands() ? earliest(handshakeDeadline_, timer_.deadline()) : Timestamp::never();
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
void Connection::handlePacket(PacketBuf datagram, Timestamp now) {
  impl_->handlePacket(std::move(datagram), now);
}
void Connection::handlePacket(ByteSpan datagram, Timestamp now) {
  impl_->handlePacket(datagram, now);
}
Result<void> Connection::send(ByteSpan data, Timestamp now) {
  return impl_->send(data, now);
}
Result<void> Connection::seal(PacketBuf& data, Timestamp now) {
  return impl_->seal(data, now);
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
  return impl_->state_ == State::Connected ? impl_->srtpKeying_ : std::nullopt;
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
