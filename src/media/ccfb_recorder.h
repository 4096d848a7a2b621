#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/driven.h"
#include "parley/base/seq_num.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/congestion_feedback.h"

#include "media/feedback_budget.h"

namespace parley::media {

/// Notes when packets arrive, per source and with their ECN marks, and reports them as RFC 8888
/// asks. A packet that comes after its place was reported as empty is reported late: the next
/// report begins there anew, and tells again of what it told before (section 3.1: "information
/// reported in later reports updates that sent in previous reports").
class CcfbRecorder {
 public:
  /// Bounds how many sources are told of. Where more send than that, reports go out sooner; where
  /// that would cost too much, they take turns.
  explicit CcfbRecorder(size_t maxSources) : maxSources_(maxSources) {}

  /// `bytes` is the packet's size, for the rate.
  void handlePacket(uint32_t ssrc, uint16_t sequence, size_t bytes, Ecn ecn, Timestamp now);
  /// Writes one report if one is due at `now`; more may follow. 0: none. `reportTime` is `now` by
  /// the wall clock.
  size_t write(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes, NtpTime reportTime,
               Timestamp now);
  /// What the report written last has news of.
  struct Told {
    uint32_t ssrc = 0;
    uint64_t lost = 0;       ///< packets that it is the first to call missing
    uint64_t recovered = 0;  ///< and those that it has, but an earlier one called missing
  };
  std::span<const Told> told() const { return told_; }
  bool isDue(Timestamp now) const { return pending_ > 0 && now >= budget_.due(); }
  Timestamp nextDeadline() const { return pending_ == 0 ? Timestamp::never() : budget_.due(); }
  void reset();

 private:
  /// RFC 8888 section 3 suggests a report per frame or every 50 to 200 ms; a window that is moved
  /// by reports (SCReAM) wants them sooner where the rate pays for it.
  static constexpr Duration kLeastInterval = Duration::millis(25);
  /// How late a packet may be to be told: a second of a fast stream, and the most that one late
  /// packet makes us tell again.
  static constexpr int64_t kOverlap = 256;

  struct Arrival {
    int64_t sequence = 0;
    Timestamp time;
    Ecn ecn = Ecn::NotEct;
    bool reported = false;
  };
  struct Source {
    uint32_t ssrc = 0;
    SeqUnwrapper<uint16_t> unwrapper;
    int64_t nextBase = 0;           ///< first number that no report has covered
    std::vector<Arrival> arrivals;  ///< ascending; the reported ones for overlapping reports
    size_t pending = 0;             ///< not reported
    Timestamp lastArrival;
    bool resting = false;  ///< others have their turn
    /// Of the numbers that reports have covered, the last kOverlap: which were told to be missing.
    std::bitset<kOverlap> missing;
  };
  Source* sourceOf(uint32_t ssrc, uint16_t sequence, Timestamp now);
  static void tell(Source& source, int64_t sequence, bool missing, Told& told);
  /// Puts reports of `source` into feedback_, as many as fit in `room` bytes.
  void fill(Source& source, size_t room, Timestamp now);
  void changeTurns();

  size_t maxSources_;
  std::vector<Source> sources_;
  rtp::rtcp::CongestionFeedback feedback_;  // kept for its memory
  std::vector<Told> told_;
  FeedbackBudget budget_{kLeastInterval};
  size_t pending_ = 0;
  size_t first_ = 0;      // the source to start the next report with
  bool refused_ = false;  // since the last report, for want of room
};

}  // namespace parley::media
