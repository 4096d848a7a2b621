#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "parley/base/bytes.h"
#include "parley/base/time.h"

#include "sctp/packet_queue.h"

namespace parley::sctp {

/// The process's one usrsctp. Machine rule M7's recorded exception: usrsctp has one global state,
/// one output callback and one timer wheel, so there is one of this, made at first use and never
/// ended (ending it while an association of another thread lives would pull the rug from under it).
///
/// Every call into usrsctp happens with a Guard held. usrsctp calls back only from inside such a
/// call: with its own locks held, so the callbacks copy into the port and return. Re-entering from
/// there deadlocks.
///
/// usrsctp names peers by pointer-sized addresses. Here these are counted ids, never pointers and
/// never reused, so a late packet for a dead association finds nothing.
class UsrSctpStack {
 public:
  /// One association's mailbox; owned by the association, filled under the Guard, perhaps by
  /// another loop's thread whose tick ran this association's timer.
  struct Port {
    explicit Port(size_t slotSize, size_t maxPackets) : outbox(slotSize, maxPackets) {}
    uintptr_t id = 0;
    PacketQueue outbox;
    uint64_t droppedTransmits = 0;  ///< outbox full; SCTP repeats them
    bool readable = false;          ///< the upcall saw something to read
  };

  class Guard {
   public:
    explicit Guard(UsrSctpStack& stack) : lock_(stack.mutex_) {}

   private:
    std::lock_guard<std::mutex> lock_;
  };

  /// Ties one association's clock to the stack's.
  struct ClockLink {
    int64_t offset = 0;
    bool linked = false;
  };

  static UsrSctpStack& instance();

  /// Gives the port its id and makes it known. Guard held.
  void attach(Port& port);
  void detach(Port& port);

  /// Feeds usrsctp the time that has passed. Loops may have clocks of different origin (worlds of a
  /// simulator); the stack's time is the progress of the one that is furthest. An association whose
  /// clock lags is linked anew, so time never runs backwards nor twice. Guard held.
  void tick(ClockLink& link, Timestamp now);

  /// Room to receive into. Guard held.
  MutableByteSpan scratch() { return {scratch_.get(), kScratchSize}; }

 private:
  static constexpr size_t kScratchSize = 65'536;

  UsrSctpStack();
  static int onOutput(void* address, void* packet, size_t size, uint8_t tos, uint8_t setDf);

  std::mutex mutex_;
  std::unordered_map<uintptr_t, Port*> ports_;
  uintptr_t nextId_ = 1;
  std::unique_ptr<uint8_t[]> scratch_;
  ClockLink reference_;   ///< the link last made
  int64_t fedNanos_ = 0;  ///< the stack's time, as far as usrsctp was told
};

}  // namespace parley::sctp
