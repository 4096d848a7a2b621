#pragma once

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/stun/message.h"

namespace parley::stun {

/// How often a request over UDP is repeated (RFC 8489 section 6.2.1). With the defaults it goes out
/// at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms and fails at 39500 ms.
struct RetransmitPolicy {
  Duration rto = Duration::millis(500);  ///< wait after the first transmission; doubles each time
  int maxSends = 7;                      ///< Rc: transmissions in all
  int lastWait = 16;                     ///< Rm: the wait after the last one, in units of `rto`
  Duration maxWait = Duration::infinite();  ///< where the doubling of the others ends

  /// Over TCP and TLS nothing is repeated; the request fails after Ti (RFC 8489 section 6.2.2).
  static constexpr RetransmitPolicy reliable() { return {Duration::millis(39'500), 1, 1}; }
};

/// The timer of one client transaction. The first transmission counts as done at construction; the
/// owner sends the same bytes again whenever `advance` says so.
class PARLEY_EXPORT Transaction {
 public:
  enum class Due : uint8_t { Nothing, Retransmit, TimedOut };

  Transaction(const TransactionId& id, const RetransmitPolicy& policy, Timestamp now);

  const TransactionId& id() const { return id_; }
  /// What is due at `now`. `Retransmit` at most once per call, however late the call.
  Due advance(Timestamp now);
  /// When `advance` will next have something to say; never() after TimedOut.
  Timestamp deadline() const { return deadline_; }
  int sends() const { return sends_; }
  Timestamp firstSentAt() const { return firstSentAt_; }
  Timestamp lastSentAt() const { return lastSentAt_; }

 private:
  TransactionId id_;
  RetransmitPolicy policy_;
  Duration wait_;
  int sends_ = 1;
  Timestamp firstSentAt_;
  Timestamp lastSentAt_;
  Timestamp deadline_;
};

}  // namespace parley::stun
