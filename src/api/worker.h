#pragma once

#include <functional>
#include <memory>
#include <thread>

namespace parley::api_internal {

/// A thread that runs jobs in order, started with the first one. Inline workers run a job at once
/// on the caller's thread instead: the deterministic mode. Owners bound the number of jobs they
/// keep queued.
class Worker {
 public:
  explicit Worker(bool runsInline);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(std::function<void()> job);

 private:
  struct State;
  const bool inline_;
  // The thread shares it: the last job may be what destroys this object.
  const std::shared_ptr<State> state_;
};

}  // namespace parley::api_internal
