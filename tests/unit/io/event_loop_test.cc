#include "parley/io/event_loop.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

#include "parley/base/ring_queue.h"
#include "parley/io/clock.h"
#include "parley/io/resolver.h"

#include "support/scripted_driven.h"
#include "unit/io/event_loop_fixture.h"

namespace parley::io {
namespace {

using test::ScriptedDriven;

/// Answers or sends on by itself, without a list of what came.
class Echo final : public Driven {
 public:
  Echo(bool starts, uint64_t limit) : starts_(starts), limit_(limit) {}
  void handle(Input&& input, Timestamp /*now*/) override {
    if (const auto* opened = std::get_if<SocketOpened>(&input)) {
      local = opened->local;
    } else if (auto* datagram = std::get_if<Datagram>(&input)) {
      ++received;
      if (!starts_ || sent_ < limit_) reply(std::move(datagram->data), datagram->from);
    }
  }
  void start(const SocketAddress& to, size_t window) {
    for (size_t i = 0; i < window; ++i) reply(pool_.copyOf(asBytes(std::string(1000, 'e'))), to);
  }
  void advance(Timestamp /*now*/) override {}
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && !queue_.empty()) out[count++] = queue_.pop();
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (opened_) return false;
    opened_ = true;
    out = OpenUdp{SocketId(1), kLoopback};
    return true;
  }
  Timestamp nextDeadline() const override { return Timestamp::never(); }
  PacketPool& pool() override { return pool_; }

  uint64_t received = 0;
  SocketAddress local;

 private:
  void reply(PacketBuf&& data, const SocketAddress& to) {
    ++sent_;
    TxPacket packet;
    packet.socket = SocketId(1);
    packet.to = to;
    packet.data = std::move(data);
    queue_.push(std::move(packet));
  }
  PacketPool pool_;
  RingQueue<TxPacket> queue_{4096};
  bool starts_;
  bool opened_ = false;
  uint64_t limit_;
  uint64_t sent_ = 0;
};

TEST(EventLoopEcho, HundredThousandDatagramsWithSegmentation) {
  constexpr uint64_t kCount = 50'000;  // each way
  Echo client(true, kCount);
  Echo server(false, 0);
  EventLoop loop(client);
  loop.add(server);
  while (client.local.port == 0 || server.local.port == 0) loop.process();
  client.start(server.local, 64);
  loop.wake();
  const Timestamp limit = monotonicNow() + Duration::seconds(60);
  while (client.received < kCount && monotonicNow() < limit) {
    pollfd wait{loop.fd(), POLLIN, 0};
    poll(&wait, 1, 1000);
    loop.process();
  }
  EXPECT_EQ(client.received, kCount);
  const EventLoopCounters counters = loop.counters();
  EXPECT_EQ(counters.udp.datagramsReceived, 2 * kCount);
  EXPECT_EQ(counters.udp.datagramsSent, 2 * kCount);
  EXPECT_GT(counters.udp.segmentedDatagrams, kCount);
  EXPECT_LT(counters.udp.sendCalls, kCount / 4);
  EXPECT_LE(client.pool().highWater(), 256u);
}

TEST_F(EventLoopTest, OpensSocketsAndReportsFailures) {
  a.openUdp(1, kLoopback);
  a.openUdp(1, kLoopback);
  a.openUdp(2, {IpAddress::v4(192, 0, 2, 1), 0});
  loop.process();
  ASSERT_EQ(a.opened.size(), 1u);
  EXPECT_NE(openedAddress(a).port, 0);
  ASSERT_EQ(a.failed.size(), 2u);
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Other);
  EXPECT_EQ(a.failed[1].reason, SocketFailure::AddressNotAvailable);
}

TEST_F(EventLoopTest, TwoDrivenShareOneLoop) {
  loop.add(b);
  a.openUdp(1, kLoopback);
  b.openUdp(1, kLoopback);
  b.echo = true;
  loop.process();
  a.send(1, openedAddress(b), "ping");
  loop.wake();
  runUntil([&] { return !a.arrived.empty(); });
  EXPECT_EQ(a.arrived[0].text, "ping");
  EXPECT_EQ(b.arrived[0].socket, SocketId(1));
  EXPECT_EQ(b.arrived[0].to, openedAddress(b));
}

