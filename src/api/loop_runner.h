#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "parley/api/loop.h"
#include "parley/io/event_loop.h"

namespace parley::api_internal {

/// Runs a LoopCore on real sockets: on a thread of its own, on the caller's, or nested. Makes the
/// event loop only when one of them is asked for, so that a simulated loop owns no descriptor.
class LoopRunner {
 public:
  explicit LoopRunner(std::shared_ptr<LoopCore> core) : core_(std::move(core)) {}
  ~LoopRunner();

  Result<void> startThread();
  Result<void> run();
  void stop();
  io::EventLoop& eventLoop();
  /// When `process()` is due.
  Timestamp nextDeadline() const;

 private:
  Result<void> claim();

  const std::shared_ptr<LoopCore> core_;
  mutable std::mutex mutex_;
  /// Until whoever runs the loop has left it, however it was asked to; this object may be gone
  /// then.
  const std::shared_ptr<std::atomic<bool>> running_ = std::make_shared<std::atomic<bool>>(false);
  // Shared with the thread, which may outlive this object when the last handle dies on it.
  std::shared_ptr<io::EventLoop> eventLoop_;
  std::thread thread_;  ///< also while it ends by itself, and after
};

}  // namespace parley::api_internal
