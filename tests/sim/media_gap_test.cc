// How long media stops when the path changes, with data flowing beside it, of which nothing is
// lost.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sim/servers/turn_server.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

constexpr Duration kRoundTrip = Duration::millis(100);
const sim::LinkConfig kWire{.delay = kRoundTrip / 2};

/// A call with sound and a reliable channel both ways.
class Call {
 public:
  explicit Call(std::unique_ptr<Pair> made) : pair(std::move(made)) {
    for (const bool isA : {true, false}) {
      PeerConnection& pc = isA ? pair->a() : pair->b();
      (void)pc.addTrack(
          MediaStreamTrack::createAudio(isA ? pair->loopA() : pair->loopB(), createToneSource(440)),
          {"s"});
      DataChannelInit init;
      init.negotiated = true;
      init.id = uint16_t{7};
      End& end = ends_[isA ? 0 : 1];
      end.pc = &pc;
      end.channel = pc.createDataChannel("c", init).value();
      end.channel.onMessage([&end](const DataMessage& message) {
        end.inOrder = end.inOrder && asText(message.data) == std::to_string(end.got);
        ++end.got;
      });
    }
  }
  bool connect() {
    if (!pair->connect()) return false;
    run(Duration::seconds(4));
    return ends_[0].got > 0 && ends_[1].got > 0;
  }
  /// Sends data all the while and notes the pauses of media: towards A ([0]) and towards B ([1]).
  void run(Duration duration) {
    for (Duration t; t < duration; t += kStep) {
      for (End& end : ends_) {
        if (end.channel.readyState() == DataChannelState::Open && ++end.ticks % 4 == 0)
          end.sent += end.channel.send(std::to_string(end.sent)).has_value();
        end.pc->getStats([&end](Result<StatsReport> report) {
          double packets = 0;
          for (const Stats* stats : report->ofType("inbound-rtp"))
            packets += stats->number("packetsReceived");
          end.packets = packets;
        });
      }
      pair->run(kStep);
      const Timestamp now = pair->world().now();
      for (End& end : ends_) {
        if (std::exchange(end.seen, end.packets) == end.packets) continue;
        const Duration pause = now - end.heardAt;
        if (pause > end.longest) {
          end.longest = pause;
          end.longestUntil = now;
        }
        end.heardAt = now;
      }
    }
  }
  void forgetPauses() {
    for (End& end : ends_) end.longest = Duration::zero();
  }
  /// The longest pause so far towards A (0) or B (1), less the 20 ms between packets.
  Duration pause(size_t towards) const {
    const Duration running = pair->world().now() - ends_[towards].heardAt;
    return std::max(std::max(ends_[towards].longest, running) - Duration::millis(20),
                    Duration::zero());
  }
  /// When it ended.
  Timestamp pauseEnd(size_t towards) const { return ends_[towards].longestUntil; }
  void expectNothingLost() {
    for (int i = 0; i < 50; ++i) pair->run(Duration::millis(100));
    EXPECT_EQ(ends_[0].got, ends_[1].sent);
    EXPECT_EQ(ends_[1].got, ends_[0].sent);
    EXPECT_TRUE(ends_[0].inOrder);
    EXPECT_TRUE(ends_[1].inOrder);
    EXPECT_GT(ends_[0].sent, 50);
  }

  std::unique_ptr<Pair> pair;

 private:
  static constexpr Duration kStep = Duration::millis(5);
  struct End {
    PeerConnection* pc = nullptr;
    DataChannel channel;
    int ticks = 0;
    int sent = 0;
    int got = 0;
    bool inOrder = true;
    double packets = 0;
    double seen = 0;
    Timestamp heardAt;
    Duration longest;
    Timestamp longestUntil;
  };
  End ends_[2];
};

constexpr double kAllowed = 1.5;

#define EXPECT_SHORT(pause) \
  EXPECT_LT((pause).seconds() / kRoundTrip.seconds(), kAllowed) << (pause).millis() << " ms"

TEST(MediaGapSim, AnIceRestartFromEitherSideIsNotHeard) {
  for (const bool fromB : {false, true}) {
    SCOPED_TRACE(fromB);
    PairOptions options;
    options.aToB = kWire;
    Call call(std::make_unique<Pair>(options));
    ASSERT_TRUE(call.connect());
    call.forgetPauses();
    (fromB ? call.pair->b() : call.pair->a()).restartIce();
    call.pair->negotiate(fromB);
    call.run(Duration::seconds(5));
    for (size_t towards : {0u, 1u}) EXPECT_SHORT(call.pause(towards));
    call.expectNothingLost();
  }
}

TEST(MediaGapSim, AnInterfaceThatGoesIsReplacedByTheOther) {
  for (const bool atB : {false, true}) {
    SCOPED_TRACE(atB);
    PairOptions options;
    options.aToB = kWire;
    Call call(std::make_unique<Pair>(options));
    call.pair->world().connect(call.pair->hostA(), call.pair->hostB(), kWire);
    ASSERT_TRUE(call.connect());
    sim::Host& host = atB ? call.pair->hostB() : call.pair->hostA();
    const auto path = [&] {
      return (atB ? call.pair->b() : call.pair->a())
          .sctp()
          .transport()
          .iceTransport()
          .getSelectedCandidatePair()
          ->local.parse()
          ->address;
    };
    const std::string before = path();
    const auto& first = host.port(0).addresses();
    const bool isFirst = std::any_of(first.begin(), first.end(),
                                     [&](const IpAddress& ip) { return ip.toString() == before; });
    const size_t inUse = isFirst ? 0 : 1;
    call.forgetPauses();
    host.setUp(host.port(inUse), false);
    call.run(Duration::seconds(10));
    // Who lost the interface knows at once; the other with the first check that comes the other
    // way.
    const Duration toTell = kRoundTrip / 2;
    EXPECT_SHORT(call.pause(atB ? 0 : 1) - toTell);
    EXPECT_SHORT(call.pause(atB ? 1 : 0) - toTell);
    EXPECT_NE(path(), before);
    // And back: nothing is lost by going over to what is better.
    call.forgetPauses();
    host.setUp(host.port(inUse), true);
    call.run(Duration::seconds(10));
    for (size_t towards : {0u, 1u}) EXPECT_SHORT(call.pause(towards));
    call.expectNothingLost();
  }
}

