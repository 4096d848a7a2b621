#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/time.h"

#include "sctp/engine/out_message.h"

namespace parley::sctp {

/// Messages that wait for the wire, and the choice of the one whose bytes go next.
///
/// Streams share the wire by weight (RFC 8260 section 3.6, RFC 8831 section 6.4) in the manner of
/// start-time fair queueing: a stream's turn begins where its last one ended, later by bytes /
/// weight, but never before the turn being served. So a stream that was idle goes next, and credit
/// is not saved up. With interleaving a turn is one fragment, without it one message.
class SendScheduler {
 public:
  struct Request {
    uint16_t stream = 0;
    uint32_t ppid = 0;
    bool unordered = false;
    uint32_t maxRetransmits = OutMessage::kUnlimited;
    Timestamp expires = Timestamp::never();
    uint16_t weight = 256;
    bool control = false;
  };
  /// Bytes to be put into one chunk. Holds a reference to message and piece, which the taker
  /// releases.
  struct Fragment {
    OutMessage* message = nullptr;
    Piece* piece = nullptr;
    uint32_t offset = 0;
    uint32_t fsn = 0;
    uint16_t length = 0;
    bool first = false;
    bool last = false;
  };

  SendScheduler(MessagePool& pool, size_t maxBytes) : pool_(pool), maxBytes_(maxBytes) {}
  ~SendScheduler() { clear(); }
  SendScheduler(const SendScheduler&) = delete;
  SendScheduler& operator=(const SendScheduler&) = delete;

  /// RFC 8260 was negotiated. `window`: the peer's receiver window when the association came up,
  /// which bounds the sizes of messages begun and not ended, so that their halves cannot fill it.
  void setInterleaving(bool on, size_t window);

  /// Whether a part of this size is within the bound now. Control messages always are.
  bool fits(size_t bytes) const;
  /// Queues a message, or the first part of one that `append` continues. Not empty.
  void push(const Request& request, ByteSpan data, bool complete);
  /// Whether the stream's newest message awaits more parts.
  bool isGrowing(uint16_t stream) const;
  /// The next part of the growing message; the last one may be empty only if bytes still wait or
  /// the message was abandoned: `canEndEmpty`.
  void append(uint16_t stream, ByteSpan data, bool complete);
  bool canEndEmpty(uint16_t stream) const;
  /// Bytes of the growing message so far.
  size_t grownBytes(uint16_t stream) const;

  /// The message whose turn it is; null if nothing can go. Stays until the next change.
  OutMessage* front();
  /// Up to `length` bytes of the front message.
  Fragment cut(size_t length);
  /// Drops what is left of a queued message; it counts as abandoned. Parts still to come are
  /// swallowed.
  void abandon(OutMessage& message);

  bool empty() const { return queued_ == 0; }
  /// Some message has bytes whose turn can come.
  bool hasReady() const { return pinned_ != nullptr ? pinned_->waiting > 0 : !heap_.empty(); }
  /// The stream's growing message will not be ended: it is dropped.
  void breakOff(uint16_t stream);
  /// Gives memory of past turns back.
  void trim();
  bool hasQueued(uint16_t stream) const;
  /// The message of the stream that has been begun and not ended, or null.
  OutMessage* begun(uint16_t stream) const;
  void discard(uint16_t stream);
  /// The stream starts again with sequence numbers of zero (RFC 6525).
  void resetNumbers(uint16_t stream);
  void clear();

  size_t buffered() const { return buffered_; }
  size_t buffered(uint16_t stream) const;
  /// Streams whose buffered bytes fell since they were last named here.
  bool pollDecreased(uint16_t& stream);

 private:
  struct Stream {
    OutMessage* head = nullptr;
    OutMessage* tail = nullptr;
    size_t buffered = 0;
    size_t grown = 0;
    uint64_t finish = 0;
    uint32_t nextOrdered = 0;
    uint32_t nextUnordered = 0;
    bool scheduled = false;
    bool decreaseNoted = false;
  };
  struct Entry {
    uint64_t start;
    uint64_t order;
    uint16_t weight;
    uint16_t stream;
    bool operator>(const Entry& o) const {
      if (start != o.start) return start > o.start;
      return weight != o.weight ? weight < o.weight : order > o.order;
    }
  };

  static uint64_t cost(size_t bytes, uint16_t weight);
  void schedule(uint16_t id, Stream& stream);
  void addPiece(OutMessage& message, ByteSpan data);
  void begin(OutMessage& message, Stream& stream);
  void popMessage(uint16_t id, Stream& stream);
  void dropPieces(OutMessage& message);
  void decrease(uint16_t id, Stream& stream, size_t bytes);
  void endStarted(OutMessage& message);
  void forgetSchedule(uint16_t id, Stream& stream);
  bool mustWait(const OutMessage& message) const;

  MessagePool& pool_;
  size_t maxBytes_;
  bool interleaving_ = false;
  size_t startedLimit_ = 0;
  size_t startedBytes_ = 0;
  size_t startedCount_ = 0;
  std::unordered_map<uint16_t, Stream> streams_;
  std::vector<Entry> heap_;
  std::vector<uint16_t> parked_;  ///< would start a large message while too many are begun
  OutMessage* pinned_ = nullptr;  ///< without interleaving: begun, must be ended first
  uint64_t virtualTime_ = 0;
  uint64_t order_ = 0;
  size_t charged_ = 0;
  size_t buffered_ = 0;
  size_t queued_ = 0;  ///< messages
  std::vector<uint16_t> decreased_;
};

}  // namespace parley::sctp