TEST_F(EventLoopTest, ClosedAndRemovedSocketsAreGone) {
  loop.add(b);
  a.openUdp(1, kLoopback);
  b.openUdp(1, kLoopback);
  loop.process();
  const SocketAddress first = openedAddress(a);
  a.effects.push_back(CloseSocket{SocketId(1)});
  a.openUdp(2, first);
  loop.process();
  ASSERT_EQ(a.opened.size(), 2u);
  EXPECT_EQ(openedAddress(a, 1), first);
  loop.remove(b);
  a.openUdp(3, openedAddress(b));
  loop.process();
  EXPECT_EQ(a.opened.size(), 3u);
}

TEST_F(EventLoopTest, WakesAtDeadlinesNotBefore) {
  const Timestamp start = monotonicNow();
  int left = 3;
  a.deadline = start + Duration::millis(3);
  a.onAdvance = [&](Timestamp now) {
    a.deadline = --left > 0 ? now + Duration::millis(3) : Timestamp::never();
    if (left == 0) loop.stop();
  };
  loop.run();
  EXPECT_EQ(left, 0);
  EXPECT_GE(monotonicNow() - start, Duration::millis(9));
  EXPECT_EQ(loop.counters().advances, 3u);
  EXPECT_LT(loop.counters().cycles, 12u);
  EXPECT_EQ(loop.timeoutMillis(), -1);
}

TEST_F(EventLoopTest, BrokenProgressRuleIsCountedAndDoesNotSpin) {
  a.keepsDeadline = true;
  a.deadline = Timestamp{};
  const Timestamp start = monotonicNow();
  a.onAdvance = [&](Timestamp now) {
    if (now - start >= Duration::millis(5)) loop.stop();
  };
  loop.run();
  EXPECT_GE(loop.counters().progressViolations, 2u);
  EXPECT_LE(loop.counters().progressViolations, 8u);
}

TEST_F(EventLoopTest, StopFromAnotherThreadEndsRun) {
  std::thread stopper([&] { loop.stop(); });
  loop.run();
  stopper.join();
}

TEST_F(EventLoopTest, WakeFromAnotherThreadMakesItLookAgain) {
  std::atomic<bool> put{false};
  a.onDispatch = [&] {
    if (put.load()) loop.stop();
  };
  std::thread other([&] {
    put.store(true);
    loop.wake();
  });
  loop.run();
  other.join();
  EXPECT_GE(loop.counters().wakes, 1u);
}

TEST_F(EventLoopTest, ManyWakesFromManyThreadsLoseNone) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::atomic<int> asked{0};
  int seen = 0;
  a.onDispatch = [&] {
    seen = asked.load();
    if (seen == kThreads * kEach) loop.stop();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        asked.fetch_add(1);
        loop.wake();
      }
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, kThreads * kEach);
}

/// Has one packet to send whenever asked to, and remembers which thread took it.
class OnePacket final : public Driven {
 public:
  void handle(Input&& input, Timestamp /*now*/) override {
    if (const auto* opened = std::get_if<SocketOpened>(&input)) local = opened->local;
  }
  void advance(Timestamp /*now*/) override {}
  size_t pollTransmit(std::span<TxPacket> out) override {
    const std::lock_guard lock(mutex_);
    if (!waiting_) return 0;
    waiting_ = false;
    out[0].to = local;
    out[0].data = pool_.copyOf(asBytes("x"));
    takenBy_ = std::this_thread::get_id();
    return 1;
  }
  bool pollEffect(Effect& out) override {
    if (std::exchange(opened_, true)) return false;
    out = OpenUdp{SocketId{}, kLoopback};
    return true;
  }
  Timestamp nextDeadline() const override { return Timestamp::never(); }
  PacketPool& pool() override { return pool_; }

  void put() {
    const std::lock_guard lock(mutex_);
    waiting_ = true;
    takenBy_ = {};
  }
  std::thread::id takenBy() {
    const std::lock_guard lock(mutex_);
    return takenBy_;
  }
  SocketAddress local;

 private:
  struct Lock final : PoolLock {
    void lock() override { mutex.lock(); }
    void unlock() override { mutex.unlock(); }
    std::mutex mutex;
  } poolLock_;
  PacketPool pool_{1024, &poolLock_};
  std::mutex mutex_;
  bool opened_ = false;
  bool waiting_ = false;
  std::thread::id takenBy_;
};

