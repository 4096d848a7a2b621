#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/time.h"

#include "sctp/engine/congestion.h"
#include "sctp/engine/out_message.h"
#include "sctp/engine/send_scheduler.h"

namespace parley::sctp {

/// One DATA or I-DATA chunk that has a TSN and is not cumulatively acknowledged.
struct SentChunk {
  enum class State : uint8_t {
    InFlight,
    Lost,       ///< waits to be sent again
    Acked,      ///< by a gap block; the peer may still take that back (RFC 9260 section 6.2.1)
    Abandoned,  ///< RFC 3758
  };
  SendScheduler::Fragment fragment;
  State state = State::InFlight;
  uint16_t transmissions = 0;
  uint32_t older = 0, newer = 0;  ///< TSNs: neighbours in the order of sending, while in flight
  Timestamp sentAt;
  DeliveryStamp stamp;
};

/// What the peer has not acknowledged: which of it is in flight, lost, abandoned. Loss detection
/// goes by time, as RACK (RFC 8985) does for TCP: a chunk is lost when one sent sufficiently later
/// has arrived. Unlike RFC 9260's counting of miss indications this also sees lost retransmissions,
/// and stands reordering, whose extent it learns from spurious retransmissions.
class Outstanding {
 public:
  /// More chunks than a gap block's 16-bit offsets reach cannot be reported as received.
  static constexpr size_t kMaxChunks = 60'000;
  /// Without interleaving messages are numbered by 16 bits, half of which tell newer from older.
  static constexpr size_t kMaxNumbered = 32'000;

  struct AckResult {
    bool valid = false;  ///< false: acknowledges what was never sent, or an old SACK
    bool advanced = false;
    size_t ackedBytes = 0;               ///< newly, in chunks' wire sizes
    std::optional<Duration> rtt;         ///< of the newest chunk acknowledged, if never repeated
    std::optional<DeliveryStamp> stamp;  ///< of that chunk
    Timestamp newestSentAt;
    bool spurious = false;  ///< a chunk had been repeated in vain
  };

  explicit Outstanding(MessagePool& pool) : pool_(pool) {}
  ~Outstanding() { clear(); }
  Outstanding(const Outstanding&) = delete;
  Outstanding& operator=(const Outstanding&) = delete;

  /// `mayRenege`: the peer may take back what it acknowledged in gap blocks only.
  void start(uint32_t initialTsn, bool interleaving, bool mayRenege = true);
  void clear();
  /// Gives memory back if nothing is outstanding.
  void trim();

  uint32_t nextTsn() const { return base_ + static_cast<uint32_t>(count_); }
  uint32_t cumulativeAck() const { return base_ - 1; }
  /// Nothing is unacknowledged, nothing to forward.
  bool empty() const { return count_ == 0; }
  bool full() const { return count_ >= maxChunks_; }
  size_t chunks() const { return count_; }
  size_t inFlightBytes() const { return inFlightBytes_; }
  size_t inFlightPayload() const { return inFlightPayload_; }
  size_t heldBytes() const { return heldBytes_; }
  bool hasLost() const { return lostCount_ > 0; }
  bool hasInFlight() const { return inFlightCount_ > 0; }

  /// A new chunk leaves; takes over the fragment's references.
  uint32_t add(const SendScheduler::Fragment& fragment, Timestamp now, const DeliveryStamp& stamp);
  /// A SACK's contents. `gaps`: pairs of offsets as on the wire, nullopt: not told (SHUTDOWN);
  /// `duplicates`: TSNs.
  AckResult onSack(uint32_t cumulative, std::optional<ByteSpan> gaps, ByteSpan duplicates,
                   Timestamp now);
  /// Marks what must be lost by now. Returns the bytes newly lost.
  size_t detectLosses(const Duration& smoothedRtt, Timestamp now);
  /// When detectLosses() would find more without another SACK.
  Timestamp lossDeadline() const { return lossDeadline_; }
  /// The timer fired: everything in flight counts as lost.
  size_t loseAll();
  /// The newest chunk in flight is sent again although nothing says that it is lost (a probe).
  std::optional<uint32_t> newestInFlight() const;
  /// The first unacknowledged chunk is sent again if it is in flight (a window opened).
  void loseFirst();

