#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/congestion/controller.h"

namespace parley::congestion {

/// Remembers sent packets by transport-wide sequence number and turns feedback about them into
/// reports. Memory grows with the packets of one feedback delay, never with what feedback claims.
class PARLEY_EXPORT FeedbackAdapter {
 public:
  struct Outgoing {
    uint32_t size = 0;
    int32_t probeId = -1;
    bool audio = false;
    uint32_t ssrc = 0;  ///< for feedback that names packets by their RTP numbers
    uint16_t rtpSequence = 0;
    Ecn ecn = Ecn::NotEct;  ///< as it leaves
  };
  /// One packet that arrived; `delta` in 250 us since the one before (the first: since the
  /// reference).
  struct Arrival {
    uint16_t sequence = 0;
    int16_t delta = 0;
  };
  /// The fields of draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
  struct Feedback {
    uint16_t baseSequence = 0;
    uint16_t statusCount = 0;
    uint32_t referenceTime = 0;  ///< 24 bits, in 64 ms, wraps
    std::span<const Arrival> arrivals;
  };

  /// What RFC 8888 reports of one packet.
  struct RtpArrival {
    bool received = false;
    Ecn ecn = Ecn::NotEct;
    uint16_t offset = 0;  ///< 1/1024 s before the report's time; 0x1ffe and above: not known
  };
  /// A stream's part of such a report: packets from `beginSequence` on.
  struct RtpArrivals {
    uint32_t ssrc = 0;
    uint16_t beginSequence = 0;
    std::span<const RtpArrival> packets;
  };

  FeedbackAdapter();

  /// The sequence number that the next packet will get.
  uint16_t nextSequence() const { return static_cast<uint16_t>(next_); }
  /// Records a packet as sent under nextSequence() and moves on.
  SentPacket onSent(const Outgoing& packet, Timestamp now);
  /// Matches feedback with history. Numbers never sent, already acknowledged or forgotten are
  /// ignored. The report's span is valid until the next call; nullopt if nothing in it was new.
  std::optional<TransportFeedbackReport> onFeedback(const Feedback& feedback, Timestamp now);
  /// The same for feedback of RFC 8888. `reportTime`: the middle 32 bits of an NTP time.
  std::optional<TransportFeedbackReport> onRtpFeedback(uint32_t reportTime,
                                                       std::span<const RtpArrivals> streams,
                                                       Timestamp now);
  /// Forgets what is in flight (the path changed). Sequence numbers go on.
  void reset();
  int64_t bytesInFlight() const { return bytesInFlight_; }

 private:
  struct Entry {
    int64_t sequence = -1;
    Timestamp sendTime;
    uint32_t size = 0;
    int32_t probeId = -1;
    uint32_t ssrc = 0;
    uint16_t rtpSequence = 0;
    Ecn ecn = Ecn::NotEct;
    bool audio = false;
    bool received = false;
    bool lossReported = false;
  };
  Entry& at(int64_t sequence) { return ring_[static_cast<size_t>(sequence) & (ring_.size() - 1)]; }
  void addResult(Entry& entry, bool arrived, Ecn ecn, Timestamp arrival);
  void growIfYoung(Timestamp now);
  Timestamp referenceToTime(uint32_t referenceTime, Timestamp now);
  void settleUpTo(int64_t sequence);

  std::vector<Entry> ring_;
  std::vector<PacketResult> results_;
  int64_t next_ = 1;
  int64_t settled_ = 0;  ///< all up to here were covered by a report
  int64_t bytesInFlight_ = 0;
  std::optional<uint32_t> lastReference_;
  Timestamp referenceBase_;
  std::optional<uint32_t> lastReportTime_;
  Timestamp reportBase_;
};

}  // namespace parley::congestion
