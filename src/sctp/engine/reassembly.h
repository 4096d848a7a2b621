#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/ring_queue.h"
#include "parley/sctp/association.h"

namespace parley::sctp {

/// Puts fragments together into messages and messages into order, per stream.
///
/// Every fragment has a position on its stream such that those of one message follow each other
/// without a hole: its TSN (DATA), or its message's MID with the fragment number behind it
/// (I-DATA). What arrives in order is appended to its message at once, what does not waits loose.
/// All that is held is counted, with a price for each item, so that no peer gets more memory than
/// the receiver window.
class Reassembly {
 public:
  struct Fragment {
    uint16_t stream = 0;
    uint32_t ppid = 0;  ///< I-DATA: of the first fragment only
    bool unordered = false;
    bool first = false;
    bool last = false;
    uint32_t id = 0;       ///< SSN or MID
    int64_t position = 0;  ///< DATA: the TSN, unwrapped; I-DATA: the FSN
    ByteSpan data;
  };
  /// What an item costs beyond its bytes.
  static constexpr size_t kItemOverhead = 96;
  static constexpr size_t kStreamOverhead = 320;

  /// Messages above `maxMessage`, and those above `maxWhole` that are not taken in parts, are
  /// dropped and reported.
  Reassembly(size_t maxMessage, size_t maxWhole);

  void setInterleaving(bool on) { interleaving_ = on; }
  /// Messages of this stream that are larger than `bytes` come in parts of about that size; 0: only
  /// whole messages.
  void setPartSize(uint16_t stream, size_t bytes);

  /// Takes a fragment; false: it contradicts others (the peer is broken; the association should
  /// end).
  bool add(const Fragment& fragment);
  /// FORWARD TSN: the ordered messages of the stream up to `ssn` will not come any more.
  void skip(uint16_t stream, uint16_t ssn);
  /// I-FORWARD-TSN: the same for messages up to `mid`, ordered or unordered.
  void skip(uint16_t stream, bool unordered, uint32_t mid);
  /// FORWARD TSN, before its list: what waits for a fragment up to this position is dead. Returns
  /// how many streams it had to look at.
  size_t dropBefore(int64_t position);
  /// The peer starts the stream again with sequence numbers of zero.
  void resetStream(uint16_t stream);
  void resetAll();
  void push(Inbound::Kind kind, uint16_t stream);
  void clear();

  bool poll(Inbound& out);
  bool hasInbound() const { return !inbox_.empty(); }
  /// Bytes held in all, ready to be read or not.
  size_t heldBytes() const { return held_; }
  /// Gives spare memory back: nothing has arrived for a while.
  void trim();

 private:
  /// A message whose beginning is there and whose end is not.
  struct Run {
    int64_t next = 0;  ///< position of the fragment that it waits for
    uint32_t id = 0;
    uint32_t ppid = 0;
    bool tooBig = false;
    bool partsOut = false;  ///< the first part has been delivered
    size_t size = 0;        ///< in all so far
    Bytes data;
  };
  struct Loose {
    uint32_t id = 0;
    uint32_t ppid = 0;
    bool first = false;
    bool last = false;
    Bytes data;
  };
  struct Ready {
    uint32_t ppid = 0;
    bool deliver = true;
    bool partsOut = false;
    Bytes data;
  };
  /// One order of messages within a stream: the ordered or the unordered ones.
  struct Lane {
    std::vector<Run> runs;
    std::map<int64_t, Loose> loose;
    bool empty() const { return runs.empty() && loose.empty(); }
  };
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  /// What a stream holds; most hold nothing.
  struct Pending {
    Lane lanes[2];  ///< [1]: unordered
    std::map<int64_t, Ready> ready;
    int64_t waitsFrom = kNever;  ///< no fragment waits for or at an earlier position
    uint16_t id = 0;
    size_t index = 0;  ///< in pending_
    bool empty() const { return lanes[0].empty() && lanes[1].empty() && ready.empty(); }
  };
  struct Stream {
    int64_t nextId = 0;  ///< ordered message to deliver next, unwrapped
    size_t partSize = 0;
    std::unique_ptr<Pending> pending;
  };

  int64_t unwrapId(const Stream& stream, uint32_t id) const;
  int64_t position(const Fragment& f) const;
  bool isNewerId(uint32_t a, uint32_t b) const;
  Pending& need(uint16_t id, Stream& stream);
  void settle(Stream& stream);
  void place(Pending* pending, size_t index);
  void reorder(size_t index);
  void awaitFrom(Pending& pending, int64_t position);
  void dropOverdue(Pending& pending, int64_t position);
  static Run* findRun(Lane& lane, int64_t position);
  bool addToMessage(uint16_t id, Stream& stream, const Fragment& f);
  /// True when the message is complete and the run gone.
  bool extend(uint16_t id, Stream& stream, bool unordered, Run& run, ByteSpan data, bool last);
  void absorbLoose(uint16_t id, Stream& stream, bool unordered, int64_t position);
  void finishRun(uint16_t id, Stream& stream, bool unordered, Run& run);
  void finish(uint16_t id, Stream& stream, bool unordered, uint32_t messageId, Ready&& message);
  void deliver(uint16_t id, uint32_t ppid, bool unordered, Bytes&& data, bool first, bool last);
  void deliverPart(uint16_t id, Stream& stream, bool unordered, Run& run);
  void advanceOrder(uint16_t id, Stream& stream);
  void skipTo(uint16_t id, Stream& stream, int64_t next);
  void dropSkipped(Stream& stream, int64_t next);
  void dropRun(Lane& lane, size_t index);
  void dropLoose(Lane& lane, std::map<int64_t, Loose>::iterator at);
  void dropAll(Stream& stream);
  Bytes takeSpare(size_t size);
  Bytes takeForRun(size_t size);
  void fit(Bytes& data);
  void giveSpare(Bytes&& data);

  size_t maxMessage_;
  size_t maxWhole_;
  bool interleaving_ = false;
  std::unordered_map<uint16_t, Stream> streams_;
  /// Of the streams that hold something: a heap, the first one waits from the earliest position.
  /// Each has one entry, so it is bounded as they are.
  std::vector<Pending*> pending_;
  std::unique_ptr<Pending> sparePending_;
  RingQueue<Inbound> inbox_;
  size_t held_ = 0;
  size_t openRuns_ = 0;
  /// Spare buffers by size: those of the last kind are for messages that grow.
  static constexpr size_t kSpareKinds = 5;
  std::array<std::vector<Bytes>, kSpareKinds> spare_;
  size_t spareBytes_ = 0;
};

}  // namespace parley::sctp