  /// The lost chunk to send next; nullopt if none.
  std::optional<uint32_t> nextLost();
  SentChunk& at(uint32_t tsn) { return ring_[tsn & mask_]; }
  void onRetransmitted(uint32_t tsn, Timestamp now, const DeliveryStamp& stamp);

  /// RFC 3758 section 3.5 A3: all fragments of the message are given up. `tsn`: one of them, if
  /// known.
  void abandon(const OutMessage& message, std::optional<uint32_t> tsn);
  /// Gives a TSN to fragments that were never sent, so that the peer can be told that the message
  /// of which it has the beginning will not go on.
  void addAbandoned(OutMessage& message);
  /// The highest TSN up to which everything is abandoned; equals cumulativeAck() if nothing is.
  uint32_t forwardPoint() const { return forward_; }
  bool needsForward() const { return forward_ != cumulativeAck(); }
  /// The abandoned chunks up to the forward point, oldest first. Called with (TSN, chunk); false
  /// stops.
  template <class F>
  void eachForwarded(F&& f) const {
    for (uint32_t tsn = base_; tsn != forward_ + 1; ++tsn) {
      if (!f(tsn, ring_[tsn & mask_])) return;
    }
  }

  size_t wireSize(const SentChunk& chunk) const {
    return header_ + ((chunk.fragment.length + size_t{3}) & ~size_t{3});
  }
  Timestamp oldestSentAt() const;
  Timestamp newestSentAt() const;

 private:
  struct Range {
    uint32_t first, last;
  };

  bool contains(uint32_t tsn) const { return tsn - base_ < count_; }
  void grow();
  void link(uint32_t tsn);
  void unlink(uint32_t tsn);
  void leaveFlight(uint32_t tsn);
  void lose(uint32_t tsn);
  void ack(uint32_t tsn, AckResult& result, Timestamp now);
  void release(SentChunk& chunk);
  void popFront();
  void revokeMissing();
  bool readGaps(ByteSpan gaps, uint32_t cumulative);
  void applyGaps(AckResult& result, Timestamp now);
  void abandonChunk(uint32_t tsn);
  void advanceForward();
  void noteSpurious(ByteSpan duplicates, AckResult& result);

  MessagePool& pool_;
  size_t header_ = 16;
  bool mayRenege_ = true;
  size_t maxChunks_ = kMaxChunks;
  uint32_t base_ = 0;  ///< TSN of the first chunk held
  size_t count_ = 0;
  std::vector<SentChunk> ring_;
  uint32_t mask_ = 0;

  uint32_t oldest_ = 0, newest_ = 0;  ///< ends of the list in the order of sending
  size_t inFlightCount_ = 0;
  size_t inFlightBytes_ = 0;
  size_t inFlightPayload_ = 0;
  size_t heldBytes_ = 0;
  size_t lostCount_ = 0;
  uint32_t lostHint_ = 0;  ///< no chunk before it is lost
  uint32_t forward_ = 0;

  std::vector<Range> gaps_;  ///< acknowledged beyond the cumulative TSN, ascending
  std::vector<Range> newGaps_;

  // Loss detection (the names of RFC 8985).
  Timestamp rackSentAt_;
  uint32_t rackTsn_ = 0;
  Duration rackRtt_;
  Duration minRtt_ = Duration::infinite();
  bool rackValid_ = false;
  bool reorderingSeen_ = false;
  int windowSteps_ = 1;
  uint32_t stepTsn_ = 0;   ///< the reordering window grows at most once per round trip
  size_t ackedAbove_ = 0;  ///< chunks acknowledged by gap blocks
  Timestamp lossDeadline_ = Timestamp::never();
};

}  // namespace parley::sctp
