// The threading and callback promises of the facade (README, "Threads"), one test each, on real
// loops.

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/api/live_pair.h"

namespace parley {
namespace {

using test::Latch;
using test::LivePair;

TEST(Threading, CallbacksRunOnTheLoopThreadAndNeverInsideTheCall) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  std::thread::id loopThread;
  Latch known;
  loop->post([&] {
    loopThread = std::this_thread::get_id();
    known.set();
  });
  ASSERT_TRUE(known.wait());
  PeerConnection pc = PeerConnection::create(loop).value();
  Latch done;
  std::thread::id ranOn;
  std::atomic<bool> insideCall{true};
  // On the loop's own thread the callback could run inside the call most easily.
  loop->post([&] {
    pc.createOffer([&](Result<SessionDescription>) {
      EXPECT_FALSE(insideCall);
      ranOn = std::this_thread::get_id();
      done.set();
    });
    insideCall = false;
  });
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(ranOn, loopThread);
  pc.close();
  loop->stop();
}

TEST(Threading, AnyMethodMayBeCalledFromAnyCallback) {
  Latch done;
  LivePair pair;
  DataChannel channel = pair.a.createDataChannel("c").value();
  const auto callEverything = [&](PeerConnection& pc) {
    (void)pc.signalingState();
    (void)pc.iceConnectionState();
    (void)pc.localDescription();
    (void)pc.remoteDescription();
    (void)pc.getTransceivers();
    (void)pc.maxMessageSize();
    (void)pc.createDataChannel("more");
    pc.getStats([](Result<StatsReport>) {});
    pc.onNegotiationNeeded([] {});
    pc.createOffer([](Result<SessionDescription>) {});
  };
  pair.a.onSignalingStateChange([&](SignalingState) { callEverything(pair.a); });
  pair.b.onSignalingStateChange([&](SignalingState) { callEverything(pair.b); });
  pair.a.onIceConnectionStateChange([&](IceConnectionState) { callEverything(pair.b); });
  pair.a.onConnectionStateChange([&](PeerConnectionState) { callEverything(pair.a); });
  channel.onOpen([&] {
    callEverything(pair.a);
    EXPECT_TRUE(channel.send("x"));
    channel.onMessage([&](const DataMessage&) {
      callEverything(pair.b);
      channel.close();
      done.set();
    });
  });
  pair.b.onDataChannel([&](DataChannel incoming) {
    if (incoming.label() == "c")
      incoming.onMessage([incoming](const DataMessage& m) mutable { (void)incoming.send(m.data); });
  });
  pair.negotiate();
  EXPECT_TRUE(done.wait());
}

TEST(Threading, AConnectionMayBeClosedAndDroppedInItsOwnCallback) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  Latch done;
  auto pc = std::make_shared<PeerConnection>(PeerConnection::create(loop).value());
  (void)pc->createDataChannel("c");
  pc->onSignalingStateChange([&, pc](SignalingState) mutable {
    pc->close();
    *pc = PeerConnection();  // the last handle goes, inside the callback of the connection
    pc.reset();
    done.set();
  });
  pc->setLocalDescription([](Result<void>) { ADD_FAILURE() << "nothing completes after close()"; });
  pc.reset();
  EXPECT_TRUE(done.wait());
  // The loop is still well: it runs what is posted and can be stopped.
  Latch alive;
  loop->post([&] { alive.set(); });
  EXPECT_TRUE(alive.wait());
  loop->stop();
}

TEST(Threading, NoCallbackStartsAfterClose) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  for (int round = 0; round < 50; ++round) {
    PeerConnection pc = PeerConnection::create(loop).value();
    auto closed = std::make_shared<std::atomic<bool>>(false);
    const auto check = [closed](auto&&...) { EXPECT_FALSE(closed->load()); };
    pc.onSignalingStateChange(check);
    pc.onIceGatheringStateChange(check);
    pc.onIceCandidate(check);
    (void)pc.createDataChannel("c");
    pc.setLocalDescription([closed](Result<void>) { EXPECT_FALSE(closed->load()); });
    if (round % 2 == 0) std::this_thread::yield();
    pc.closeAndDrain();
    closed->store(true);
  }
  loop->stop();
}

TEST(Threading, DroppingTheLastHandleClosesTheConnection) {
  const auto loop = Loop::create();
  ASSERT_TRUE(loop->startThread());
  {
    PeerConnection pc = PeerConnection::create(loop).value();
    EXPECT_EQ(loop->connectionCount(), 1u);
  }
  Latch gone;
  std::function<void()> look = [&] {
    loop->connectionCount() == 0 ? gone.set() : loop->post(look);
  };
  loop->post(look);
  EXPECT_TRUE(gone.wait());
  loop->stop();
}

