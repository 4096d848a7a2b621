#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/limits.h"
#include "parley/base/log.h"
#include "parley/base/memory_budget.h"
#include "parley/base/random.h"
#include "parley/base/result.h"
#include "parley/endpoint/unknown_ufrag.h"

namespace parley {

/// A check that no connection expects (Loop::onUnknownUfrag).
using endpoint::UnknownUfrag;

/// Who may call into a loop's objects.
enum class Threading {
  Serialized,  ///< any thread, any time: each call takes the loop's mutex
  Unlocked,    ///< only the thread that runs the loop; no mutex (servers, embedders)
};

/// Where encoders and decoders work.
enum class MediaThreads {
  Workers,  ///< three worker threads per loop, started when needed: encode, decode, and sound
  Inline,   ///< on the loop's thread, at once: deterministic, for simulation and tests
};

/// What a loop is made with; fixed from then on.
struct LoopOptions {
  Threading threading = Threading::Serialized;        ///< see there
  MediaThreads mediaThreads = MediaThreads::Workers;  ///< see there
  Limits limits{};                                    ///< of what peers may make it keep
  /// The budget of memory for fast transfers (parley/base/memory_budget.h), to be shared by all
  /// loops of a process; null: each loop has one of Limits::maxSharedBuffers. Must outlive the
  /// loop.
  MemoryBudget* memory = nullptr;
  /// Silence if null. Must outlive the loop.
  LogSink* log = nullptr;
  /// For servers: UDP ports that all connections of the loop share, told apart by their checks (RFC
  /// 8445 section 7.3) and proven addresses. Each is an address and a port: address unspecified
  /// means all of the family, port 0 any free one. Host candidates are made of these alone. They
  /// are opened as soon as the loop runs. Empty: each connection has ports of its own, as in
  /// browsers. Two connections between the same two addresses cannot share a port at both ends.
  std::vector<SocketAddress> udpPorts{};
  /// The same for TCP: passive candidates of all connections are made of these alone, and what is
  /// accepted belongs to the connection that its first check names (RFC 6544). What names none is
  /// closed after 5 s; at most Limits::maxWaitingTcp of them wait at a time.
  std::vector<SocketAddress> tcpPorts{};
  /// The network device that all sockets of the loop are bound to (SO_BINDTODEVICE), whatever the
  /// routes say: a VPN's, a robot's radio. No other's addresses become candidates. Names of servers
  /// are looked up by the system's resolver, which knows nothing of it. Empty: all devices. Without
  /// a device of that name connections find no candidates.
  std::string bindDevice{};
  /// The system's generator if null. Must outlive the loop.
  Random* random = nullptr;
  /// Runs every callback instead of the loop's thread, e.g. by posting to a GUI's queue. Must run
  /// what it is given in the order given, one at a time.
  std::function<void(std::function<void()>)> executor{};
  /// The time, for embedders and simulations that have their own; the system's monotonic clock if
  /// empty.
  std::function<Timestamp()> clock{};
  /// What ties `clock` to the wall clock, asked once a second; needed only together with `clock`.
  std::function<WallClock()> wallClock{};
};

namespace api_internal {
class LoopCore;
class LoopRunner;
}  // namespace api_internal

/// One event loop with its own sockets, timers and memory pools: the home of peer connections. Many
/// loops in one process do not see each other.
///
/// Three ways to run one: `startThread()` (a thread of the library's own); `run()` on a thread of
/// yours; or nested in another event loop through `fd()` and `process()`. An embedder with sockets
/// of its own (or the simulator) drives it through `driven()` instead and calls none of the three.
///
/// Callbacks of all objects of a loop run on the thread that runs the loop (or on `executor`), in
/// the order things happened, one at a time per PeerConnection, never inside the call that caused
/// them and never with a lock held: any method may be called from any callback.
class PARLEY_EXPORT Loop : public std::enable_shared_from_this<Loop> {
 public:
  /// Makes one; nothing runs yet.
  static std::shared_ptr<Loop> create(LoopOptions options = {});
  /// Stops it and closes its connections, whose handles stay valid.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs the loop on a new thread until `stop()` or until the last reference to it is gone.
  /// InvalidState if it runs already.
  Result<void> startThread();
  /// Runs the loop on the calling thread until `stop()`. InvalidState if it runs already.
  Result<void> run();
  /// Ends `run()` or the loop's thread after what runs just now. It waits for a thread that
  /// `startThread` made, unless called on it: that runs the loop until its callback has returned.
  /// `run()` returns soon. Where neither is under way the next `run()` ends at once. Any thread.
  void stop();
  /// An epoll descriptor that is readable whenever `process()` has work. Poll it together with
  /// `nextDeadline()`.
  int fd();
  /// One cycle without waiting: reads, timers, writes, callbacks.
  void process();
  /// When `process()` is due even if `fd()` stays silent; on the loop's clock.
  Timestamp nextDeadline() const;
  /// The loop's clock.
  Timestamp now() const;

  /// Runs `fn` on the loop's thread (or through `executor`), with no lock held, in the order of the
  /// calls. Any thread, also from callbacks; it never runs within this call.
  void post(std::function<void()> fn);
  /// Delivers at once what calls that were refused the moment they were made have to say (W3C:
  /// "return a promise rejected with"); `process()` and `run()` do so too, ahead of everything
  /// else. For language bindings, whose promise must be settled when the call returns. Only on the
  /// thread that runs the loop; also from inside a callback.
  void deliverSettled();
  /// Makes the loop look for work. Any thread.
  void wake();

  /// The same loop as something a simulator or an embedder drives. Valid as long as the loop.
  Driven& driven();
  /// Called (from any thread) whenever the loop has work that its driver does not know of. The
  /// three ways of running set it themselves; an embedder using `driven()` sets its own.
  void setWaker(std::function<void()> waker);

  /// Connections that are open, or still say good-bye to their peer. Who may ask: see Threading,
  /// here and below.
  size_t connectionCount() const;

  /// Those of LoopOptions::udpPorts that are open, with the port that was got for 0.
  std::vector<SocketAddress> udpPorts() const;
  /// The same of LoopOptions::tcpPorts.
  std::vector<SocketAddress> tcpPorts() const;
  /// Called for a check on a shared port for which no connection exists: a server that gave
  /// `localUfrag` out in a description (Configuration::iceUfrag) may make the connection now; the
  /// peer repeats its check. Anybody can cause this call. Checks repeat, so it may come several
  /// times; at most 256 wait, further ones are dropped. An empty function removes it.
  void onUnknownUfrag(std::function<void(const UnknownUfrag&)> callback);

  /// For the library's own objects.
  api_internal::LoopCore& core() { return *core_; }

 private:
  explicit Loop(LoopOptions options);
  std::shared_ptr<api_internal::LoopCore> core_;
  std::unique_ptr<api_internal::LoopRunner> runner_;
};

}  // namespace parley
