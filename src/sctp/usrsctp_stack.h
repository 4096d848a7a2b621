#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

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
  /// One of the engine's timers. Entries stay when they stop: the engine starts them again and
  /// again.
  struct Timer {
    void* handle = nullptr;
    bool running = false;
    int64_t dueMillis = 0;  ///< stack time
    int64_t intervalMillis = 0;
    int64_t startedMillis = 0;
    bool isRetransmission = false;
  };

  /// One association's mailbox; owned by the association, filled under the Guard, perhaps by
  /// another loop's thread whose tick ran this association's timer.
  struct Port {
    explicit Port(size_t slotSize, size_t maxPackets) : outbox(slotSize, maxPackets) {}
    uintptr_t id = 0;
    PacketQueue outbox;
    uint64_t droppedTransmits = 0;      ///< outbox full; SCTP repeats them
    bool readable = false;              ///< the upcall saw something to read
    std::optional<uint32_t> sackedTsn;  ///< what the engine last acknowledged
    /// Another association's tick ran a timer of this one. The only member to be read without the
    /// Guard: unless it is set, nothing in here has changed since the owner's last call.
    std::atomic<bool> attention = false;
    std::vector<Timer> timers;  ///< running ones, if the timers are hooked
    int64_t ackedMillis = -1;   ///< stack time of the last advance of the cumulative TSN ack
  };

  /// Holds the lock, and says whose code runs in the engine.
  class Guard {
   public:
    Guard(UsrSctpStack& stack, Port& port) : lock_(stack.mutex_), stack_(stack) {
      stack_.running_ = &port;
    }
    ~Guard() { stack_.running_ = nullptr; }

   private:
    std::lock_guard<std::mutex> lock_;
    UsrSctpStack& stack_;
  };

  /// Ties one association's clock to the stack's.
  struct ClockLink {
    int64_t offset = 0;
    bool linked = false;
    std::optional<Timestamp> laggingSince{};
  };

  static UsrSctpStack& instance();

  /// Gives the port its id and makes it known. Guard held.
  void attach(Port& port);
  void detach(Port& port);

  /// Feeds usrsctp the time that has passed. Loops may have clocks of different origin (worlds of a
  /// simulator); the stack's time is the progress of the one that is furthest. An association whose
  /// clock goes on lagging is linked anew, so time never runs backwards nor twice. Guard held.
  void tick(Port& port, ClockLink& link, Timestamp now);

  /// Whether the engine's timers are ours to see (see usrsctp_timers.cc). If not, nobody knows when
  /// the next one is due.
  bool timersHooked() const { return timersHooked_; }
  /// When the port's next timer is due, in the time of the clock of `link`. Guard held.
  Timestamp nextTimer(const Port& port, const ClockLink& link) const;
  int64_t nowMillis() const { return fedNanos_ / 1'000'000; }

  // Called by the engine through the hooks, hence with the Guard held.
  int onTimerStart(void* timer, uint32_t ticks, void (*run)(void*), void* argument);
  int onTimerStop(void* timer);

  /// Room to receive into. Guard held.
  MutableByteSpan scratch() { return {scratch_.get(), kScratchSize}; }

 private:
  static constexpr size_t kScratchSize = 65'536;

  UsrSctpStack();
  static void onTimerDue(void* timer);
  static void followLag(ClockLink& link, Timestamp now, int64_t lagNanos);
  Timer* findTimer(void* handle);
  Timer& timerOf(Port& port, void* handle);
  int arm(const Timer& timer) const;
  static int onOutput(void* address, void* packet, size_t size, uint8_t tos, uint8_t setDf);

  std::mutex mutex_;
  std::unordered_map<uintptr_t, Port*> ports_;
  std::unordered_map<void*, Port*> timerOwners_;
  Port* running_ = nullptr;
  void (*timeoutHandler_)(void*) = nullptr;
  bool timersHooked_ = false;
  uintptr_t nextId_ = 1;
  std::unique_ptr<uint8_t[]> scratch_;
  ClockLink reference_;   ///< the link last made
  int64_t fedNanos_ = 0;  ///< the stack's time, as far as usrsctp was told
};

}  // namespace parley::sctp