/// Both or one behind a NAT, with a STUN server.
struct NatWorld {
  explicit NatWorld(bool aIsControlled) : controlled(aIsControlled) {
    PairOptions options;
    auto made = std::make_unique<Pair>(world, options);
    sim::Segment& home =
        world.addSegment({.name = "home", .v4Base = IpAddress::v4(192, 168, 7, 0)});
    nat = &world.addNat("nat", home, internet,
                        {.mapping = sim::NatBehavior::EndpointIndependent,
                         .filtering = sim::NatBehavior::AddressAndPortDependent,
                         .ports = sim::NatPorts::Random});
    made->hostA().attach(home, {.up = {.delay = kRoundTrip / 2}, .down = {}});
    made->hostB().attach(internet, {.up = {.delay = kRoundTrip / 2}, .down = {}});
    for (sim::Host* host : {&made->hostA(), &made->hostB()}) host->setUp(host->port(0), false);
    call.emplace(std::move(made));
  }
  sim::World world{11};
  bool controlled;
  sim::Segment& internet = world.addSegment("internet");
  sim::Nat* nat = nullptr;
  std::optional<Call> call;
};

TEST(MediaGapSim, ANatThatForgetsItsBindingIsFollowedWithTheFirstCheck) {
  for (const bool controlled : {false, true}) {
    SCOPED_TRACE(controlled);
    NatWorld w(controlled);
    if (controlled) {
      // B offers: A is controlled.
      w.call->pair->negotiate(true);
      ASSERT_TRUE(w.call->pair->runUntil(
          [&] { return w.call->pair->a().connectionState() == PeerConnectionState::Connected; },
          Duration::seconds(10)));
      w.call->run(Duration::seconds(4));
    } else {
      ASSERT_TRUE(w.call->connect());
    }
    // When B hears of the new address: with the first check that comes from there. It knows the way
    // when its own check has been answered.
    std::map<std::string, bool> known;
    bool rebound = false;
    std::optional<Timestamp> told;
    w.call->pair->hostB().port(1).down.script([&](const sim::Packet& packet) {
      bool& seen = known[packet.from.toString()];
      if (!rebound) seen = true;
      if (!seen && !told && packet.packetClass == sim::PacketClass::Stun) told = w.world.now();
      return sim::Verdict::Pass;
    });
    w.call->run(Duration::seconds(1));
    w.call->forgetPauses();
    rebound = true;
    w.nat->forgetMappings();
    w.call->run(Duration::seconds(20));
    ASSERT_TRUE(told);
    for (size_t towards : {0u, 1u}) {
      EXPECT_SHORT(w.call->pauseEnd(towards) - (*told + kRoundTrip));
      EXPECT_LT(w.call->pause(towards), Duration::seconds(8));
    }
    w.call->expectNothingLost();
  }
}

TEST(MediaGapSim, ARelayThatDiesIsReplacedByTheOther) {
  sim::World world(12);
  sim::Segment& internet = world.addSegment("internet");
  turn::ServerConfig config;
  config.realm = "example.org";
  config.users = {{"alice", "wonderland"}};
  sim::Host& firstHost = world.addHost("first", internet);
  sim::Host& secondHost = world.addHost("second", internet);
  sim::TurnServer first(world, firstHost, config);
  sim::TurnServer second(world, secondHost, config);
  PairOptions options;
  options.configurationA.iceTransportPolicy = IceTransportPolicy::Relay;
  options.configurationA.iceServers = {{{first.url(turn::Transport::Udp)}, "alice", "wonderland"},
                                       {{second.url(turn::Transport::Udp)}, "alice", "wonderland"}};
  auto made = std::make_unique<Pair>(world, options);
  for (sim::Host* host : {&made->hostA(), &made->hostB()}) {
    host->attach(internet, {.up = {.delay = kRoundTrip / 2}, .down = {}});
    host->setUp(host->port(0), false);
  }
  Call call(std::move(made));
  ASSERT_TRUE(call.connect());
  const auto relay = [&] {
    return call.pair->a()
        .sctp()
        .transport()
        .iceTransport()
        .getSelectedCandidatePair()
        ->local.parse()
        ->address;
  };
  const std::string before = relay();
  const bool firstInUse = before == first.address(AddressFamily::V4).ip.toString();
  sim::Host& dead = firstInUse ? firstHost : secondHost;
  call.forgetPauses();
  dead.setUp(dead.port(0), false);
  call.run(Duration::seconds(20));
  EXPECT_NE(relay(), before);
  // The silence is what tells; from there on it is a round trip by way of the other relay.
  for (size_t towards : {0u, 1u}) EXPECT_LT(call.pause(towards), Duration::seconds(13));
  call.expectNothingLost();
}

}  // namespace
}  // namespace parley
