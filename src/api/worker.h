#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace parley::api_internal {

/// A thread that runs jobs in order, started with the first one. Inline workers run a job at once
/// on the caller's thread instead: the deterministic mode. Owners bound the number of jobs they
/// keep queued.
class Worker {
 public:
  explicit Worker(bool runsInline) : inline_(runsInline) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(std::function<void()> job);

 private:
  void run();

  const bool inline_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace parley::api_internal
