// Peers between which no UDP passes, over TCP (RFC 6544).

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/generators.h"
#include "parley/sim/firewall.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

Configuration listening() {
  Configuration configuration;
  configuration.tcpCandidates = TcpCandidates::ActiveAndPassive;
  return configuration;
}

/// A member of a candidate of the selected pair.
std::string selected(Pair& pair, PeerConnection& pc, const char* side, const char* member) {
  std::string out;
  pc.getStats([&](Result<StatsReport> report) {
    const Stats* transport = report->find("T0");
    const Stats* chosen =
        transport ? report->find(transport->text("selectedCandidatePairId")) : nullptr;
    const Stats* candidate = chosen ? report->find(chosen->text(side)) : nullptr;
    if (candidate) out = candidate->text(member);
  });
  pair.run(Duration::millis(10));
  return out;
}

/// Side A sits behind a firewall that lets no UDP pass, side B outside of it.
struct Blocked {
  explicit Blocked(sim::World& world, PairOptions options, sim::PortConfig port = {})
      : office(world.addSegment("office")),
        internet(world.addSegment("internet")),
        firewall(world.addFirewall("firewall", office, internet, {.blockUdp = true})),
        pair(world, std::move(options)) {
    pair.hostA().attach(office, port);
    pair.hostB().attach(internet, port);
    for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) host->setUp(host->port(0), false);
  }
  /// Channels of both sides that collect what comes.
  void openChannels(bool fromB = false) {
    const auto listen = [](DataChannel& channel, std::string& got) {
      channel.onMessage([&got](const DataMessage& message) { got += asText(message.data); });
    };
    const auto open = [listen](PeerConnection& here, std::optional<DataChannel>& atHere,
                               std::string& gotHere, PeerConnection& there,
                               std::optional<DataChannel>& atThere, std::string& gotThere) {
      there.onDataChannel([&, listen](DataChannel incoming) {
        atThere = incoming;
        listen(*atThere, gotThere);
      });
      atHere = here.createDataChannel("c").value();
      listen(*atHere, gotHere);
    };
    if (fromB) {
      open(pair.b(), atB, gotB, pair.a(), atA, gotA);
    } else {
      open(pair.a(), atA, gotA, pair.b(), atB, gotB);
    }
  }
  bool isOpen() const {
    return atA && atB && atA->readyState() == DataChannelState::Open &&
           atB->readyState() == DataChannelState::Open;
  }
  void chat(const std::string& word) {
    gotA.clear();
    gotB.clear();
    ASSERT_TRUE(atA && atB);
    EXPECT_TRUE(atA->send(word));
    EXPECT_TRUE(atB->send(word));
    pair.runUntil([&] { return gotA == word && gotB == word; }, Duration::seconds(20));
    EXPECT_EQ(gotA, word);
    EXPECT_EQ(gotB, word);
  }

  sim::Segment& office;
  sim::Segment& internet;
  sim::Firewall& firewall;
  Pair pair;
  std::optional<DataChannel> atA, atB;
  std::string gotA, gotB;
};

PairOptions listeningOutside() {
  PairOptions options;
  options.configurationB = listening();
  return options;
}