TEST(Threading, HandlesOutliveTheirConnectionAndLoop) {
  DataChannel channel;
  RtpTransceiver transceiver;
  {
    const auto loop = Loop::create();
    ASSERT_TRUE(loop->startThread());
    PeerConnection pc = PeerConnection::create(loop).value();
    channel = pc.createDataChannel("c").value();
    transceiver = pc.addTransceiver(MediaKind::Video).value();
    pc.close();
    loop->stop();
  }
  EXPECT_EQ(channel.readyState(), DataChannelState::Closed);
  const Result<void> sent = channel.send("x");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::InvalidState);
  EXPECT_FALSE(transceiver.setDirection(TransceiverDirection::SendOnly));
}

TEST(Threading, TwoThreadsMayHammerOneConnection) {
  Latch open;
  std::atomic<uint64_t> received{0};
  LivePair pair;
  DataChannel channel = pair.a.createDataChannel("c").value();
  channel.onOpen([&] { open.set(); });
  pair.b.onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
  pair.negotiate();
  ASSERT_TRUE(open.wait());
  constexpr int kPerThread = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kPerThread; ++i) {
        EXPECT_TRUE(channel.send("message"));
        (void)pair.a.connectionState();
        if (i % 50 == 0) (void)pair.b.createDataChannel("extra");
        if (i % 100 == 0) pair.a.getStats([](Result<StatsReport>) {});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (received < 2 * kPerThread && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  EXPECT_EQ(received, 2u * kPerThread);
}

// The loop's thread receives and sends packets outside the loop's lock, while encoders and callers
// of `send` make packets inside it: all of them use one pool.
TEST(Threading, MediaWorkersAndSendersShareTheLoopsPacketPool) {
  Latch open;
  Latch allThere;
  Latch seen;
  constexpr int kMessages = 3000;
  std::atomic<int> received{0};
  std::atomic<int> wrong{0};
  std::atomic<int> frames{0};
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    if (event.track.kind() != MediaKind::Video) return;
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) {
      if (++frames == 5) seen.set();
    });
  });
  pair.b.onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& message) {
      for (const uint8_t byte : message.data) wrong += byte != message.data[0];
      if (++received == kMessages) allThere.set();
    });
  });
  DataChannel channel = pair.a.createDataChannel("c").value();
  channel.onOpen([&] { open.set(); });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 100))));
  ASSERT_TRUE(pair.a.addTrack(MediaStreamTrack::createAudio(pair.loopA, createToneSource(440))));
  pair.negotiate();
  ASSERT_TRUE(open.wait());
  for (int i = 0; i < kMessages; ++i) {
    const Bytes message(900, static_cast<uint8_t>(i));
    ASSERT_TRUE(channel.send(ByteSpan(message)));
  }
  EXPECT_TRUE(allThere.wait());
  EXPECT_TRUE(seen.wait());
  EXPECT_EQ(wrong, 0);
}

TEST(Threading, CallbacksOfOneConnectionRunOneAtATimeInOrder) {
  std::atomic<int> inside{0};
  std::vector<uint32_t> order;
  Latch all;
  LivePair pair;
  DataChannel channel = pair.a.createDataChannel("c").value();
  constexpr uint32_t kMessages = 300;
  channel.onOpen([&] {
    for (uint32_t i = 0; i < kMessages; ++i) {
      uint8_t raw[4];
      storeU32(raw, i);
      EXPECT_TRUE(channel.send(ByteSpan(raw)));
    }
  });
  pair.b.onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& m) {
      EXPECT_EQ(++inside, 1);
      order.push_back(loadU32(m.data.data()));
      --inside;
      if (order.size() == kMessages) all.set();
    });
  });
  pair.negotiate();
  ASSERT_TRUE(all.wait());
  for (uint32_t i = 0; i < kMessages; ++i) ASSERT_EQ(order[i], i);
}

