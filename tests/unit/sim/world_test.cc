#include "parley/sim/world.h"

#include <string>
#include <sys/time.h>

#include <gtest/gtest.h>

#include "support/scripted_driven.h"
#include "unit/sim/udp_probe.h"

namespace parley::sim {
namespace {

using test::ScriptedDriven;

TEST(World, RunsCallsByTimeThenInsertion) {
  World world;
  std::string order;
  world.at(Timestamp::millis(2), [&] { order += 'c'; });
  world.at(Timestamp::millis(1), [&] { order += 'a'; });
  world.at(Timestamp::millis(1), [&] {
    order += 'b';
    world.after(Duration::zero(), [&] { order += '!'; });
  });
  world.run(Duration::millis(1));
  EXPECT_EQ(order, "ab!");
  EXPECT_EQ(world.now(), Timestamp::millis(1));
  world.run(Duration::millis(5));
  EXPECT_EQ(order, "ab!c");
  EXPECT_EQ(world.now(), Timestamp::millis(6));
}

TEST(World, RunUntilStopsAtTheEventThatDecides) {
  World world;
  bool done = false;
  world.at(Timestamp::millis(300), [&] { done = true; });
  EXPECT_TRUE(world.runUntil([&] { return done; }, Duration::seconds(10)));
  EXPECT_EQ(world.now(), Timestamp::millis(300));
  EXPECT_FALSE(world.runUntil([] { return false; }, Duration::seconds(1)));
  EXPECT_EQ(world.now(), Timestamp::millis(1300));
}

TEST(World, ClockOfTheThreadIsTheWorlds) {
  const auto seconds = [] {
    timeval tv{};
    gettimeofday(&tv, nullptr);
    return tv.tv_sec - kVirtualUnixSeconds;
  };
  World first;
  World second;
  int64_t seen = -1;
  first.at(Timestamp::seconds(5), [&] { seen = seconds(); });
  first.run(Duration::seconds(7));
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(seconds(), 7);
  second.run(Duration::seconds(1));
  EXPECT_EQ(seconds(), 1);
  first.run(Duration::seconds(1));
  EXPECT_EQ(seconds(), 8);
  EXPECT_EQ(first.wallClock().unixNanosAt(first.now()) / 1'000'000'000 - kVirtualUnixSeconds, 8);
}

/// Chatter over a bad network: the trace's hash. An extra host must not change anything else.
uint64_t chatter(uint64_t seed, bool extraHost = false) {
  World world(seed);
  Segment& home = world.addSegment("home");
  Segment& internet = world.addSegment("internet");
  world.addNat("nat", home, internet, NatConfig::symmetric());
  if (extraHost) world.addHost("extra");
  const LinkConfig bad{.delay = Duration::millis(20),
                       .jitter = Duration::millis(30),
                       .loss = LossModel::bursts(0.1, 3),
                       .duplicate = 0.05,
                       .queue = {.rate = DataRate::kbps(500)}};
  Host& alice = world.addHost("alice", home, {.up = bad, .down = bad});
  Host& bob = world.addHost("bob", internet, {.up = bad, .down = bad});
  ScriptedDriven a;
  ScriptedDriven b;
  b.echo = true;
  a.openUdp(1);
  b.openUdp(1, {IpAddress(), 7000});
  a.deadline = Timestamp::millis(10);
  a.onAdvance = [&](Timestamp now) {
    a.send(1, {*bob.address(), 7000}, std::string(500, 'x'));
    a.deadline = now + Duration::millis(10);
  };
  world.addNode(alice, a);
  world.addNode(bob, b);
  world.run(Duration::seconds(5));
  EXPECT_GT(a.arrived.size(), 200u);
  return world.trace().hash();
}

TEST(World, SameSeedGivesSameHash) {
  const uint64_t hash = chatter(42);
  EXPECT_EQ(hash, chatter(42));
  EXPECT_NE(hash, chatter(43));
}

TEST(World, AnotherElementDoesNotReshuffleTheRest) {
  EXPECT_EQ(chatter(42), chatter(42, true));
}

TEST(World, GeneratorsAreSplitByName) {
  World world(5);
  SeededRandom a = world.randomFor("a");
  SeededRandom sameA = world.randomFor("a");
  SeededRandom b = world.randomFor("b");
  const uint64_t drawn = a.u64();
  EXPECT_EQ(drawn, sameA.u64());
  EXPECT_NE(drawn, b.u64());
}

TEST(World, HooksSeeEveryDatagram) {
  World world;
  Host& hostA = world.addHost("a");
  Host& hostB = world.addHost("b");
  world.connect(hostA, hostB, {.delay = Duration::millis(3)});
  UdpProbe a(world, hostA);
  UdpProbe b(world, hostB);
  std::vector<std::string> seen;
  world.onDatagram([&](const DatagramEvent& event) {
    seen.push_back("out " + event.host.name() + " " + std::to_string(event.time.millis()));
  });
  world.onArrival([&](const DatagramEvent& event) {
    seen.push_back("in " + event.host.name() + " " + std::to_string(event.time.millis()));
  });
  a.send(b.address(), "x");
  world.run(Duration::seconds(1));
  EXPECT_EQ(seen, (std::vector<std::string>{"out a 0", "in b 3"}));
}

TEST(World, TraceRecordsTellWhereRunsPart) {
  World world;
  world.trace().keepRecords(10);
  Host& hostA = world.addHost("a");
  Host& hostB = world.addHost("b");
  world.connect(hostA, hostB);
  UdpProbe a(world, hostA, {IpAddress(), 1000});
  UdpProbe b(world, hostB, {IpAddress(), 2000});
  a.send(b.address(), std::string("\x16handshake"));
  a.send(b.address(), std::string("\x17 data"));
  world.run(Duration::millis(1));
  ASSERT_EQ(world.trace().records().size(), 4u);
  EXPECT_EQ(world.trace().records()[0].toString(), "0 out 10.1.0.1:1000 > 10.1.0.2:2000 dtls 0");
  EXPECT_EQ(world.trace().records()[3].toString(), "0 in  10.1.0.1:1000 > 10.1.0.2:2000 dtls 6");
}

TEST(World, MovesPacketsFast) {
  World world;
  Host& hostA = world.addHost("a");
  Host& hostB = world.addHost("b");
  world.connect(hostA, hostB,
                {.delay = Duration::millis(3), .queue = {.rate = DataRate::kbps(80'000)}});
  ScriptedDriven a;
  ScriptedDriven b;
  a.echo = b.echo = true;
  a.openUdp(1, {IpAddress(), 1000});
  b.openUdp(1, {IpAddress(), 1000});
  world.addNode(hostA, a);
  world.addNode(hostB, b);
  world.run(Duration::zero());
  for (int i = 0; i < 10; ++i) a.send(1, {*hostB.address(), 1000}, std::string(1000, 'x'));
  timespec start{};
  clock_gettime(CLOCK_MONOTONIC, &start);
  world.run(Duration::seconds(1));
  // About 3000 datagrams; a minute of a call must take seconds even unoptimized.
  EXPECT_GT(a.arrived.size(), 1000u);
  timespec end{};
  clock_gettime(CLOCK_MONOTONIC, &end);
  EXPECT_LT((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1'000'000, 1000);
}

}  // namespace
}  // namespace parley::sim