TEST(EventLoopFlush, PacketsLeaveOnTheCallersThreadWhileTheLoopSleeps) {
  OnePacket driven;
  EventLoop loop(driven);
  loop.process();
  std::thread runner([&] { loop.run(); });
  int byCaller = 0;
  for (int i = 0; i < 200; ++i) {
    driven.put();
    loop.flush();
    while (driven.takenBy() == std::thread::id{}) std::this_thread::yield();
    if (driven.takenBy() == std::this_thread::get_id()) ++byCaller;
  }
  loop.stop();
  runner.join();
  EXPECT_GT(byCaller, 0);
}

TEST_F(EventLoopTest, FlushWithinACycleLeavesTheSendingToIt) {
  a.openUdp(1, kLoopback);
  a.onDispatch = [&] {
    if (a.opened.empty() || a.dispatches > 50) return;
    a.send(SocketId(1), a.opened[0].local, "to itself");
    loop.flush();
  };
  runUntil([&] { return a.arrived.size() >= 3; });
}

TEST_F(EventLoopTest, WhatCallbacksAnswerLeavesWithWhatTheDrivenAnswersItself) {
  loop.add(b);
  a.openUdp(1, kLoopback);
  b.openUdp(1, kLoopback);
  b.echo = true;
  loop.process();
  bool answered = false;
  b.onDispatch = [&] {
    if (b.arrived.empty() || std::exchange(answered, true)) return;
    EXPECT_EQ(b.transmits.size(), 1u) << "left before the callbacks ran";
    b.send(1, openedAddress(a), "call");
  };
  a.send(1, openedAddress(b), "ping");
  runUntil([&] { return a.arrived.size() == 2; });
  EXPECT_EQ(loop.counters().udp.segmentedDatagrams, 2u) << "one message for both";
}

TEST_F(EventLoopTest, AnswersToATransferDoNotWaitForCallbacks) {
  loop.add(b);
  a.openUdp(1, kLoopback);
  b.openUdp(1, kLoopback);
  b.echo = true;
  loop.process();
  std::optional<size_t> waiting;
  b.onDispatch = [&] {
    if (b.arrived.size() >= 20 && !waiting) waiting = b.transmits.size();
  };
  for (int i = 0; i < 20; ++i) a.send(1, openedAddress(b), "part");
  runUntil([&] { return a.arrived.size() == 20; });
  EXPECT_EQ(waiting, 0u);
}

TEST_F(EventLoopTest, NestsInAnotherEpoll) {
  loop.add(b);
  a.openUdp(1, kLoopback);
  b.openUdp(1, kLoopback);
  loop.process();
  const int outer = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(outer, EPOLL_CTL_ADD, loop.fd(), &event);
  a.send(1, openedAddress(b), "nested");
  loop.process();
  epoll_event ready{};
  ASSERT_EQ(epoll_wait(outer, &ready, 1, 2000), 1);
  loop.process();
  ASSERT_EQ(b.arrived.size(), 1u);
  EXPECT_EQ(epoll_wait(outer, &ready, 1, 0), 0);
  close(outer);
}

TEST_F(EventLoopTest, ExceptionsOfCallbacksPassThroughAndLoseNothing) {
  loop.add(b);
  a.openUdp(1, kLoopback);
  b.openUdp(1, kLoopback);
  loop.process();
  bool thrown = false;
  a.onDispatch = [&] {
    if (thrown) return;
    thrown = true;
    a.send(1, openedAddress(b), "sent by the callback that throws");
    throw std::runtime_error("user");
  };
  EXPECT_THROW(
      {
        loop.wake();
        loop.process();
      },
      std::runtime_error);
  runUntil([&] { return !b.arrived.empty(); });
}

TEST_F(EventLoopTest, InterfacesAreToldAtOnce) {
  a.effects.push_back(WatchInterfaces{});
  loop.process();
  ASSERT_EQ(a.interfaces.size(), 1u);
  EXPECT_FALSE(a.interfaces[0].empty());
}

TEST(EventLoopDevice, NothingIsSeenOrReachedButTheDevice) {
  ScriptedDriven driven;
  EventLoopOptions options;
  options.device = "lo";
  EventLoop loop(driven, options);
  driven.effects.push_back(WatchInterfaces{});
  loop.process();
  ASSERT_EQ(driven.interfaces.size(), 1u);
  ASSERT_EQ(driven.interfaces[0].size(), 1u);
  EXPECT_EQ(driven.interfaces[0][0].name, "lo");
}

