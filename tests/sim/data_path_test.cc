#include <string>

#include "sim/support/secure_peer.h"
#include "sim/support/sim_case.h"

// DTLS, SCTP and data channels on a bad network, below ICE. OpenSSL and usrsctp read the clock
// themselves: that they live in virtual time is what the exact figures here prove.

namespace parley {
namespace {

using sim::Host;
using sim::LinkConfig;
using sim::PacketClass;
using sim::World;
using test::SecurePeer;

/// Two hosts with one link between them, and a peer on each.
struct Pair {
  Pair(World& world, const std::string& name, const LinkConfig& link)
      : hostA(world.addHost(name + "A")),
        hostB(world.addHost(name + "B")),
        segment(world.connect(hostA, hostB, link)),
        a(world, hostA, dtls::Role::Client),
        b(world, hostB, dtls::Role::Server) {
    a.connectTo(b);
    b.connectTo(a);
  }
  sctp::ChannelId open(const sctp::ChannelInit& init, Timestamp now) {
    sctp::ChannelInit negotiated = init;
    negotiated.negotiated = true;
    negotiated.id = nextId++;
    EXPECT_TRUE(b.channels().open(negotiated, now).has_value());
    return *a.channels().open(negotiated, now);
  }
  bool isUp() const { return !a.channelsUpAt.isNever() && !b.channelsUpAt.isNever(); }

  Host& hostA;
  Host& hostB;
  sim::Segment& segment;
  SecurePeer a;
  SecurePeer b;
  uint16_t nextId = 0;
};

PARLEY_SIM_TEST(DataPath, LostFirstFlightCostsExactlyOneTimeout) {
  const LinkConfig link{.delay = Duration::millis(25)};
  Pair smooth(world, "smooth", link);
  Pair lossy(world, "lossy", link);
  lossy.a.setRttHint(Duration::millis(50));
  lossy.hostA.port(0).up.dropNth(1, sim::ofClass(PacketClass::Dtls));
  world.run(Duration::seconds(2));
  ASSERT_TRUE(smooth.isUp());
  ASSERT_TRUE(lossy.isUp());
  // The first retransmission waits twice the round trip.
  EXPECT_EQ(lossy.a.securedAt - smooth.a.securedAt, Duration::millis(100));
  EXPECT_EQ(smooth.a.securedAt, Timestamp::millis(100));
}

PARLEY_SIM_TEST(DataPath, HandshakesThroughHeavyLoss) {
  Pair pair(world, "pair", {.delay = Duration::millis(40), .loss = sim::LossModel::bernoulli(0.2)});
  EXPECT_TRUE(world.runUntil([&] { return pair.isUp(); }, Duration::seconds(60)));
}

PARLEY_SIM_TEST(DataPath, OrderedMessagesArriveOnceAndInOrder) {
  Pair pair(world, "pair",
            {.delay = Duration::millis(30),
             .jitter = Duration::millis(20),
             .keepOrder = false,
             .loss = sim::LossModel::bursts(0.05, 3),
             .duplicate = 0.02,
             .queue = {.rate = DataRate::kbps(2000)}});
  const sctp::ChannelId channel = pair.open({.label = "chat"}, world.now());
  ASSERT_TRUE(world.runUntil([&] { return pair.isUp(); }, Duration::seconds(60)));
  constexpr size_t kCount = 200;
  for (size_t i = 0; i < kCount; ++i) {
    pair.a.send(channel, std::to_string(i) + std::string(i * 10, '.'));
    world.run(Duration::millis(10));
  }
  ASSERT_TRUE(
      world.runUntil([&] { return pair.b.messages.size() == kCount; }, Duration::seconds(120)));
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(std::stoul(pair.b.messages[i].text), i);
    EXPECT_EQ(pair.b.messages[i].text.size(), std::to_string(i).size() + i * 10);
  }
}

PARLEY_SIM_TEST(DataPath, ExpiredMessagesAreGivenUp) {
  Pair pair(world, "pair", {.delay = Duration::millis(20)});
  const sctp::ChannelId reliable = pair.open({.label = "reliable"}, world.now());
  const sctp::ChannelId hasty =
      pair.open({.label = "hasty", .ordered = false, .maxPacketLifeTimeMs = 300}, world.now());
  ASSERT_TRUE(world.runUntil([&] { return pair.isUp(); }, Duration::seconds(10)));
  world.run(Duration::seconds(1));
  // An outage shorter than the life of a message is bridged.
  sim::Link& way = pair.hostA.port(0).up;
  way.setUp(false);
  pair.a.send(hasty, "lives");
  world.run(Duration::millis(100));
  way.setUp(true);
  world.run(Duration::seconds(10));
  ASSERT_EQ(pair.b.messages.size(), 1u);
  EXPECT_EQ(pair.b.messages[0].text, "lives");
  // A longer one is not.
  way.setUp(false);
  pair.a.send(hasty, "dies");
  pair.a.send(reliable, "stays");
  world.run(Duration::seconds(2));
  way.setUp(true);
  world.run(Duration::seconds(20));
  ASSERT_EQ(pair.b.messages.size(), 2u);
  EXPECT_EQ(pair.b.messages[1].text, "stays");
}

PARLEY_SIM_TEST(DataPath, IdleHourCostsLittle) {
  Pair pair(world, "pair", {.delay = Duration::millis(20)});
  const sctp::ChannelId channel = pair.open({.label = "chat"}, world.now());
  ASSERT_TRUE(world.runUntil([&] { return pair.isUp(); }, Duration::seconds(10)));
  const uint64_t before = world.trace().count();
  world.run(Duration::seconds(3600));
  // SCTP heartbeats every half minute, each way, with their answers.
  EXPECT_LT(world.trace().count() - before, 2000u);
  pair.a.send(channel, "still there");
  world.run(Duration::seconds(1));
  ASSERT_EQ(pair.b.messages.size(), 1u);
}

PARLEY_SIM_TEST(DataPath, NoDatagramExceedsTheMtuOrShowsPlaintext) {
  Pair pair(world, "pair", {.delay = Duration::millis(5)});
  bool leaked = false;
  size_t largest = 0;
  world.onDatagram([&](const sim::DatagramEvent& event) {
    const std::string_view bytes = asText(event.packet.data.span());
    leaked = leaked || bytes.find("a secret text") != std::string_view::npos;
    largest = std::max(largest, bytes.size());
  });
  const sctp::ChannelId channel = pair.open({.label = "chat"}, world.now());
  ASSERT_TRUE(world.runUntil([&] { return pair.isUp(); }, Duration::seconds(10)));
  std::string text;
  while (text.size() < 50'000) text += "a secret text ";
  pair.a.send(channel, text);
  world.run(Duration::seconds(5));
  ASSERT_EQ(pair.b.messages.size(), 1u);
  EXPECT_EQ(pair.b.messages[0].text, text);
  EXPECT_FALSE(leaked);
  EXPECT_LE(largest, 1200u);
}

}  // namespace
}  // namespace parley
