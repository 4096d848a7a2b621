#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "parley/base/result.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// A call of `callback` with copies of `args`; empty if there is no callback.
template <class F, class... Args>
std::function<void()> bindCallback(const std::function<F>& callback, Args... args) {
  if (!callback) return {};
  return [callback, ... args = std::move(args)] { callback(args...); };
}

/// What one delivery step ("queue a task" of the W3C specifications) fires when it has changed all
/// that the getters show: events in order, last of all the completion of the call it belongs to.
/// Each callback is looked up, under the lock, when its turn has come, so that one may replace
/// another.
class Step {
 public:
  using Call = std::function<void()>;
  using Pick = std::function<Call(PeerConnectionCore&)>;

  void then(Pick pick) { picks_.push_back(std::move(pick)); }
  std::vector<Pick> take() { return std::exchange(picks_, {}); }

 private:
  std::vector<Pick> picks_;
};

}  // namespace parley::api_internal
