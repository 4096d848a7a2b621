#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/log.h"
#include "parley/base/time.h"
#include "parley/io/udp_socket.h"

// What this room is: the outside world for anything that is `Driven`, by epoll and the socket calls
// of Linux. A packet's way in: epoll -> UdpSocket::receive (recvmmsg into the Driven's pool) ->
// Driven::handle; out: Driven::pollTransmit -> UdpSocket::send (sendmmsg, UDP_SEGMENT). May use
// base only. A port to another system replaces this folder.

namespace parley::io {

struct EventLoopOptions {
  UdpSocketOptions udp{};
  LogSink* log = nullptr;
  /// Accepted connections that one listener may have at a time; more are closed at once.
  size_t maxAcceptedPerListener = 256;
  /// All sockets, UDP and TCP, are bound to this network device, and no other is shown to what
  /// watches interfaces. Names are looked up by the system's resolver, which knows nothing of it.
  /// Empty: no device.
  std::string device{};
};

struct EventLoopCounters {
  uint64_t cycles = 0;
  uint64_t wakes = 0;  ///< through wake()
  uint64_t advances = 0;
  uint64_t progressViolations = 0;  ///< advance(t) that left nextDeadline() <= t (machine rule M4)
  UdpCounters udp{};                ///< sum over all UDP sockets, closed ones included
};

/// Runs one or more Driven on real sockets. One cycle: wait -> receive -> handle -> advance ->
/// dispatch -> pollTransmit -> send -> effects, again while there is something to do. Callbacks run
/// before packets leave, so that what they answer and what the machines answer share packets and
/// system calls. Where many datagrams came at once, packets leave before the callbacks as well: a
/// transfer goes on while the app looks at what it brought.
///
/// Threads: run(), process(), add() and remove() belong to one thread at a time; wake(), flush()
/// and stop() may be called from any. An exception of a user callback leaves run() or process() and
/// everything stays usable.
class PARLEY_EXPORT EventLoop {
 public:
  /// The Driven must outlive the loop or be removed first.
  explicit EventLoop(Driven& driven, EventLoopOptions options = {});
  /// Closes all sockets.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void add(Driven& driven);
  /// Closes its sockets; nothing more is fed to it. Not from within its own calls.
  void remove(Driven& driven);

  /// Until stop(). A stop() before run() makes that run() return after one cycle.
  void run();
  void stop();
  /// A stop() that no run() has seen ends none.
  void forgetStop();
  /// Makes the loop look at its Driven again soon: to call after something was put into one from
  /// outside the loop's thread. Cheap if a wake is pending already.
  void wake();
  /// The same for something that has packets to send and nothing else that is new: where the loop
  /// sleeps, they are sent by the calling thread at once, which spares them the time that a thread
  /// takes to wake up. Any thread; nothing to do inside of the loop's own calls. No lock may be
  /// held that the Driven takes.
  void flush();

  /// For nesting in another loop: poll fd() for reading, and call process() when it is readable or
  /// nextDeadline() has come. The descriptor stays the loop's own.
  int fd() const;
  /// Handles what is ready; never waits.
  void process();
  Timestamp nextDeadline() const;
  /// nextDeadline() as poll() wants it: milliseconds from now rounded up, -1 for never.
  int timeoutMillis() const;

  EventLoopCounters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace parley::io
