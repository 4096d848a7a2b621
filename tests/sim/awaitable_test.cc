// A call written as coroutines (parley/api/awaitable.h), and what becomes of those that wait for
// what does not come.

#include "parley/api/awaitable.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;

Task<Result<void>> offerCall(PeerConnection pc, PeerConnection peer) {
  Result<SessionDescription> offer = co_await createOffer(pc);
  if (!offer) co_return fail(offer.error());
  if (Result<void> set = co_await setLocalDescription(pc, *offer); !set) co_return set;
  if (Result<void> set = co_await setRemoteDescription(peer, *offer); !set) co_return set;
  Result<SessionDescription> answer = co_await createAnswer(peer);
  if (!answer) co_return fail(answer.error());
  if (Result<void> set = co_await setLocalDescription(peer, *answer); !set) co_return set;
  co_return co_await setRemoteDescription(pc, *answer);
}

struct Outcome {
  bool done = false;
  std::string state;
  double sent = 0;
  size_t ofSender = 0;
  size_t ofReceiver = 0;
  size_t ofTrack = 0;
  std::string heard;
};

Task<> beginCall(Pair& pair, Outcome& out) {
  PeerConnection a = pair.a();
  PeerConnection b = pair.b();
  DataChannel chat = a.createDataChannel("chat").value();
  MediaStreamTrack track =
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 20));
  EXPECT_TRUE(a.addTrack(track));
  b.onDataChannel([&out](DataChannel incoming) {
    incoming.onMessage([&out](const DataMessage& m) { out.heard = std::string(m.text()); });
  });
  const Result<void> called = co_await offerCall(a, b);
  EXPECT_TRUE(called);
  EXPECT_TRUE(co_await opened(chat));
  EXPECT_TRUE(co_await opened(chat)) << "at once";
  EXPECT_TRUE(co_await sendWhenWritable(chat, "hello"));
  out.done = true;
}

Task<> changeCall(Pair& pair, Outcome& out) {
  PeerConnection a = pair.a();
  PeerConnection b = pair.b();
  RtpSender sender = a.getSenders().at(0);
  RtpSendParameters parameters = sender.getParameters();
  parameters.encodings.at(0).maxFramerate = 10;
  EXPECT_TRUE(co_await setParameters(sender, parameters));
  EXPECT_EQ(sender.getParameters().encodings.at(0).maxFramerate, 10);
  const Result<void> stale = co_await setParameters(sender, parameters);
  EXPECT_EQ(stale.error().code, ErrorCode::InvalidModification) << "of another turn";

  MediaStreamTrack other = MediaStreamTrack::createVideo(pair.loopA());
  EXPECT_TRUE(co_await replaceTrack(sender, other));
  EXPECT_EQ(sender.track(), other);
  const Result<void> wrongKind =
      co_await replaceTrack(sender, MediaStreamTrack::createAudio(pair.loopA()));
  EXPECT_EQ(wrongKind.error().code, ErrorCode::Type);
  IceCandidate placeless;
  placeless.candidate = "candidate:x";
  const Result<void> nowhere = co_await addIceCandidate(a, placeless);
  EXPECT_EQ(nowhere.error().code, ErrorCode::Type);

  const Result<StatsReport> all = co_await getStats(a);
  out.sent = all->ofType("outbound-rtp").at(0)->number("packetsSent");
  out.ofSender = (co_await getStats(sender))->all().size();
  out.ofReceiver = (co_await getStats(b.getReceivers().at(0)))->all().size();
  out.ofTrack = (co_await getStats(a, other))->all().size();
  out.state = toString(a.connectionState());
  out.done = true;
}

TEST(Awaitable, AWholeCallIsWrittenAsCoroutines) {
  Pair pair;
  Outcome out;
  spawn(beginCall(pair, out));
  EXPECT_FALSE(out.done);
  ASSERT_TRUE(pair.runUntil([&] { return out.done; }, Duration::seconds(10)));
  pair.run(Duration::millis(500));
  out.done = false;
  spawn(changeCall(pair, out));
  ASSERT_TRUE(pair.runUntil([&] { return out.done; }, Duration::seconds(1)));
  EXPECT_EQ(out.state, "connected");
  EXPECT_GT(out.sent, 0);
  EXPECT_GT(out.ofSender, 3u);
  EXPECT_GT(out.ofReceiver, 3u);
  EXPECT_EQ(out.ofTrack, out.ofSender);
  EXPECT_EQ(out.heard, "hello");
}

/// Counts who holds it.
using Witness = std::shared_ptr<int>;

Task<int> inner(PeerConnection pc, Witness witness) {
  (void)co_await createOffer(pc);
  co_return *witness;
}

Task<int> waiter(PeerConnection pc, Witness witness) {
  const int value = co_await inner(pc, witness);
  co_return value + 1;
}

Task<> discarding(PeerConnection pc, Witness witness) {
  (void)co_await waiter(std::move(pc), witness);
  ++*witness;
}

TEST(Awaitable, ATaskGivesWhatItReturns) {
  Pair pair;
  int got = 0;
  spawn(waiter(pair.a(), std::make_shared<int>(41)), [&](int value) { got = value; });
  pair.run(Duration::millis(1));
  EXPECT_EQ(got, 42);
}

