#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "api/peer_connection_core.h"

namespace parley::api_internal {

/// A call of `callback` with copies of `args`; empty if there is no callback.
template <class F, class... Args>
std::function<void()> bindCallback(const std::function<F>& callback, Args... args) {
  if (!callback) return {};
  return [callback, ... args = std::move(args)] { callback(args...); };
}

template <class Update, class Pick>
void PeerConnectionCore::queueStep(Update update, Pick pick) {
  queueTask(
      [self = shared_from_this(), update = std::move(update), pick = std::move(pick)]() mutable {
        std::function<void()> call;
        {
          const LoopCore::Lock lock(*self->loop_);
          if (self->closed_) return;
          update(*self);
          call = pick(*self);
        }
        if (call) call();
      });
}

}  // namespace parley::api_internal