struct Way {
  const char* name;
  bool listenerOffers;
  double loss;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class TcpSim : public ::testing::TestWithParam<Way> {};

TEST_P(TcpSim, ConnectsWhereNoUdpPasses) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    sim::World world(seed);
    sim::PortConfig port;
    port.up.loss = port.down.loss = sim::LossModel::bernoulli(GetParam().loss);
    port.up.delay = port.down.delay = Duration::millis(10);
    Blocked blocked(world, listeningOutside(), port);
    blocked.openChannels(GetParam().listenerOffers);
    blocked.pair.negotiate(GetParam().listenerOffers);
    ASSERT_TRUE(blocked.pair.runUntil([&] { return blocked.isOpen(); }, Duration::seconds(40)))
        << seed;
    blocked.chat(std::string(20'000, 'x'));
    EXPECT_EQ(selected(blocked.pair, blocked.pair.a(), "localCandidateId", "protocol"), "tcp");
    EXPECT_EQ(selected(blocked.pair, blocked.pair.a(), "localCandidateId", "tcpType"), "active");
    EXPECT_EQ(selected(blocked.pair, blocked.pair.b(), "localCandidateId", "tcpType"), "passive");
    EXPECT_EQ(selected(blocked.pair, blocked.pair.b(), "remoteCandidateId", "candidateType"),
              "prflx");
    EXPECT_TRUE(blocked.pair.errors().empty());
    // Consent is kept, and the checks of what cannot work come to an end.
    blocked.pair.run(Duration::seconds(60));
    EXPECT_EQ(blocked.pair.a().iceConnectionState(), IceConnectionState::Completed);
    blocked.chat("later");
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, TcpSim,
                         ::testing::Values(Way{"ConnectingSideOffers", false, 0},
                                           Way{"ListeningSideOffers", true, 0},
                                           Way{"ConnectingSideOffersWithLoss", false, 0.05},
                                           Way{"ListeningSideOffersWithLoss", true, 0.05}),
                         [](const auto& way) { return std::string(way.param.name); });

TEST(TcpSimulation, WhereUdpPassesItIsTaken) {
  PairOptions options;
  options.configurationA = options.configurationB = listening();
  Pair pair(options);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(2));
  EXPECT_EQ(selected(pair, pair.a(), "localCandidateId", "protocol"), "udp");
}

TEST(TcpSimulation, NobodyListensUnlessAsked) {
  Pair pair;
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  const std::string sdp = pair.a().localDescription()->sdp;
  EXPECT_NE(sdp.find(" 9 typ host tcptype active"), std::string::npos) << sdp;
  EXPECT_EQ(sdp.find("tcptype passive"), std::string::npos) << sdp;
}

TEST(TcpSimulation, PortsAndAddressesAreThoseConfigured) {
  PairOptions options;
  options.configurationA = listening();
  options.configurationA.minPort = 42000;
  options.configurationA.maxPort = 42010;
  options.configurationA.announcedAddresses = {*IpAddress::parse("203.0.113.5")};
  options.configurationB.tcpCandidates = TcpCandidates::None;
  Pair pair(options);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  const std::string sdp = pair.a().localDescription()->sdp;
  EXPECT_NE(sdp.find(" 203.0.113.5 420"), std::string::npos) << sdp;
  const size_t passive = sdp.find("tcptype passive");
  ASSERT_NE(passive, std::string::npos);
  const size_t line = sdp.rfind("a=candidate:", passive);
  EXPECT_NE(sdp.substr(line, passive - line).find(" 420"), std::string::npos) << sdp;
  EXPECT_EQ(pair.b().localDescription()->sdp.find("tcptype"), std::string::npos);
}

TEST(TcpSimulation, TwoFirewallsThatLetNobodyInArePassedByBothAtOnce) {
  sim::World world(1);
  sim::Segment& internet = world.addSegment("internet");
  PairOptions options;
  options.configurationA.tcpCandidates = options.configurationB.tcpCandidates = TcpCandidates::All;
  Pair pair(world, options);
  for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) {
    sim::Segment& office = world.addSegment("office of " + host->name());
    world.addFirewall("firewall of " + host->name(), office, internet, {.blockUdp = true});
    host->attach(office);
    host->setUp(host->port(0), false);
  }
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  ASSERT_TRUE(pair.connect());
  EXPECT_EQ(selected(pair, pair.a(), "localCandidateId", "tcpType"), "so");
}

TEST(TcpSimulation, AConnectionThatBreaksIsMadeAgain) {
  for (int breaks = 1; breaks <= 3; ++breaks) {
    sim::World world(static_cast<uint64_t>(breaks));
    Blocked blocked(world, listeningOutside());
    blocked.openChannels();
    ASSERT_TRUE(blocked.pair.connect());
    ASSERT_TRUE(
        blocked.pair.runUntil([&] { return blocked.atB.has_value(); }, Duration::seconds(2)));
    for (int i = 0; i < breaks; ++i) {
      blocked.chat("before");
      // The firewall forgets its flows and answers with RST, as some do.
      blocked.firewall.setConfig({.blockUdp = true,
                                  .rejectTcp = true,
                                  .allow = [](const sim::Packet&, bool) { return false; }});
      EXPECT_TRUE(blocked.atA->send("into the void;"));
      EXPECT_TRUE(blocked.atB->send("into the void;"));
      blocked.gotA.clear();
      blocked.gotB.clear();
      blocked.pair.run(Duration::seconds(1));
      blocked.firewall.setConfig({.blockUdp = true});
      EXPECT_TRUE(blocked.pair.runUntil(
          [&] { return !blocked.gotA.empty() && !blocked.gotB.empty(); }, Duration::seconds(15)))
          << i << " of " << breaks;
    }
    blocked.chat("after");
    EXPECT_EQ(blocked.pair.a().connectionState(), PeerConnectionState::Connected);
    EXPECT_EQ(blocked.pair.b().connectionState(), PeerConnectionState::Connected);
  }
}