TEST(Threading, NothingIsMissedByCallbacksThatAreSetLate) {
  Latch incoming;
  LivePair pair;
  DataChannel far;
  pair.b.onDataChannel([&](DataChannel channel) {
    far = channel;
    incoming.set();
  });
  DataChannel channel = pair.a.createDataChannel("c").value();
  Latch sent;
  channel.onOpen([&] {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(channel.send(std::to_string(i)));
    sent.set();
  });
  pair.negotiate();
  ASSERT_TRUE(incoming.wait());
  ASSERT_TRUE(sent.wait());
  std::this_thread::yield();
  // Another thread than the loop's, some time later.
  Latch open, all;
  std::vector<std::string> received;
  far.onOpen([&] { open.set(); });
  far.onMessage([&](const DataMessage& m) {
    received.emplace_back(m.text());
    if (received.size() == 20) all.set();
  });
  EXPECT_TRUE(open.wait());
  ASSERT_TRUE(all.wait());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(received[static_cast<size_t>(i)], std::to_string(i));
}

TEST(Threading, CloseAndDrainFromACallbackIsABug) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        const auto loop = Loop::create();
        (void)loop->startThread();
        PeerConnection pc = PeerConnection::create(loop).value();
        Latch never;
        pc.createOffer([&](Result<SessionDescription>) { pc.closeAndDrain(); });
        never.wait(std::chrono::seconds(5));
      },
      "check failed");
}

TEST(Threading, AnExecutorRunsEveryCallback) {
  std::mutex mutex;
  std::vector<std::function<void()>> queue;
  LoopOptions options;
  options.executor = [&](std::function<void()> fn) {
    const std::lock_guard lock(mutex);
    queue.push_back(std::move(fn));
  };
  const auto loop = Loop::create(options);
  ASSERT_TRUE(loop->startThread());
  PeerConnection pc = PeerConnection::create(loop).value();
  std::optional<std::thread::id> ranOn;
  pc.createOffer([&](Result<SessionDescription>) { ranOn = std::this_thread::get_id(); });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!ranOn && std::chrono::steady_clock::now() < end) {
    std::vector<std::function<void()>> batch;
    {
      const std::lock_guard lock(mutex);
      batch.swap(queue);
    }
    for (auto& fn : batch) fn();
    std::this_thread::yield();
  }
  EXPECT_EQ(ranOn, std::this_thread::get_id());
  pc.close();
  loop->stop();
}

TEST(Threading, ALoopMayBeNestedInAnother) {
  const auto loop = Loop::create();
  ASSERT_GE(loop->fd(), 0);
  PeerConnection pc = PeerConnection::create(loop).value();
  bool done = false;
  pc.createOffer([&](Result<SessionDescription> offer) { done = offer.has_value(); });
  for (int i = 0; i < 1000 && !done; ++i) loop->process();
  EXPECT_TRUE(done);
}

// A channel's end comes after its last message, however slowly the app reads.
TEST(Threading, MessagesBeforeACloseAreAllDelivered) {
  constexpr int kMessages = 3000;
  std::mutex mutex;
  std::vector<std::function<void()>> queue;
  LoopOptions options;
  options.executor = [&](std::function<void()> fn) {
    const std::lock_guard lock(mutex);
    queue.push_back(std::move(fn));
  };
  int received = 0;
  bool closed = false;
  LivePair pair(options);
  pair.b.onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage&) {
      EXPECT_FALSE(closed);
      ++received;
    });
    incoming.onClose([&] { closed = true; });
  });
  DataChannel channel = pair.a.createDataChannel("c").value();
  channel.onOpen([&] {
    for (int i = 0; i < kMessages; ++i) EXPECT_TRUE(channel.send("message"));
    channel.close();
  });
  pair.negotiate();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!closed && std::chrono::steady_clock::now() < end) {
    std::vector<std::function<void()>> batch;
    {
      const std::lock_guard lock(mutex);
      batch.swap(queue);
    }
    for (auto& fn : batch) fn();
    std::this_thread::yield();
  }
  EXPECT_TRUE(closed);
  EXPECT_EQ(received, kMessages);
}

TEST(Threading, AThrowingCallbackLosesNothing) {
  const auto loop = Loop::create();
  bool ran = false;
  loop->post([] { throw std::runtime_error("from the app"); });
  loop->post([&] {
    ran = true;
    loop->stop();
  });
  EXPECT_THROW((void)loop->run(), std::runtime_error);
  EXPECT_FALSE(ran);
  EXPECT_TRUE(loop->run());
  EXPECT_TRUE(ran);
}

TEST(Threading, RunReturnsWhenStopped) {
  const auto loop = Loop::create();
  loop->post([&] { loop->stop(); });
  EXPECT_TRUE(loop->run());
}

}  // namespace
}  // namespace parley
