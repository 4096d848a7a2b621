#pragma once

#include <cstddef>
#include <deque>
#include <functional>

#include "parley/base/export.h"

namespace parley::jsep {

/// The operations chain of webrtc-pc section 4.4.1.2: operations run one after the other, the first
/// at once, each ends with exactly one `finished()`. An operation may call `finished()` before it
/// returns, and may enqueue others.
class PARLEY_EXPORT OperationsChain {
 public:
  using Operation = std::function<void()>;

  /// False, and nothing runs, once closed.
  bool enqueue(Operation operation);
  /// The running operation has settled; the next one starts. No effect once closed.
  void finished();

  /// "Update the negotiation-needed flag": true if the caller may check now; false if it must wait,
  /// in which case `takeNegotiationCheck` reports once the chain has run empty.
  bool requestNegotiationCheck();
  /// Whether a postponed check is due now. Reading it clears it.
  bool takeNegotiationCheck();

  bool empty() const { return !running_ && waiting_.empty(); }
  size_t size() const { return waiting_.size() + (running_ ? 1 : 0); }
  /// Gives up what waits without running it: after close() nothing settles any more. The caller
  /// destroys it: callbacks in it may own what must not be destroyed just here.
  std::deque<Operation> close();

 private:
  void run();

  std::deque<Operation> waiting_;
  bool running_ = false;    // an operation has started and not finished
  bool unwinding_ = false;  // run() is on the stack
  bool checkOnEmpty_ = false;
  bool closed_ = false;
};

}  // namespace parley::jsep
