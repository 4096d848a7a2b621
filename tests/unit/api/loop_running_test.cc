// Starting and stopping a loop, in any order.

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "unit/api/live_pair.h"

namespace parley {
namespace {

using test::Latch;

/// Whether the loop runs what is posted, in a cycle that follows another.
bool isAlive(Loop& loop) {
  for (int i = 0; i < 3; ++i) {
    const auto ran = std::make_shared<Latch>();
    loop.post([ran] { ran->set(); });
    if (!ran->wait(std::chrono::seconds(5))) return false;
  }
  return true;
}

TEST(LoopRunning, AStopThatFindsNothingRunningEndsNoThread) {
  const auto loop = Loop::create();
  (void)loop->fd();  // it may run from now on
  loop->stop();
  ASSERT_TRUE(loop->startThread());
  EXPECT_TRUE(isAlive(*loop));
  loop->stop();
  loop->stop();
  ASSERT_TRUE(loop->startThread());
  EXPECT_TRUE(isAlive(*loop));
  loop->stop();
}

TEST(LoopRunning, AThreadThatStopsItselfRunsTheLoopUntilItsCallbackReturns) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  Latch stopped, goOn;
  std::optional<Result<void>> inside;
  loop->post([&] {
    loop->stop();
    inside.emplace(loop->startThread());
    stopped.set();
    goOn.wait();
  });
  ASSERT_TRUE(stopped.wait());
  for (const Result<void>& started : {*inside, loop->startThread(), loop->run()}) {
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::InvalidState);
  }
  goOn.set();
  loop->stop();  // waits for the thread
  ASSERT_TRUE(loop->startThread());
  EXPECT_TRUE(isAlive(*loop));
  loop->stop();
}

TEST(LoopRunning, AThreadThatHasStoppedItselfMayBeFollowedByAnother) {
  const auto loop = Loop::create();
  for (int i = 0; i < 20; ++i) {
    while (!loop->startThread()) std::this_thread::yield();
    loop->post([&] { loop->stop(); });
  }
  loop->stop();
}

TEST(LoopRunning, TheLastHandleMayGoInACallbackOfTheThread) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  Latch gone;
  Loop& same = *loop;
  same.post([&gone, held = std::move(loop)]() mutable {
    held.reset();
    gone.set();
  });
  EXPECT_TRUE(gone.wait());
}

TEST(LoopRunning, TheLastHandleMayGoInACallbackOfRun) {
  auto loop = Loop::create();
  bool gone = false, after = false;
  Loop& same = *loop;
  same.post([&, held = std::move(loop)]() mutable {
    held.reset();
    gone = true;
  });
  same.post([&] { after = true; });
  ASSERT_TRUE(same.run()) << "dropping it stops it";
  EXPECT_TRUE(gone);
  EXPECT_TRUE(after);
}

TEST(LoopRunning, WaitingForAThreadThatHasStoppedItselfDoesNotStopTheNextRun) {
  const auto loop = Loop::create();
  // Destroyed when the thread has left the loop, and has so taken notice of its stop.
  struct TellsItsEnd {
    std::shared_ptr<Latch> ended;
    ~TellsItsEnd() {
      if (ended) ended->set();
    }
  };
  const auto ended = std::make_shared<Latch>();
  ASSERT_TRUE(loop->startThread());
  loop->post([&] {
    static thread_local TellsItsEnd end;
    end.ended = ended;
    loop->stop();
  });
  ASSERT_TRUE(ended->wait());
  loop->stop();  // waits for the thread
  bool ran = false;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // run() waits by now
    loop->post([&] {
      ran = true;
      loop->stop();
    });
  });
  EXPECT_TRUE(loop->run());
  EXPECT_TRUE(ran) << "it ended at once";
  other.join();
}

}  // namespace
}  // namespace parley
