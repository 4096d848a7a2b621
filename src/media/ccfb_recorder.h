#pragma once

#include <cstdint>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/driven.h"
#include "parley/base/seq_num.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/congestion_feedback.h"

namespace parley::media {

/// Notes when packets arrive, per source and with their ECN marks, and reports them as RFC 8888
/// asks.
class CcfbRecorder {
 public:
  explicit CcfbRecorder(size_t maxSources) : maxSources_(maxSources) {}

  void handlePacket(uint32_t ssrc, uint16_t sequence, Ecn ecn, Timestamp now);
  /// Writes one report if one is due at `now`; more may follow. 0: none. `reportTime` is `now` by
  /// the wall clock.
  size_t write(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes, NtpTime reportTime,
               Timestamp now);
  bool isDue(Timestamp now) const { return pending_ > 0 && now >= due_; }
  Timestamp nextDeadline() const { return pending_ == 0 ? Timestamp::never() : due_; }
  void reset();

 private:
  struct Arrival {
    int64_t sequence = 0;
    Timestamp time;
    Ecn ecn = Ecn::NotEct;
  };
  struct Source {
    uint32_t ssrc = 0;
    SeqUnwrapper<uint16_t> unwrapper;
    int64_t nextBase = 0;
    std::vector<Arrival> arrivals;  // ascending, unreported
  };
  Source* sourceOf(uint32_t ssrc, uint16_t sequence);
  /// Moves reports of `source` into feedback_, as many as fit in `room` bytes.
  void fill(Source& source, size_t room, Timestamp now);

  size_t maxSources_;
  std::vector<Source> sources_;
  rtp::rtcp::CongestionFeedback feedback_;  // kept for its memory
  size_t pending_ = 0;
  size_t first_ = 0;  // the source to start the next report with
  Timestamp due_;
};

}  // namespace parley::media
