#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/time.h"

namespace parley::sctp {

/// A run of bytes of one message, shared by the queue and the fragments in flight that lie in it.
struct Piece {
  Bytes data;
  uint32_t refs = 0;
  Piece* next = nullptr;  ///< of the same message
};

/// A message on its way out: in the queue, in flight, or both. It may still be growing: the
/// application hands over large messages in parts.
struct OutMessage {
  static constexpr uint32_t kUnlimited = 0xFFFF'FFFF;

  uint16_t stream = 0;
  uint16_t weight = 256;
  uint32_t ppid = 0;
  uint32_t maxRetransmits = kUnlimited;
  Timestamp expires = Timestamp::never();
  bool unordered = false;
  bool control = false;    ///< not the application's bytes
  bool started = false;    ///< a fragment has left
  bool complete = false;   ///< no more parts will come
  bool sentLast = false;   ///< its last fragment has left
  bool abandoned = false;  ///< RFC 3758: neither sent nor repeated any more

  uint32_t id = 0;        ///< SSN or MID; given with the first fragment
  uint32_t nextFsn = 0;   ///< RFC 8260: number of the next fragment
  uint32_t firstTsn = 0;  ///< of its fragments that have left
  uint32_t lastTsn = 0;
  size_t reserved = 0;  ///< what it was counted with among the started ones

  Piece* head = nullptr;  ///< unsent bytes
  Piece* tail = nullptr;
  size_t headOffset = 0;
  size_t waiting = 0;  ///< unsent bytes in all
  uint32_t refs = 0;   ///< the queue's, and one per fragment in flight
  OutMessage* next = nullptr;

  bool isPartiallyReliable() const { return maxRetransmits != kUnlimited || !expires.isNever(); }
};

/// Keeps spent messages and pieces for reuse, so that steady traffic allocates nothing, up to a
/// bound, so that one big transfer does not stay in memory.
class MessagePool {
 public:
  MessagePool() = default;
  MessagePool(const MessagePool&) = delete;
  MessagePool& operator=(const MessagePool&) = delete;
  ~MessagePool();

  OutMessage* takeMessage();
  Piece* takePiece();
  /// Drops one reference; at zero the object is kept for reuse or freed.
  void release(OutMessage* message);
  void release(Piece* piece);
  /// Gives most of the spare memory back: nothing has been sent for a while.
  void trim();
  size_t spareBytes() const { return spareBytes_; }

 private:
  void freePieces(size_t keepBytes);

  std::vector<OutMessage*> messages_;
  std::vector<Piece*> pieces_;
  size_t spareBytes_ = 0;
};

}  // namespace parley::sctp
