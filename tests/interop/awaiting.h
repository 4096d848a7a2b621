#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "parley/base/result.h"

namespace parley::interop {

/// The value of a result; its error is thrown, and becomes the reply of the command.
template <class T>
T need(Result<T> result) {
  if (!result) {
    throw std::runtime_error(std::string(toString(result.error().code)) + ": " +
                             result.error().message);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// Calls `start` with a completion and blocks until that is called. Not on the loop's thread.
template <class T, class Start>
T await(Start start) {
  struct State {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<T>> result;
  };
  const auto state = std::make_shared<State>();
  start([state](Result<T> result) {
    const std::lock_guard lock(state->mutex);
    state->result.emplace(std::move(result));
    state->done.notify_all();
  });
  std::unique_lock lock(state->mutex);
  if (!state->done.wait_for(lock, std::chrono::seconds(15),
                            [&] { return state->result.has_value(); })) {
    throw std::runtime_error("no completion within 15 s");
  }
  return need(std::move(*state->result));
}

}  // namespace parley::interop
