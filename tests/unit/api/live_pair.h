#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "parley/parley.h"

namespace parley::test {

/// Something that other threads make true.
class Latch {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }
  bool wait(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return done_; });
  }
  bool isSet() {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

/// Two connections over real loopback sockets, each on a loop thread of its own. The destructor
/// ends all callbacks: declare what they use before the pair.
class LivePair {
 public:
  /// `optionsB`: for the loop of `b`.
  explicit LivePair(LoopOptions optionsB = {}) : loopB(Loop::create(std::move(optionsB))) {
    (void)loopA->startThread();
    (void)loopB->startThread();
    Configuration configuration;
    configuration.includeLoopback = true;
    a = PeerConnection::create(loopA, configuration).value();
    b = PeerConnection::create(loopB, configuration).value();
    trickle(a, b);
    trickle(b, a);
  }
  ~LivePair() {
    a.closeAndDrain();
    b.closeAndDrain();
    loopA->stop();
    loopB->stop();
  }

  void negotiate() {
    a.setLocalDescription([this](Result<void> r) {
      if (!r) return;
      b.setRemoteDescription(*a.localDescription(), [](Result<void>) {});
      b.setLocalDescription([this](Result<void> answered) {
        if (answered) a.setRemoteDescription(*b.localDescription(), [](Result<void>) {});
      });
    });
  }

  std::shared_ptr<Loop> loopA = Loop::create();
  std::shared_ptr<Loop> loopB;
  PeerConnection a;
  PeerConnection b;

 private:
  static void trickle(PeerConnection& from, PeerConnection to) {
    from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
      if (candidate) to.addIceCandidate(*candidate);
    });
  }
};

}  // namespace parley::test
