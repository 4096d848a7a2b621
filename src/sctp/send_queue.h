#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/ring_queue.h"
#include "parley/base/time.h"
#include "parley/sctp/association.h"

namespace parley::sctp {

/// What waits for the engine, and what the engine holds but has not put on the wire.
///
/// Waiting messages are chosen by weighted fair queueing over streams (RFC 8831 section 6.4): each
/// head message has a virtual finish time, size / weight after that of its predecessor; the
/// smallest goes next. Within a stream the order is kept.
class SendQueue {
 public:
  struct Waiting {
    uint32_t ppid = 0;
    Bytes data;
    bool unordered = false;
    std::optional<uint16_t> maxRetransmits;
    Timestamp expires = Timestamp::never();
    uint16_t weight = 256;
    bool control = false;
    bool beyondLimit = false;
  };

  explicit SendQueue(size_t maxBytes) : maxBytes_(maxBytes) {}

  /// False when the buffer is full, unless the message goes beyond the limit.
  bool push(uint16_t stream, Waiting message);
  /// A buffer with capacity from an earlier message, to fill `Waiting::data` with.
  Bytes takeSpare();
  void returnSpare(Bytes&& data);

  /// The message to go next; nullptr if none waits. Valid until the next change.
  Waiting* front(uint16_t& stream);
  /// The front message is now the engine's, or is dropped.
  void popToEngine();
  void popDropped();

  /// Bytes of a stream left for the network the first time.
  void onTransmitted(uint16_t stream, size_t bytes) { consume(stream, bytes); }
  /// The engine gave up on bytes that had not left.
  void onAbandoned(uint16_t stream, size_t bytes) { consume(stream, bytes); }
  /// The engine holds at most so many unsent bytes: what the books show beyond that was abandoned.
  void limitEngine(size_t bytes);

  bool waiting() const { return !heap_.empty(); }
  bool waiting(uint16_t stream) const;
  void discardWaiting(uint16_t stream);
  void clear();
  /// Bytes handed to the engine and not on the wire yet.
  size_t engineBytes() const { return engineBytes_; }
  size_t buffered() const { return buffered_; }
  size_t buffered(uint16_t stream) const;
  /// Streams whose buffered bytes fell since they were last named here.
  bool pollDecreased(uint16_t& stream);

 private:
  struct Handed {
    size_t remaining = 0;
    bool control = false;
  };
  struct Stream {
    RingQueue<Waiting> waiting{size_t{1} << 24};
    RingQueue<Handed> handed{size_t{1} << 24};
    size_t buffered = 0;
    uint64_t lastFinish = 0;
    bool decreaseNoted = false;
  };
  struct Entry {
    uint64_t finish;
    uint64_t order;
    uint16_t stream;
    bool operator>(const Entry& o) const {
      return finish != o.finish ? finish > o.finish : order > o.order;
    }
  };

  static size_t charge(const Waiting& message);
  void schedule(uint16_t id, Stream& stream);
  void popHeap();
  void consume(uint16_t id, size_t bytes);
  void decrease(uint16_t id, Stream& stream, size_t bytes);

  size_t maxBytes_;
  std::unordered_map<uint16_t, Stream> streams_;
  std::vector<Entry> heap_;
  uint64_t virtualTime_ = 0;
  uint64_t order_ = 0;
  size_t charged_ = 0;
  size_t engineBytes_ = 0;
  size_t buffered_ = 0;
  std::vector<uint16_t> decreased_;
  std::vector<Bytes> spare_;
};

}  // namespace parley::sctp
