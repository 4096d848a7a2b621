#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "play.h"

namespace loopback {

using namespace parley;

namespace {

/// Waits for callbacks of the loops' threads.
class Inbox {
 public:
  void note(Result<void> result) {
    const std::lock_guard lock(mutex_);
    if (!result) error_ = result.error();
    changed_.notify_all();
  }
  template <class Done>
  Result<void> wait(Done done) {
    std::unique_lock lock(mutex_);
    const bool good =
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return error_ || done(); });
    if (error_) return fail(*error_);
    return good ? ok() : fail(ErrorCode::Network, "the peers did not connect within 20 s");
  }
  void changed() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Error> error_;
};

void trickle(PeerConnection from, PeerConnection to) {
  from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
    if (candidate) to.addIceCandidate(*candidate);
  });
}

/// Signalling between two objects is a function call.
void negotiate(PeerConnection a, PeerConnection b, Inbox& inbox) {
  a.setLocalDescription([a, b, &inbox](Result<void> offered) mutable {
    if (!offered) return inbox.note(offered);
    b.setRemoteDescription(*a.localDescription(), [&inbox](Result<void> r) { inbox.note(r); });
    b.setLocalDescription([a, b, &inbox](Result<void> answered) mutable {
      if (!answered) return inbox.note(answered);
      a.setRemoteDescription(*b.localDescription(), [&inbox](Result<void> r) { inbox.note(r); });
    });
  });
}

StatsReport statsOf(PeerConnection pc) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<StatsReport> report;
  pc.getStats([&](Result<StatsReport> result) {
    const std::lock_guard lock(mutex);
    report = result ? *std::move(result) : StatsReport{};
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return report.has_value(); });
  return *report;
}

void watch(Play& play, const PeerConnection& sender, Loop& loop) {
  using std::chrono::milliseconds;
  const Timestamp begin = loop.now();
  const Timestamp end = begin + Duration::fromSeconds(play.seconds());
  auto next = std::chrono::steady_clock::now();
  for (int i = 1; loop.now() < end; ++i) {
    std::this_thread::sleep_until(next += milliseconds(250));
    play.sample(statsOf(sender), loop.now());
    if (i % 4 == 0) std::printf("%s\n", play.statusLine().c_str());
    std::fflush(stdout);
  }
  play.stopSource();
  std::this_thread::sleep_for(milliseconds(700));  // what is still on its way
}

}  // namespace

Result<Outcome> playLive(const Options& options) {
  auto created = Play::create(options);
  if (!created) return fail(created.error());
  Play& play = **created;
  const auto loopA = Loop::create();
  const auto loopB = Loop::create();
  (void)loopA->startThread();
  (void)loopB->startThread();
  Configuration configuration = play.senderConfiguration();
  configuration.includeLoopback = true;
  PeerConnection a = PeerConnection::create(loopA, configuration).value();
  configuration.videoEncoders.reset();
  PeerConnection b = PeerConnection::create(loopB, configuration).value();

  Inbox inbox;
  trickle(a, b);
  trickle(b, a);
  for (PeerConnection* pc : {&a, &b})
    pc->onConnectionStateChange([&inbox](PeerConnectionState) { inbox.changed(); });
  play.addReceiver(b, loopB);
  if (Result<void> added = play.addSender(a, loopA); !added) return fail(added.error());
  const Timestamp begin = loopA->now();
  negotiate(a, b, inbox);
  const Result<void> connected = inbox.wait([&] {
    return a.connectionState() == PeerConnectionState::Connected &&
           b.connectionState() == PeerConnectionState::Connected;
  });

  Outcome outcome;
  if (connected) {
    outcome.connectMs = (loopA->now() - begin).seconds() * 1000;
    play.start(loopA->now());
    watch(play, a, *loopA);
    outcome.sender = statsOf(a);
    outcome.receiver = statsOf(b);
  }
  a.closeAndDrain();
  b.closeAndDrain();
  loopA->stop();
  loopB->stop();
  if (!connected) return fail(connected.error());
  if (Result<void> finished = play.finish(outcome); !finished) return fail(finished.error());
  return outcome;
}

}  // namespace loopback
