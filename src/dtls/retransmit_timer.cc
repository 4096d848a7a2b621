#include "dtls/retransmit_timer.h"

#include <algorithm>
#include <limits>

#include <openssl/ssl.h>

namespace parley::dtls {
namespace {

constexpr Duration kMinFirst = Duration::millis(50);
constexpr Duration kMaxFirst = Duration::seconds(3);
/// RFC 6347 section 4.2.4.1 doubles "up to no less than the RFC 6298 maximum of 60 seconds", which
/// is about not to flood a congested path. A flight every 3 s does not, and people wait for it:
/// RFC 9147 section 5.8.2 leaves it to the application.
constexpr Duration kCap = Duration::seconds(3);
constexpr Duration kMaxDuration = Duration::seconds(60);
constexpr time_t kOutOfReach = std::numeric_limits<time_t>::max() / 4;

}  // namespace

void RetransmitTimer::setRttHint(Duration rtt) {
  first_ = std::clamp(rtt * 2, kMinFirst, kMaxFirst);
  if (!armed_ || deadline_.isNever()) return;
  // The flight may be out already, on the cautious default.
  const Duration now = std::min(first_ * (int64_t{1} << std::min(attempts_, 10u)), kCap);
  if (current_ <= now) return;
  current_ = now;
  deadline_ = earliest(deadline_, std::max(startedAt_ + now, now_ + Duration::nanos(1)));
}

unsigned RetransmitTimer::durationFor(unsigned previous) {
  if (previous == 0) {
    attempts_ = 0;
    ++flights_;
    current_ = first_;
  } else {
    ++attempts_;
    ++retransmissions_;
    if (backoff_ == Backoff::Restart) {
      current_ = first_;
    } else if (backoff_ == Backoff::Double) {
      current_ = std::min(std::max(current_, first_) * 2, slowest());
    }
  }
  return static_cast<unsigned>(current_.micros());
}

/// The cap, or as far apart as the attempts left have to be to last until the end.
Duration RetransmitTimer::slowest() const {
  if (end_.isNever() || end_ <= now_ || attempts_ >= kMaxAttempts) return kCap;
  const Duration even = (end_ - now_) / static_cast<int64_t>(kMaxAttempts - attempts_ + 1);
  return std::clamp(even, kCap, kMaxDuration);
}

void RetransmitTimer::onNextTimeout(timeval* expiry) {
  armed_ = expiry->tv_sec != 0 || expiry->tv_usec != 0;
  if (!armed_) {
    deadline_ = Timestamp::never();
    return;
  }
  startedAt_ = now_;
  deadline_ = attempts_ < kMaxAttempts ? now_ + current_ : Timestamp::never();
  if (control_ == Control::OpenSsl) return;
  expiry->tv_sec = kOutOfReach;
  expiry->tv_usec = 0;
  expiry_ = expiry;
}

void RetransmitTimer::settle(SSL* ssl) {
  if (control_ != Control::Unknown || !armed_) return;
  timeval left{};
  const bool reached = DTLSv1_get_timeout(ssl, &left) == 1 && left.tv_sec > kOutOfReach / 2;
  control_ = reached ? Control::Ours : Control::OpenSsl;
  if (!reached) expiry_ = nullptr;
}

int RetransmitTimer::fire(SSL* ssl, Backoff backoff) {
  settle(ssl);
  if (!armed_) return 0;
  if (control_ == Control::Ours) {
    expiry_->tv_sec = 0;
    expiry_->tv_usec = 1;  // all zero would mean that no timer runs
  }
  backoff_ = backoff;
  const int result = static_cast<int>(DTLSv1_handle_timeout(ssl));
  backoff_ = Backoff::Double;
  if (result == 0) {
    // OpenSSL's own clock is behind ours: ask again a little later.
    deadline_ = now_ + std::clamp(current_ / 8, Duration::millis(5), Duration::millis(100));
  }
  return result;
}

}  // namespace parley::dtls
