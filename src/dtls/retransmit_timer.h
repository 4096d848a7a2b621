#pragma once

#include <cstdint>
#include <sys/time.h>

#include <openssl/types.h>

#include "parley/base/time.h"

namespace parley::dtls {

/// The retransmission timer of RFC 6347 section 4.2.4 in machine time.
///
/// OpenSSL keeps this timer itself, on the wall clock, without a hook for another one: a simulated
/// hour would take an hour, and a wall clock that is set back would stall the handshake. But only
/// OpenSSL can retransmit, since a repeated Finished must be a fresh record, or the peer's replay
/// window eats it. So its clock must agree with ours. It tells the BIO each time it arms the timer
/// (BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT), with a pointer. Before OpenSSL 3.2 that points to the expiry
/// time which it will test later: it is put out of reach, so that OpenSSL never retransmits by
/// itself, and set to the past when our own deadline comes. From 3.2 on it points to a copy;
/// writing that does nothing, which a look at DTLSv1_get_timeout() shows. Then OpenSSL's timer
/// simply runs along with the durations that we give it.
class RetransmitTimer {
 public:
  /// OpenSSL gives up on the 13th repetition of a flight. We stop before it: only the overall
  /// deadline may end a handshake.
  static constexpr unsigned kMaxAttempts = 12;

  /// What the first duration of a flight is made of; shortens the one that runs, never lengthens
  /// it.
  void setRttHint(Duration rtt);
  /// When the handshake ends in any case: the attempts that there are suffice until then.
  void setEnd(Timestamp end) { end_ = end; }
  /// The time that counts for what OpenSSL does next.
  void setNow(Timestamp now) { now_ = now; }
  Timestamp deadline() const { return deadline_; }
  uint64_t retransmissions() const { return retransmissions_; }
  /// Whether a flight is out and may be repeated out of turn; leaves some attempts to the timer.
  bool mayRepeatEarly() const { return armed_ && attempts_ < kMaxAttempts - 4; }
  /// The same for a peer that repeats its flight: ours, or the answer to it, was lost, unless they
  /// have crossed.
  bool mayAnswerRepeat() const { return mayRepeatEarly() && now_ - startedAt_ >= first_; }
  /// Repetitions of the present flight.
  unsigned attempts() const { return attempts_; }
  /// Flights begun so far.
  uint64_t flights() const { return flights_; }

  /// What the duration after the next repetition is.
  enum class Backoff : uint8_t { Double, Restart, Keep };
  /// Repeats the flight: DTLSv1_handle_timeout, and its result (-1 on failure, 0 if OpenSSL did not
  /// think it was time).
  int fire(SSL* ssl, Backoff backoff);
  /// To be called after each call into OpenSSL that may have armed the timer.
  void settle(SSL* ssl);

  // Called by OpenSSL through the session.
  /// DTLS_timer_cb: 0 asks for a new flight's first duration, else one has passed. Microseconds.
  unsigned durationFor(unsigned previous);
  void onNextTimeout(timeval* expiry);

 private:
  enum class Control : uint8_t { Unknown, Ours, OpenSsl };

  Duration slowest() const;

  Duration first_ = Duration::seconds(1);
  Duration current_ = Duration::seconds(1);
  Timestamp now_;
  Timestamp startedAt_;
  Timestamp deadline_ = Timestamp::never();
  timeval* expiry_ = nullptr;  ///< inside the SSL object, while it lives; see Control
  Control control_ = Control::Unknown;
  unsigned attempts_ = 0;
  uint64_t retransmissions_ = 0;
  uint64_t flights_ = 0;
  Timestamp end_ = Timestamp::never();
  bool armed_ = false;
  Backoff backoff_ = Backoff::Double;
};

}  // namespace parley::dtls
