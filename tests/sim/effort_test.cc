// What simulated time costs of real time. These bounds are what makes simulation usable in tests;
// they are on CPU time, so that a busy machine does not break them.

#include <utility>

#include <gtest/gtest.h>

#include "sim/support/secure_peer.h"
#include "sim/support/sim_case.h"
#include "support/cpu_time.h"
#include "support/simulated_call.h"

namespace parley {
namespace {

using test::cpuAllowance;
using test::CpuTime;

TEST(EffortSim, AMinuteOfATwoWayCallTakesLessThanSixSeconds) {
  const CpuTime cpu;
  test::SimulatedCall call;
  ASSERT_TRUE(call.begin());
  call.pair.run(Duration::seconds(60));
  EXPECT_GT(call.frames, 1700u);
  EXPECT_LT(cpu.seconds(), 6 * cpuAllowance());
}

/// Two hosts, a link and a data channel over DTLS.
struct Line {
  Line(sim::World& world, const std::string& name)
      : hostA(world.addHost(name + "A")),
        hostB(world.addHost(name + "B")),
        segment(world.connect(hostA, hostB, {.delay = Duration::millis(25)})),
        a(world, hostA, dtls::Role::Client),
        b(world, hostB, dtls::Role::Server) {
    a.connectTo(b);
    b.connectTo(a);
  }
  sim::Link& way() { return hostA.port(0).up; }
  bool isUp() const { return !a.channelsUpAt.isNever() && !b.channelsUpAt.isNever(); }

  sim::Host& hostA;
  sim::Host& hostB;
  sim::Segment& segment;
  test::SecurePeer a;
  test::SecurePeer b;
};

PARLEY_SIM_TEST(EffortSim, AHandshakeThatLosesItsFirstFlightTakesNoRealTime) {
  Line line(world, "line");
  line.a.setRttHint(Duration::millis(50));
  line.way().dropNth(1, sim::ofClass(sim::PacketClass::Dtls));
  const CpuTime cpu;
  ASSERT_TRUE(world.runUntil([&] { return line.isUp(); }, Duration::seconds(10)));
  EXPECT_EQ(line.a.securedAt, Timestamp::millis(200));
  EXPECT_LT(cpu.seconds(), 0.05 * cpuAllowance());
}

/// Sends one message whose first packet is lost; when it arrives after all, counted from then.
std::optional<Duration> arrivalOfALostMessage(std::optional<uint16_t> lifetimeMs) {
  sim::World world(1);
  Line line(world, "line");
  sctp::ChannelInit init{.label = "c", .ordered = false, .maxPacketLifeTimeMs = lifetimeMs};
  init.negotiated = true;
  init.id = uint16_t{0};
  EXPECT_TRUE(line.b.channels().open(init, world.now()));
  const auto channel = line.a.channels().open(init, world.now());
  EXPECT_TRUE(channel);
  EXPECT_TRUE(world.runUntil([&] { return line.isUp(); }, Duration::seconds(10)));
  world.run(Duration::seconds(1));
  const Timestamp sent = world.now();
  line.way().setUp(false);
  line.a.send(*channel, "lost");
  world.run(Duration::millis(1));
  line.way().setUp(true);
  world.run(Duration::seconds(9));
  if (line.b.messages.empty()) return std::nullopt;
  return line.b.messages[0].time - sent;
}

TEST(EffortSim, ALifetimeEndsAtItsVirtualTimeAndTakesNoRealTime) {
  const auto repeated = arrivalOfALostMessage(std::nullopt);
  ASSERT_TRUE(repeated);
  ASSERT_GT(*repeated, Duration::millis(100));
  const auto repetition = static_cast<uint16_t>(repeated->millis() - 25);
  const CpuTime cpu;
  // One that ends just before its repetition is due is given up, one that ends just after is not.
  EXPECT_FALSE(arrivalOfALostMessage(static_cast<uint16_t>(repetition - 15)));
  EXPECT_EQ(arrivalOfALostMessage(static_cast<uint16_t>(repetition + 15)), repeated);
  EXPECT_LT(cpu.seconds(), 2 * 0.05 * cpuAllowance());
}

}  // namespace
}  // namespace parley
