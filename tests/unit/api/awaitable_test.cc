// Coroutines on real loops: which thread they go on on, and that closing from another one is safe.

#include "parley/api/awaitable.h"

#include <atomic>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "unit/api/live_pair.h"

namespace parley {
namespace {

using test::Latch;

Task<> seeThreads(PeerConnection pc, std::thread::id* before, std::thread::id* after, Latch* done) {
  *before = std::this_thread::get_id();
  (void)co_await createOffer(pc);
  *after = std::this_thread::get_id();
  done->set();
}

TEST(AwaitableThreads, ACoroutineGoesOnOnTheLoopsThread) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  PeerConnection pc = PeerConnection::create(loop).value();
  std::thread::id before, after;
  Latch done;
  spawn(seeThreads(pc, &before, &after, &done));
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(before, std::this_thread::get_id());
  EXPECT_NE(after, before);
  pc.closeAndDrain();
}

Task<> forever(PeerConnection pc, std::shared_ptr<std::atomic<int>> rounds) {
  for (;;) {
    (void)co_await createOffer(pc);
    if (pc.signalingState() == SignalingState::Closed) co_return;
    ++*rounds;
  }
}

TEST(AwaitableThreads, ClosingFromAnotherThreadEndsThemAll) {
  const auto rounds = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < 10; ++i) {
    const auto loop = Loop::create();
    ASSERT_TRUE(loop->startThread());
    PeerConnection pc = PeerConnection::create(loop).value();
    for (int k = 0; k < 3; ++k) spawn(forever(pc, rounds));
    const int before = rounds->load();
    while (rounds->load() < before + 3) std::this_thread::yield();
    pc.closeAndDrain();
    const int after = rounds->load();
    Latch flushed;
    loop->post([&] { loop->post([&] { flushed.set(); }); });
    ASSERT_TRUE(flushed.wait());
    EXPECT_EQ(rounds->load(), after);
    pc = {};
    loop->stop();
  }
  EXPECT_EQ(rounds.use_count(), 1) << "none is left";
}

}  // namespace
}  // namespace parley
