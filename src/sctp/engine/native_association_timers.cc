// Timers, and the sizes of windows and buffers.

#include <algorithm>

#include "sctp/engine/native_association.h"

namespace parley::sctp {
namespace {

/// In place of Max.Init.Retransmits (RFC 9260 section 16), whose 8 attempts would be over early
/// with the waits that we have; as long as the DTLS handshake before it may take.
constexpr Duration kHandshakePatience = Duration::seconds(30);
constexpr int kMaxErrors = 10;  // Association.Max.Retrans
constexpr int kMaxShutdownAttempts = 8;
constexpr Duration kHeartbeatInterval = Duration::seconds(30);
constexpr Duration kMinProbe = Duration::millis(10);
/// Of one silence; RFC 8985 has one, RFC 9002 two.
constexpr int kMaxProbes = 2;
constexpr size_t kFirstWindow = 1u << 20;
/// What is due goes with the next poll; should that fail, there is another chance then.
constexpr Duration kSoon = Duration::millis(1);
constexpr Duration kMinStep = Duration::micros(50);
constexpr Duration kMinWindowEpoch = Duration::millis(10);
constexpr Duration kIdleWindow = Duration::seconds(10);

}  // namespace

void NativeAssociation::noteRtt(Duration rtt) {
  const bool first = !rtt_.hasSample();
  rtt_.sample(rtt);
  if (first) congestion_.hintRtt(rtt, now_);
}

/// False: too many in a row, and the association is over.
bool NativeAssociation::countError() {
  if (++errors_ <= kMaxErrors) return true;
  end(AssociationState::Failed, "the association was lost", {});
  return false;
}

void NativeAssociation::advance(Timestamp now) {
  note(now);
  if (phase_ == Phase::New || phase_ == Phase::Ended) return;
  if (handshakeTimer_ <= now_) onHandshakeTimer();
  if (!isUp()) return;
  if (sackTimer_ <= now_) {
    sackTimer_ = Timestamp::never();
    sackDue_ = true;
  }
  if (outstanding_.lossDeadline() <= now_) {
    CongestionControl::Ack ack;
    ack.lost = outstanding_.detectLosses(rtt_.smoothed(), now_);
    ack.inFlight = outstanding_.inFlightBytes();
    congestion_.onAck(ack, now_);
    dropExpired();
  }
  if (probeTimer_ <= now_) {
    probeTimer_ = Timestamp::never();
    probeDue_ = outstanding_.hasInFlight() && !outstanding_.hasLost();
  }
  if (retransmissionTimer_ <= now_) onRetransmissionTimer();
  if (!isUp()) return;
  if (heartbeatTimer_ <= now_) onHeartbeatTimer();
  if (isUp() && pathProbeTimer_ <= now_) onPathProbeTimer();
  if (isUp() && request_ && request_->retryAt <= now_) onResetTimer();
  if (isUp() && shutdownTimer_ <= now_) onShutdownTimer();
  if (isUp() && trimTimer_ <= now_) onIdle();
  if (isUp()) updateReceiveWindow();
}

Timestamp NativeAssociation::nextDeadline() const {
  if (phase_ == Phase::New || phase_ == Phase::Ended) return Timestamp::never();
  Timestamp next = earliest(handshakeTimer_, sackTimer_, outstanding_.lossDeadline(), probeTimer_);
  next = earliest(next, retransmissionTimer_, heartbeatTimer_, shutdownTimer_, trimTimer_);
  next = earliest(next, pathProbeTimer_);
  if (hasOutput()) next = earliest(next, now_ + kSoon);
  if (request_) {
    next = earliest(next, request_->retryAt);
    if (request_->sendAt > now_) next = earliest(next, request_->sendAt);
  }
  // Data that waits for its pace.
  if (wantsToTransmit() && windowsAllow()) next = earliest(next, congestion_.nextBurstAt());
  return std::max(next, now_ + kMinStep);
}

void NativeAssociation::onHandshakeTimer() {
  handshakeTimer_ = Timestamp::never();
  if (now_ - handshakeSince_ >= kHandshakePatience) {
    end(AssociationState::Failed, "the peer did not answer", {});
    return;
  }
  rtt_.backOff();
  if (phase_ == Phase::CookieWait) {
    initDue_ = true;
  } else if (phase_ == Phase::CookieEchoed) {
    cookieEchoDue_ = true;
  }
}

void NativeAssociation::armRetransmission() {
  const bool waits =
      outstanding_.hasInFlight() || outstanding_.hasLost() || outstanding_.needsForward();
  retransmissionTimer_ = waits ? now_ + rtt_.rto() : Timestamp::never();
}

/// RFC 8985 section 7.2: two round trips after the last transmission. The flag that asks for an
/// immediate SACK is on the last chunk, so the peer's delay need not be allowed for. What went into
/// a closed window is the timer's business alone.
void NativeAssociation::armProbe() {
  if (windowProbe_ || !outstanding_.hasInFlight() || outstanding_.hasLost() ||
      probesSent_ >= kMaxProbes || !rtt_.hasSample()) {
    probeTimer_ = Timestamp::never();
    return;
  }
  const Duration patience = std::max(rtt_.smoothed() * 2 + rtt_.variation(), kMinProbe);
  probeTimer_ = outstanding_.newestSentAt() + patience;
  if (probeTimer_ >= retransmissionTimer_) probeTimer_ = Timestamp::never();
}

/// RFC 9260 section 6.3.3.
void NativeAssociation::onRetransmissionTimer() {
  retransmissionTimer_ = Timestamp::never();
  probeTimer_ = Timestamp::never();
  probeDue_ = false;
  // Until something is acknowledged the timer backs off, and nothing goes between its expiries.
  probesSent_ = kMaxProbes;
  if (!outstanding_.hasInFlight() && !outstanding_.hasLost() && !outstanding_.needsForward())
    return;
  ++stats_.timeouts;
  if (!countError()) return;
  leaveLargePackets();
  rtt_.backOff();
  congestion_.onTimeout(outstanding_.inFlightBytes());
  outstanding_.loseAll();
  dropExpired();
  if (outstanding_.needsForward()) forwardDue_ = true;
  retransmissionTimer_ = now_ + rtt_.rto();
}

/// RFC 9260 section 8.3: is an idle peer still there?
void NativeAssociation::onHeartbeatTimer() {
  if (heartbeatOpen_) {
    heartbeatOpen_ = false;
    rtt_.backOff();
    if (!countError()) return;
    heartbeatDue_ = true;
    heartbeatTimer_ = Timestamp::never();
    return;
  }
  // Data in flight asks the same question.
  probePath(1);  // once more: the path may be another one by now
  heartbeatDue_ = !outstanding_.hasInFlight() && phase_ == Phase::Established;
  heartbeatTimer_ = heartbeatDue_ ? Timestamp::never() : now_ + kHeartbeatInterval;
}

void NativeAssociation::onShutdownTimer() {
  shutdownTimer_ = Timestamp::never();
  if (++shutdownAttempts_ > kMaxShutdownAttempts) {
    end(AssociationState::Failed, "the association was lost", {});
    return;
  }
  rtt_.backOff();
  shutdownDue_ = true;
}

// ---- buffers

size_t NativeAssociation::receiveWindow() const {
  const size_t held = reassembly_.heldBytes();
  const size_t window = receiveTarget_ > held ? receiveTarget_ - held : 0;
  // Section 6.2: no silly windows.
  return window < config_.mtu ? 0 : window;
}

/// The window follows what the application reads in a round trip, so that a peer that fills the
/// path is not held back, and a peer that is not read gets no more memory than the first window.
void NativeAssociation::updateReceiveWindow() {
  const Duration epoch = std::max(rtt_.smoothed(), kMinWindowEpoch);
  if (now_ - windowSince_ < epoch) return;
  const Duration elapsed = now_ - windowSince_;
  const bool idle = consumed_ == 0 && elapsed > kIdleWindow;
  // In one round trip.
  const auto read = static_cast<size_t>(static_cast<double>(std::exchange(consumed_, 0)) *
                                        std::min(1.0, rtt_.smoothed() / elapsed));
  windowSince_ = now_;
  size_t wanted = receiveTarget_;
  if (read * 4 > receiveTarget_) wanted = std::min(config_.receiveBuffer, read * 8);
  // Halves of messages fill the window, and nothing can be read to empty it.
  if (!reassembly_.hasInbound() && reassembly_.heldBytes() > receiveTarget_ / 2)
    wanted = std::min(config_.receiveBuffer, receiveTarget_ * 2);
  const size_t first = std::min(config_.receiveBuffer, kFirstWindow);
  if (idle) wanted = std::max(first, reassembly_.heldBytes());
  if (wanted == receiveTarget_) return;
  if (receiveMemory_.resize(wanted > first ? wanted - first : 0)) receiveTarget_ = wanted;
}

/// More may be in flight when congestion control wants it and memory is there.
void NativeAssociation::growInFlight() {
  const size_t wanted = std::min(config_.sendBuffer, congestion_.window());
  if (wanted <= inFlightLimit_) return;
  const size_t limit = std::min(config_.sendBuffer, std::max(wanted, inFlightLimit_ * 2));
  if (inFlightMemory_.resize(limit - std::min(limit, kFirstWindow))) inFlightLimit_ = limit;
}

/// Nothing was sent for a second: spare buffers go back.
void NativeAssociation::onIdle() {
  trimTimer_ = Timestamp::never();
  if (!scheduler_.empty() || !outstanding_.empty()) return;
  pool_.trim();
  scheduler_.trim();
  outstanding_.trim();
  received_.trim();
  reassembly_.trim();
  sackPoints_ = RingQueue<uint32_t>(kMaxSackPoints);
  inFlightLimit_ = std::min(config_.sendBuffer, kFirstWindow);
  inFlightMemory_.resize(0);
}

}  // namespace parley::sctp