TEST(EventLoopDevice, SocketsOfADeviceThatIsNotThereFail) {
  ScriptedDriven driven;
  EventLoopOptions options;
  options.device = "no-such-device";
  EventLoop loop(driven, options);
  driven.effects.push_back(OpenUdp{SocketId(1), kLoopback});
  driven.effects.push_back(ListenTcp{SocketId(2), kLoopback});
  driven.effects.push_back(OpenTcp{SocketId(3), kLoopback, {}});
  loop.process();
  EXPECT_EQ(driven.failed.size(), 3u);
  EXPECT_TRUE(driven.opened.empty());
}

TEST_F(EventLoopTest, ResolvesLiteralsAndLocalhost) {
  a.effects.push_back(Resolve{ResolveId(1), "192.0.2.5"});
  a.effects.push_back(Resolve{ResolveId(2), "localhost"});
  a.effects.push_back(Resolve{ResolveId(3), "no.such.name.invalid"});
  runUntil([&] { return a.resolved.size() == 3; });
  for (const Resolved& answer : a.resolved) {
    if (answer.id == ResolveId(1)) {
      EXPECT_EQ(answer.addresses.at(0), IpAddress::v4(192, 0, 2, 5));
    }
    if (answer.id == ResolveId(2)) {
      EXPECT_TRUE(answer.addresses.at(0).isLoopback());
    }
    if (answer.id == ResolveId(3)) {
      EXPECT_TRUE(answer.addresses.empty());
    }
  }
}

TEST(EventLoopEnd, LookUpsMayOutliveTheirLoop) {
  ScriptedDriven driven;
  driven.effects.push_back(Resolve{ResolveId(1), "localhost"});
  {
    EventLoop loop(driven);
    loop.process();
  }
  // The helper thread works in order: when this is answered, so was the one before.
  std::atomic<bool> answered{false};
  Resolver::resolve("localhost", [&](std::vector<IpAddress>) {
    answered.store(true);
    answered.notify_one();
  });
  answered.wait(false);
}

TEST_F(EventLoopTest, MulticastStaysWithinItsMembers) {
  const IpAddress group = IpAddress::v4(239, 255, 77, 77);
  loop.add(b);
  a.effects.push_back(OpenUdp{SocketId(1), {IpAddress(), 0}, true});
  loop.process();
  const SocketAddress shared{IpAddress(), openedAddress(a).port};
  b.effects.push_back(OpenUdp{SocketId(1), shared, true});
  a.effects.push_back(JoinMulticast{SocketId(1), group, 1});
  a.effects.push_back(JoinMulticast{SocketId(9), group, 1});
  loop.process();
  ASSERT_EQ(a.failed.size(), 1u);
  EXPECT_EQ(a.failed[0].socket, SocketId(9));
  loop.process();
  ASSERT_EQ(b.opened.size(), 1u);
  a.send(1, {group, shared.port}, "to the group");
  a.transmits.back().from = IpAddress::v4(127, 0, 0, 1);  // says which way
  loop.wake();
  runUntil([&] { return !a.arrived.empty(); });
  EXPECT_EQ(a.arrived[0].to.ip, group);
  EXPECT_TRUE(b.arrived.empty());
}

// Without a default route, or without the interface, there is no group; all else works.
TEST_F(EventLoopTest, ASocketThatCannotJoinAGroupLivesOn) {
  a.openUdp(1, kLoopback);
  a.effects.push_back(JoinMulticast{SocketId(1), IpAddress::v4(239, 255, 77, 77), 999'999});
  loop.process();
  ASSERT_EQ(a.opened.size(), 1u);
  EXPECT_TRUE(a.failed.empty());
  a.send(1, openedAddress(a), "to itself");
  loop.wake();
  runUntil([&] { return !a.arrived.empty(); });
}

TEST(Clock, WallClockAgreesWithTheSystem) {
  const WallClock clock = readWallClock();
  timespec real{};
  clock_gettime(CLOCK_REALTIME, &real);
  const int64_t now = static_cast<int64_t>(real.tv_sec) * 1'000'000'000 + real.tv_nsec;
  EXPECT_NEAR(static_cast<double>(clock.unixNanosAt(monotonicNow()) - now), 0.0, 1e9);
}

}  // namespace
}  // namespace parley::io
