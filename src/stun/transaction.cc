#include "parley/stun/transaction.h"

#include <algorithm>

namespace parley::stun {

Transaction::Transaction(const TransactionId& id, const RetransmitPolicy& policy, Timestamp now)
    : id_(id), policy_(policy), wait_(policy.rto), firstSentAt_(now), lastSentAt_(now) {
  deadline_ = now + (policy_.maxSends <= 1 ? policy_.rto * policy_.lastWait : wait_);
}

Transaction::Due Transaction::advance(Timestamp now) {
  if (now < deadline_) return Due::Nothing;
  if (sends_ >= policy_.maxSends) {
    deadline_ = Timestamp::never();
    return Due::TimedOut;
  }
  ++sends_;
  lastSentAt_ = now;
  wait_ = std::min(wait_ * 2, std::max(policy_.maxWait, policy_.rto));
  // Counted from now and not from the deadline: a late caller must not send a burst.
  deadline_ = now + (sends_ == policy_.maxSends ? policy_.rto * policy_.lastWait : wait_);
  return Due::Retransmit;
}

}  // namespace parley::stun
