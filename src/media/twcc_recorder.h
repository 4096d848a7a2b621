#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/seq_num.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/transport_feedback.h"

#include "media/feedback_budget.h"

namespace parley::media {

/// Notes when packets with a transport-wide sequence number arrive and reports them, as often as 5
/// % of their rate pays for.
class TwccRecorder {
 public:
  /// `bytes` is the packet's size on the wire, for the rate.
  void handlePacket(uint16_t transportSequence, size_t bytes, Timestamp now);
  /// Writes one report if one is due at `now`; more may follow. 0: none.
  size_t write(ByteWriter& w, uint32_t senderSsrc, uint32_t mediaSsrc, size_t maxBytes,
               Timestamp now);
  bool isDue(Timestamp now) const { return !arrivals_.empty() && now >= budget_.due(); }
  Timestamp nextDeadline() const { return arrivals_.empty() ? Timestamp::never() : budget_.due(); }
  void reset();

 private:
  /// No sender remembers more packets than this: older arrivals are not reported, and a gap that is
  /// wider is not called lost but starts the numbering anew.
  static constexpr int64_t kMaxSpan = 1 << 14;
  static constexpr size_t kMaxArrivals = 4096;
  /// kMaxArrivals fit in half of it. Only numbers that jump about take more: the rest is dropped.
  static constexpr size_t kMaxReportsAtOnce = 16;
  static constexpr Duration kLeastInterval = Duration::millis(50);

  SeqUnwrapper<uint16_t> unwrapper_;
  std::vector<rtp::rtcp::PacketArrival> arrivals_;  // ascending, unreported
  std::optional<int64_t> nextBase_;                 // first number not covered by a report
  FeedbackBudget budget_{kLeastInterval};
  size_t reports_ = 0;  // since the first arrival of this round
  uint8_t count_ = 0;
};

}  // namespace parley::media
