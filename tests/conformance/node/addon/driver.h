#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <node_api.h>
#include <optional>
#include <thread>

#include "parley/api/loop.h"

namespace parley::binding {

/// The loop of one Node environment. It runs on Node's own thread, so that the facade is
/// single-threaded for JavaScript; a helper thread only waits on the loop's descriptor and wakes
/// Node up.
class Driver {
 public:
  /// `cycle` is called on Node's thread whenever the loop has work; it is to call `process()`.
  Driver(napi_env env, napi_value cycle);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  const std::shared_ptr<Loop>& loop() const { return loop_; }
  napi_env env() const { return env_; }
  bool onNodeThread() const { return std::this_thread::get_id() == nodeThread_; }
  void process();
  /// Whether the loop keeps the process from ending.
  void setReferenced(bool referenced);

 private:
  static void cycle(napi_env env, napi_value function, void* context, void* data);
  void watch();
  void arm();

  napi_env env_;
  std::thread::id nodeThread_ = std::this_thread::get_id();
  std::shared_ptr<Loop> loop_;
  napi_threadsafe_function wake_ = nullptr;
  int stopPipe_[2] = {-1, -1};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool armed_ = false;
  bool stopping_ = false;
  Timestamp deadline_;
  std::thread watcher_;
};

}  // namespace parley::binding
