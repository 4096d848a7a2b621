// The engine's timers, seen. usrsctp keeps them in a list that nobody can ask for the next
// deadline, and it never restarts the retransmission timer when data is acknowledged. RFC 9260
// section 6.3.2 R3: "Whenever a SACK chunk is received that acknowledges the DATA chunk with the
// earliest outstanding TSN for that address, the T3-rtx timer for that address is restarted with
// its current RTO". Without that, a sender that is never idle meets a timeout each RTO, and where
// the round trip hardly varies each of them halves its window.
//
// So where the linker can (GNU ld, gold, lld: --wrap, set by the build when usrsctp is a static
// library), the two calls by which the engine starts and stops a timer come through here. Elsewhere
// these functions are never called, and associations poll.

#include <algorithm>
#include <cstring>

#include "sctp/usrsctp_stack.h"

extern "C" {
__attribute__((weak)) int __real_sctp_os_timer_start(void* timer, uint32_t ticks,
                                                     void (*run)(void*), void* argument);
__attribute__((weak)) int __real_sctp_os_timer_stop(void* timer);
int __wrap_sctp_os_timer_start(void* timer, uint32_t ticks, void (*run)(void*), void* argument);
int __wrap_sctp_os_timer_stop(void* timer);

int __wrap_sctp_os_timer_start(void* timer, uint32_t ticks, void (*run)(void*), void* argument) {
  return parley::sctp::UsrSctpStack::instance().onTimerStart(timer, ticks, run, argument);
}

int __wrap_sctp_os_timer_stop(void* timer) {
  return parley::sctp::UsrSctpStack::instance().onTimerStop(timer);
}
}

namespace parley::sctp {
namespace {

/// usrsctp 0.9.5's struct sctp_timer begins with the callout (two list pointers, a 32-bit time, two
/// pointers, 32-bit flags), followed by an int that names the timer's purpose.
constexpr size_t kTypeOffset = 48;
constexpr int kTypeRetransmission = 1;

bool isRetransmissionTimer(const void* timer) {
  int type = 0;
  std::memcpy(&type, static_cast<const uint8_t*>(timer) + kTypeOffset, sizeof type);
  return type == kTypeRetransmission;
}

}  // namespace

int UsrSctpStack::onTimerStart(void* timer, uint32_t ticks, void (*run)(void*), void* argument) {
  const auto known = timerOwners_.find(timer);
  // The running one goes first: memory of a timer may have been another association's before.
  Port* const owner = running_ != nullptr           ? running_
                      : known != timerOwners_.end() ? known->second
                                                    : nullptr;
  const bool isOurs = argument == timer && (timeoutHandler_ == nullptr || timeoutHandler_ == run);
  if (owner == nullptr || !isOurs) return __real_sctp_os_timer_start(timer, ticks, run, argument);
  timersHooked_ = true;
  timeoutHandler_ = run;
  Timer& entry = timerOf(*owner, timer);
  entry.running = true;
  entry.intervalMillis = std::max<int64_t>(ticks, 1);
  entry.startedMillis = nowMillis();
  entry.dueMillis = entry.startedMillis + entry.intervalMillis;
  entry.isRetransmission = isRetransmissionTimer(timer);
  return arm(entry);
}

int UsrSctpStack::arm(const Timer& timer) const {
  return __real_sctp_os_timer_start(timer.handle,
                                    static_cast<uint32_t>(timer.dueMillis - nowMillis()),
                                    &UsrSctpStack::onTimerDue, timer.handle);
}

int UsrSctpStack::onTimerStop(void* timer) {
  if (Timer* const entry = findTimer(timer)) entry->running = false;
  return __real_sctp_os_timer_stop(timer);
}

UsrSctpStack::Timer* UsrSctpStack::findTimer(void* handle) {
  const auto owner = timerOwners_.find(handle);
  return owner != timerOwners_.end() ? &timerOf(*owner->second, handle) : nullptr;
}

UsrSctpStack::Timer& UsrSctpStack::timerOf(Port& port, void* handle) {
  for (Timer& timer : port.timers) {
    if (timer.handle == handle) {
      timerOwners_[handle] = &port;
      return timer;
    }
  }
  timerOwners_[handle] = &port;
  port.timers.emplace_back().handle = handle;
  return port.timers.back();
}

void UsrSctpStack::onTimerDue(void* handle) {
  UsrSctpStack& stack = instance();
  Port* const before = stack.running_;
  const auto owner = stack.timerOwners_.find(handle);
  if (owner != stack.timerOwners_.end()) {
    Port& port = *owner->second;
    Timer& timer = stack.timerOf(port, handle);
    timer.running = false;
    // Data was acknowledged while it ran: this is the restart that the engine left out.
    const int64_t restarted = port.ackedMillis + timer.intervalMillis;
    if (timer.isRetransmission && port.ackedMillis > timer.startedMillis &&
        restarted > stack.nowMillis()) {
      timer.running = true;
      timer.startedMillis = port.ackedMillis;
      timer.dueMillis = restarted;
      stack.arm(timer);
      return;
    }
    if (&port != before) port.attention = true;
    stack.running_ = &port;
  }
  stack.timeoutHandler_(handle);
  stack.running_ = before;
}

Timestamp UsrSctpStack::nextTimer(const Port& port, const ClockLink& link) const {
  Timestamp next = Timestamp::never();
  for (const Timer& timer : port.timers) {
    if (timer.running)
      next = earliest(next, Timestamp::nanos(timer.dueMillis * 1'000'000 - link.offset));
  }
  return next;
}

}  // namespace parley::sctp
