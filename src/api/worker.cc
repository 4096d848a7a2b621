#include "api/worker.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace parley::api_internal {

struct Worker::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> jobs;
  bool stopping = false;
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return stopping || !jobs.empty(); });
      if (stopping) return;
      std::function<void()> job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = {};
      lock.lock();
    }
  }
};

Worker::Worker(bool runsInline) : inline_(runsInline), state_(std::make_shared<State>()) {}

Worker::~Worker() {
  std::thread thread;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    thread = std::move(state_->thread);
  }
  state_->wake.notify_all();
  if (!thread.joinable()) return;
  // The last reference to a loop may die inside one of its own jobs; a thread cannot join itself.
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void Worker::post(std::function<void()> job) {
  if (inline_) {
    job();
    return;
  }
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping) return;
    state_->jobs.push_back(std::move(job));
    if (!state_->thread.joinable())
      state_->thread = std::thread([state = state_] { state->run(); });
  }
  state_->wake.notify_one();
}

}  // namespace parley::api_internal
