#include "driver.h"

#include <algorithm>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace parley::binding {

namespace {

LoopOptions options() {
  LoopOptions out;
  out.threading = Threading::Unlocked;
  return out;
}

}  // namespace

Driver::Driver(napi_env env, napi_value cycle) : env_(env), loop_(Loop::create(options())) {
  napi_value name;
  napi_create_string_utf8(env, "parley", NAPI_AUTO_LENGTH, &name);
  napi_create_threadsafe_function(env, cycle, nullptr, name, 0, 1, nullptr, nullptr, this,
                                  &Driver::cycle, &wake_);
  napi_unref_threadsafe_function(env, wake_);
  [[maybe_unused]] const int made = ::pipe(stopPipe_);
  loop_->fd();
  watcher_ = std::thread([this] { watch(); });
  arm();
}

Driver::~Driver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  [[maybe_unused]] const ssize_t written = ::write(stopPipe_[1], "x", 1);
  watcher_.join();
  ::close(stopPipe_[0]);
  ::close(stopPipe_[1]);
  napi_release_threadsafe_function(wake_, napi_tsfn_abort);
}

void Driver::process() {
  loop_->process();
}

void Driver::setReferenced(bool referenced) {
  if (referenced) {
    napi_ref_threadsafe_function(env_, wake_);
  } else {
    napi_unref_threadsafe_function(env_, wake_);
  }
}

void Driver::cycle(napi_env env, napi_value function, void* context, void*) {
  if (!env || !function) return;
  napi_value global, result;
  napi_get_global(env, &global);
  if (napi_call_function(env, global, function, 0, nullptr, &result) == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  static_cast<Driver*>(context)->arm();
}

void Driver::arm() {
  const std::lock_guard lock(mutex_);
  deadline_ = loop_->nextDeadline();
  armed_ = true;
  changed_.notify_all();
}

// One wait per cycle: what changes meanwhile makes the loop's descriptor readable.
void Driver::watch() {
  for (;;) {
    Timestamp deadline;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return armed_ || stopping_; });
      if (stopping_) return;
      armed_ = false;
      deadline = deadline_;
    }
    pollfd waits[2] = {{loop_->fd(), POLLIN, 0}, {stopPipe_[0], POLLIN, 0}};
    int millis = -1;
    if (!deadline.isNever()) {
      const int64_t micros = std::max<int64_t>((deadline - loop_->now()).micros(), 0);
      millis = static_cast<int>(std::min<int64_t>((micros + 999) / 1000, 60'000));
    }
    ::poll(waits, 2, millis);
    if (waits[1].revents) return;
    napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
  }
}

}  // namespace parley::binding