TEST(Awaitable, NothingRunsBeforeATaskIsAwaited) {
  Pair pair;
  const Witness witness = std::make_shared<int>(1);
  {
    const Task<int> unused = waiter(pair.a(), witness);
    pair.run(Duration::millis(1));
    EXPECT_EQ(witness.use_count(), 2);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

// One of them runs, and the others wait for it in the chain of operations.
TEST(Awaitable, WhatWaitsForAClosedConnectionIsDestroyed) {
  Pair pair;
  const Witness witness = std::make_shared<int>(0);
  for (int i = 0; i < 5; ++i) spawn(discarding(pair.a(), witness));
  EXPECT_GT(witness.use_count(), 10);
  pair.a().close();
  EXPECT_GT(witness.use_count(), 10) << "not inside close()";
  pair.run(Duration::millis(1));
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_EQ(*witness, 0) << "none has gone on";
}

TEST(Awaitable, ACoroutineMayCloseTheConnectionThatOthersWaitFor) {
  Pair pair;
  const Witness witness = std::make_shared<int>(0);
  const auto closing = [](PeerConnection pc, Witness w) -> Task<> {
    (void)co_await createOffer(pc);
    pc.close();
    const Result<SessionDescription> after = co_await createOffer(pc);
    EXPECT_EQ(after.error().code, ErrorCode::InvalidState);
    *w = 100;
  };
  spawn(closing(pair.a(), witness));
  spawn(discarding(pair.a(), witness));
  pair.run(Duration::millis(1));
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_EQ(*witness, 100);
}

TEST(Awaitable, ALoopThatEndsTakesItsCoroutinesAlong) {
  const Witness witness = std::make_shared<int>(0);
  {
    auto loop = Loop::create();
    PeerConnection pc = PeerConnection::create(loop).value();
    spawn(discarding(pc, witness));
    // The coroutine holds the connection; nothing holds the loop.
  }
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_EQ(*witness, 0);
}

TEST(Awaitable, ACoroutineMayHoldTheLastHandle) {
  const Witness witness = std::make_shared<int>(0);
  Pair pair;
  {
    PeerConnection pc = PeerConnection::create(pair.loopA()).value();
    spawn(discarding(std::move(pc), witness));
  }
  pair.run(Duration::millis(1));
  EXPECT_EQ(*witness, 1) << "it kept the connection alive";
  EXPECT_EQ(witness.use_count(), 1);
  pair.run(Duration::millis(100));
  EXPECT_EQ(pair.loopA()->connectionCount(), 1u) << "that of the pair";
}

TEST(Awaitable, AChannelThatGoesAwayEndsTheWait) {
  Pair pair;
  const Witness witness = std::make_shared<int>(0);
  DataChannel channel = pair.a().createDataChannel("c").value();
  const auto waiting = [](DataChannel c, Witness w) -> Task<> {
    const Result<void> open = co_await opened(c);
    EXPECT_EQ(open.error().code, ErrorCode::InvalidState);
    *w = 1;
  };
  spawn(waiting(channel, witness));
  pair.a().close();  // tells of the channel's end
  pair.run(Duration::millis(1));
  EXPECT_EQ(*witness, 1);
  DataChannel other = pair.b().createDataChannel("c").value();
  spawn(waiting(other, witness));
  *witness = 0;
  pair.b().closeAndDrain();  // does not
  pair.run(Duration::millis(1));
  EXPECT_EQ(*witness, 0);
  EXPECT_EQ(witness.use_count(), 1);
}

/// A coroutine type that knows nothing of ours, owned by who started it.
struct Foreign {
  struct promise_type {
    Foreign get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {}
  };
  std::coroutine_handle<promise_type> frame;
};

Foreign foreign(PeerConnection pc, Witness witness) {
  (void)co_await waiter(std::move(pc), witness);
  ++*witness;
}

TEST(Awaitable, OtherCoroutineTypesAreTheirOwnersToDestroy) {
  Pair pair;
  const Witness witness = std::make_shared<int>(0);
  const Foreign finished = foreign(pair.a(), witness);
  pair.run(Duration::millis(1));
  EXPECT_TRUE(finished.frame.done());
  EXPECT_EQ(*witness, 1);
  finished.frame.destroy();

  const Foreign cancelled = foreign(pair.a(), witness);
  cancelled.frame.destroy();
  pair.run(Duration::millis(1));
  EXPECT_EQ(*witness, 1) << "the wait was taken back";
  EXPECT_EQ(witness.use_count(), 1);

  const Foreign stuck = foreign(pair.a(), witness);
  pair.a().close();
  pair.run(Duration::millis(1));
  EXPECT_FALSE(stuck.frame.done());
  EXPECT_GT(witness.use_count(), 1) << "still its owner's";
  stuck.frame.destroy();
  EXPECT_EQ(witness.use_count(), 1);
}

#if defined(__cpp_exceptions)
Task<> throwing(PeerConnection pc) {
  (void)co_await createOffer(pc);
  throw 7;
}

Task<> catching(PeerConnection pc, Witness witness) {
  try {
    co_await throwing(pc);
  } catch (int thrown) {
    *witness = thrown;
  }
}

TEST(Awaitable, AnExceptionReachesWhoAwaits) {
  Pair pair;
  const Witness witness = std::make_shared<int>(0);
  spawn(catching(pair.a(), witness));
  pair.run(Duration::millis(1));
  EXPECT_EQ(*witness, 7);
}
#endif

}  // namespace
}  // namespace parley
