#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "parley/parley.h"

namespace example {

/// Starts one of the connection's asynchronous operations and waits for its outcome, a few seconds
/// at most. Never from a callback of the library: it would wait for itself.
///
///   const auto done = await<void>(pc, [&](auto done) { pc.setLocalDescription(done); });
template <class T, class Start>
parley::Result<T> await(const parley::PeerConnection& pc, Start start) {
  const auto promise = std::make_shared<std::promise<parley::Result<T>>>();
  auto outcome = promise->get_future();
  start([promise](parley::Result<T> result) { promise->set_value(std::move(result)); });
  // A connection that closes completes nothing any more (W3C webrtc-pc section 4.4.1.2).
  for (int waited = 0; waited < 100; ++waited) {
    if (outcome.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready)
      return outcome.get();
    if (pc.connectionState() == parley::PeerConnectionState::Closed) break;
  }
  return parley::fail(parley::ErrorCode::Abort, "the connection has ended");
}

}  // namespace example