TEST(TcpSimulation, APathThatStaysCutFails) {
  sim::World world(1);
  Blocked blocked(world, listeningOutside());
  blocked.openChannels();
  ASSERT_TRUE(blocked.pair.connect());
  blocked.firewall.setConfig({.blockUdp = true,
                              .rejectTcp = true,
                              .allow = [](const sim::Packet&, bool) { return false; }});
  EXPECT_TRUE(blocked.pair.runUntil(
      [&] {
        return blocked.pair.a().iceConnectionState() == IceConnectionState::Failed &&
               blocked.pair.b().iceConnectionState() == IceConnectionState::Failed;
      },
      Duration::seconds(90)));
}

TEST(TcpSimulation, AnIceRestartTakesNewConnections) {
  for (const bool listenerRestarts : {false, true}) {
    sim::World world(1);
    Blocked blocked(world, listeningOutside());
    blocked.openChannels();
    ASSERT_TRUE(blocked.pair.connect());
    blocked.pair.run(Duration::seconds(2));
    const auto before =
        selected(blocked.pair, blocked.pair.b(), "remoteCandidateId", "usernameFragment");
    for (int i = 0; i < 3; ++i) {
      blocked.chat("before");
      (listenerRestarts ? blocked.pair.b() : blocked.pair.a()).restartIce();
      blocked.pair.negotiate(listenerRestarts);
      EXPECT_TRUE(blocked.atA->send("meanwhile"));
      blocked.pair.run(Duration::seconds(3));
      blocked.chat("after");
    }
    EXPECT_NE(before,
              selected(blocked.pair, blocked.pair.b(), "remoteCandidateId", "usernameFragment"));
    EXPECT_EQ(blocked.pair.a().connectionState(), PeerConnectionState::Connected);
    EXPECT_TRUE(blocked.pair.errors().empty());
  }
}

PARLEY_SIM_TEST(TcpCallSim, MediaAndDataFlow) {
  Blocked blocked(world, listeningOutside());
  uint64_t frames = 0;
  blocked.pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Video)
      track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
  });
  blocked.openChannels();
  ASSERT_TRUE(blocked.pair.a().addTrack(
      MediaStreamTrack::createVideo(blocked.pair.loopA(), createTestPatternSource(160, 120, 30)),
      {"s"}));
  ASSERT_TRUE(blocked.pair.connect());
  blocked.pair.run(Duration::seconds(5));
  EXPECT_GT(frames, 120u);
  blocked.chat("and data");
}

double roundTripOf(Pair& pair, PeerConnection& pc) {
  double seconds = 0;
  pc.getStats([&](Result<StatsReport> report) {
    const Stats* transport = report->find("T0");
    const Stats* chosen =
        transport ? report->find(transport->text("selectedCandidatePairId")) : nullptr;
    if (chosen) seconds = chosen->number("currentRoundTripTime");
  });
  pair.run(Duration::millis(10));
  return seconds;
}

void callOverSlowConnection(sim::World& world, DataRate least, bool chats) {
  sim::PortConfig port;
  port.up.queue.rate = DataRate::kbps(400);
  PairOptions options = listeningOutside();
  options.configurationA.startBitrate = DataRate::kbps(1500);
  options.configurationA.minBitrate = least;
  Blocked blocked(world, std::move(options), port);
  uint64_t frames = 0;
  blocked.pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
  });
  blocked.openChannels();
  ASSERT_TRUE(blocked.pair.a().addTrack(
      MediaStreamTrack::createVideo(blocked.pair.loopA(), createTestPatternSource(320, 240, 30)),
      {"s"}));
  ASSERT_TRUE(blocked.pair.connect());
  blocked.pair.run(Duration::seconds(15));
  EXPECT_EQ(blocked.pair.a().connectionState(), PeerConnectionState::Connected);
  EXPECT_EQ(blocked.pair.b().connectionState(), PeerConnectionState::Connected);
  EXPECT_GT(frames, 0u);
  // What waits in the connection, and nothing behind it.
  EXPECT_LT(roundTripOf(blocked.pair, blocked.pair.a()), 2.5);
  if (chats) blocked.chat("data too");
}

// What a slow connection cannot take is dropped before it, so that what comes is not old.
PARLEY_SIM_TEST(TcpCallSim, ASlowConnectionGetsNoLongQueue) {
  callOverSlowConnection(world, DataRate::kbps(1500), false);
}

PARLEY_SIM_TEST(TcpCallSim, TheRateAdaptsToASlowConnection) {
  callOverSlowConnection(world, DataRate::kbps(30), true);
}

}  // namespace
}  // namespace parley
