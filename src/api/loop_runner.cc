#include "api/loop_runner.h"

#include <utility>

#include "api/loop_core.h"

namespace parley::api_internal {

io::EventLoop& LoopRunner::eventLoop() {
  const std::lock_guard lock(mutex_);
  if (!eventLoop_) {
    io::EventLoopOptions options;
    options.log = core_->options().log;
    options.device = core_->options().bindDevice;
    eventLoop_ = std::make_shared<io::EventLoop>(*core_, std::move(options));
    core_->setWaker([weak = std::weak_ptr<io::EventLoop>(eventLoop_)] {
      if (const auto loop = weak.lock()) loop->wake();
    });
    core_->setFlusher([weak = std::weak_ptr<io::EventLoop>(eventLoop_)] {
      if (const auto loop = weak.lock()) loop->flush();
    });
  }
  return *eventLoop_;
}

LoopRunner::~LoopRunner() {
  stop();
  // The last handle of the loop was dropped in one of its callbacks.
  if (thread_.joinable()) thread_.detach();
}

Result<void> LoopRunner::claim() {
  eventLoop();
  if (!running_->exchange(true)) return ok();
  return fail(ErrorCode::InvalidState,
              "the loop is running already; stopped in a callback it runs until that has returned");
}

Timestamp LoopRunner::nextDeadline() const {
  {
    const std::lock_guard lock(mutex_);
    // While another thread runs the loop its own waiting is nobody else's business.
    if (eventLoop_ && !*running_) return eventLoop_->nextDeadline();
  }
  return core_->nextDeadline();
}

Result<void> LoopRunner::startThread() {
  if (Result<void> claimed = claim(); !claimed) return claimed;
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) thread_.join();  // it was stopped in a callback, and has left the loop
  eventLoop_->forgetStop();
  // The thread holds what it uses: the last handle of the loop may be dropped in one of its
  // callbacks.
  thread_ = std::thread([core = core_, loop = eventLoop_, running = running_] {
    loop->run();
    running->store(false);
  });
  return ok();
}

Result<void> LoopRunner::run() {
  if (Result<void> claimed = claim(); !claimed) return claimed;
  // As the thread does: the last handle of the loop may be dropped in one of its callbacks. The
  // core outlives the event loop that drives it.
  const std::shared_ptr<LoopCore> core = core_;
  const std::shared_ptr<io::EventLoop> loop = eventLoop_;
  // Also when a callback throws: the embedder may run the loop again.
  struct Released {
    const std::shared_ptr<std::atomic<bool>> running;
    ~Released() { running->store(false); }
  } released{running_};
  loop->run();
  return ok();
}

void LoopRunner::stop() {
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    if (eventLoop_) eventLoop_->stop();
    // Asked for in a callback: the thread ends when that has returned.
    if (thread_.get_id() == std::this_thread::get_id()) return;
    ended = std::move(thread_);
  }
  if (!ended.joinable()) return;
  ended.join();
  // If it had been asked already, it has left the loop without taking notice of us: what nobody
  // took notice of would end the next run() at once.
  const std::lock_guard lock(mutex_);
  if (!*running_) eventLoop_->forgetStop();
}

}  // namespace parley::api_internal
