// Calls through a TURN server: relay-only, behind firewalls, with a server that fails.

#include <string>

#include <gtest/gtest.h>

#include "parley/sim/servers/turn_server.h"
#include "parley/testing/pair.h"

#include "support/tls_identity.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;
using turn::Transport;

turn::ServerConfig serverConfig() {
  turn::ServerConfig config;
  config.realm = "example.org";
  config.users = {{"alice", "wonderland"}};
  config.tls = *dtls::TlsContext::server(
      {.certificateChain = test::kServerCertificate, .privateKey = test::kServerKey});
  return config;
}

/// Two peers that reach a server and, by the road between them or not, each other.
class RelayWorld {
 public:
  explicit RelayWorld(turn::ServerConfig config = serverConfig(), uint64_t seed = 1,
                      std::optional<sim::SegmentConfig> between = {})
      : world(seed),
        internet(between ? world.addSegment(*between) : world.addSegment("internet")),
        server(world, world.addHost("server", internet), std::move(config)) {}

  IceServer iceServer(Transport transport, const char* password = "wonderland") const {
    IceServer out{{server.url(transport)}, "alice", password};
    out.verifyCertificate = false;
    return out;
  }
  /// The peers' own road is cut: only the server is reachable, by both.
  Pair& connect(const Configuration& a, const Configuration& b) {
    PairOptions options;
    options.configurationA = a;
    options.configurationB = b;
    pair = std::make_unique<Pair>(world, options);
    for (sim::Host* host : {&pair->hostA(), &pair->hostB()}) {
      host->attach(internet);
      host->setUp(host->port(0), false);
    }
    return *pair;
  }
  Configuration with(Transport transport, IceTransportPolicy policy = IceTransportPolicy::Relay) {
    Configuration out;
    out.iceServers = {iceServer(transport)};
    out.iceTransportPolicy = policy;
    return out;
  }

  sim::World world;
  sim::Segment& internet;
  sim::TurnServer server;
  std::unique_ptr<Pair> pair;
};

/// Sends ten messages a second each way and counts what comes.
struct Chat {
  explicit Chat(Pair& p) : pair(p), a(p.a().createDataChannel("chat").value()) {
    p.b().onDataChannel([this](DataChannel incoming) {
      b = incoming;
      b->onMessage([this](const DataMessage&) { ++gotB; });
    });
    a.onMessage([this](const DataMessage&) { ++gotA; });
  }
  void run(int messages) {
    for (int i = 0; i < messages; ++i) {
      if (a.readyState() == DataChannelState::Open) sent += a.send("tick").has_value();
      if (b && b->readyState() == DataChannelState::Open) sentBack += b->send("tock").has_value();
      pair.run(Duration::millis(100));
    }
  }
  Pair& pair;
  DataChannel a;
  std::optional<DataChannel> b;
  int sent = 0, sentBack = 0, gotA = 0, gotB = 0;
};

std::string selectedLocalType(PeerConnection& pc, Pair& pair, std::string* protocol = nullptr) {
  std::string type;
  pc.getStats([&](Result<StatsReport> report) {
    const Stats* transport = report->find("T0");
    const Stats* selected =
        transport ? report->find(transport->text("selectedCandidatePairId")) : nullptr;
    const Stats* local = selected ? report->find(selected->text("localCandidateId")) : nullptr;
    if (!local) return;
    type = local->text("candidateType");
    if (protocol) *protocol = local->text("relayProtocol");
  });
  pair.run(Duration::millis(10));
  return type;
}

bool isUp(const PeerConnection& pc) {
  return pc.iceConnectionState() == IceConnectionState::Connected ||
         pc.iceConnectionState() == IceConnectionState::Completed;
}

class RelayTransportSim : public ::testing::TestWithParam<std::pair<Transport, Transport>> {};

TEST_P(RelayTransportSim, RelayOnlyCallCarriesDataBothWays) {
  const auto [forA, forB] = GetParam();
  RelayWorld w;
  Pair& pair = w.connect(w.with(forA), w.with(forB));
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  chat.run(50);
  pair.run(Duration::seconds(1));
  EXPECT_GT(chat.sent, 40);
  EXPECT_EQ(chat.gotB, chat.sent);
  EXPECT_EQ(chat.gotA, chat.sentBack);
  std::string protocol;
  EXPECT_EQ(selectedLocalType(pair.a(), pair, &protocol), "relay");
  EXPECT_EQ(protocol, turn::toString(forA));
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
  // RFC 8828: neither host nor reflexive address, not even as a related one.
  const std::string sdp = pair.a().localDescription()->sdp;
  EXPECT_EQ(sdp.find("typ host"), std::string::npos) << sdp;
  EXPECT_EQ(sdp.find("typ srflx"), std::string::npos) << sdp;
  EXPECT_EQ(sdp.find(pair.hostA().port(1).addresses()[0].toString()), std::string::npos) << sdp;

  pair.a().close();
  pair.b().close();
  pair.run(Duration::seconds(2));
  EXPECT_EQ(w.server.server().allocationCount(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Transports, RelayTransportSim,
                         ::testing::Values(std::pair(Transport::Udp, Transport::Udp),
                                           std::pair(Transport::Tcp, Transport::Udp),
                                           std::pair(Transport::Tls, Transport::Tls)),
                         [](const auto& param) {
                           return std::string(turn::toString(param.param.first)) + "_" +
                                  turn::toString(param.param.second);
                         });

TEST(RelaySim, DirectPathIsPreferredWhereThereIsOne) {
  RelayWorld w;
  Pair& pair = w.connect(w.with(Transport::Udp, IceTransportPolicy::All),
                         w.with(Transport::Udp, IceTransportPolicy::All));
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  chat.run(20);
  EXPECT_EQ(selectedLocalType(pair.a(), pair), "host");
  EXPECT_NE(pair.a().localDescription()->sdp.find("typ relay"), std::string::npos);
}

TEST(RelaySim, OneSideBehindAFirewallThatKnowsOnlyPort5349) {
  RelayWorld w;
  sim::Segment& office = w.world.addSegment("office");
  w.world.addFirewall("firewall", office, w.internet,
                      {.blockUdp = true, .allowedTcpPorts = {5349}, .rejectTcp = true});
  PairOptions options;
  options.configurationA = w.with(Transport::Udp, IceTransportPolicy::All);
  options.configurationA.iceServers.push_back(w.iceServer(Transport::Tcp));
  options.configurationA.iceServers.push_back(w.iceServer(Transport::Tls));
  options.configurationB = Configuration();
  Pair pair(w.world, options);
  pair.hostA().attach(office);
  pair.hostB().attach(w.internet);
  pair.hostA().setUp(pair.hostA().port(0), false);
  pair.hostB().setUp(pair.hostB().port(0), false);
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  chat.run(20);
  std::string protocol;
  EXPECT_EQ(selectedLocalType(pair.a(), pair, &protocol), "relay");
  EXPECT_EQ(protocol, "tls");
  EXPECT_EQ(chat.gotB, chat.sent);
}

TEST(RelaySim, WrongPasswordIsToldAsACandidateError) {
  RelayWorld w;
  Configuration a = w.with(Transport::Udp);
  a.iceServers = {w.iceServer(Transport::Udp, "looking-glass")};
  Pair& pair = w.connect(a, w.with(Transport::Udp));
  std::vector<IceCandidateError> errors;
  pair.a().onIceCandidateError([&](const IceCandidateError& error) { errors.push_back(error); });
  (void)pair.a().createDataChannel("c");
  EXPECT_FALSE(pair.connect(Duration::seconds(3)));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].errorCode, 401);
  EXPECT_EQ(errors[0].url, w.server.url());
  EXPECT_EQ(pair.a().iceGatheringState(), IceGatheringState::Complete);
}

TEST(RelaySim, RefusalsAndLoopsEndAsCandidateErrors) {
  using stun::StunError;
  for (const StunError error : {StunError::Unauthenticated, StunError::StaleNonce,
                                StunError::AllocationMismatch, StunError::AllocationQuotaReached,
                                StunError::InsufficientCapacity, StunError::TryAlternate}) {
    RelayWorld w;
    w.server.setFaults({.allocateError = error});
    Pair& pair = w.connect(w.with(Transport::Udp), w.with(Transport::Udp));
    std::vector<int> codes;
    pair.a().onIceCandidateError(
        [&](const IceCandidateError& told) { codes.push_back(told.errorCode); });
    size_t requests = 0;
    w.world.onDatagram([&](const sim::DatagramEvent& event) {
      if (&event.host == &pair.hostA()) ++requests;
    });
    (void)pair.a().createDataChannel("c");
    EXPECT_FALSE(pair.connect(Duration::seconds(3)));
    ASSERT_EQ(codes.size(), 1u) << static_cast<int>(error);
    EXPECT_EQ(codes[0], static_cast<int>(error));
    EXPECT_LE(requests, 8u) << static_cast<int>(error);
  }
}

TEST(RelaySim, SilentServerHoldsGatheringUpForItsTimeOnly) {
  RelayWorld w;
  w.server.setFaults({.silent = true});
  Pair& pair = w.connect(w.with(Transport::Udp, IceTransportPolicy::All), Configuration());
  Chat chat(pair);
  ASSERT_TRUE(pair.connect(Duration::seconds(3)));  // over host candidates, meanwhile
  pair.run(Duration::seconds(9));
  EXPECT_EQ(pair.a().iceGatheringState(), IceGatheringState::Complete);
}

TEST(RelaySim, ServerThatRelaysOnlyIpv6IsAskedForThat) {
  const sim::SegmentConfig onlyV6{.name = "internet", .v6Base = *IpAddress::parse("2001:db8::")};
  RelayWorld w(serverConfig(), 1, onlyV6);
  Pair& pair = w.connect(w.with(Transport::Udp), w.with(Transport::Tcp));
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  chat.run(10);
  pair.run(Duration::seconds(1));
  EXPECT_EQ(chat.gotB, chat.sent);
}

TEST(RelaySim, WorksThroughLossOnEveryRoad) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    RelayWorld w(serverConfig(), seed);
    Pair& pair = w.connect(w.with(Transport::Udp), w.with(Transport::Udp));
    for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) {
      const sim::LinkConfig bad{.delay = Duration::millis(20),
                                .loss = sim::LossModel::bernoulli(0.1)};
      host->port(1).up.setConfig(bad);
      host->port(1).down.setConfig(bad);
    }
    Chat chat(pair);
    ASSERT_TRUE(pair.connect()) << seed;
    chat.run(100);
    pair.run(Duration::seconds(10));
    EXPECT_EQ(chat.gotB, chat.sent) << seed;
    EXPECT_EQ(chat.gotA, chat.sentBack) << seed;
  }
}

TEST(RelaySim, CallOutlivesManyLifetimesAndNonces) {
  turn::ServerConfig config = serverConfig();
  config.nonceLifetime = Duration::seconds(120);
  RelayWorld w(config);
  Pair& pair = w.connect(w.with(Transport::Udp), w.with(Transport::Tls));
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  for (int minute = 0; minute < 45; ++minute) {
    chat.run(5);
    pair.run(Duration::seconds(59));
    ASSERT_TRUE(isUp(pair.a())) << minute;
  }
  EXPECT_EQ(chat.gotB, chat.sent);
  EXPECT_EQ(w.server.server().counters().allocationsMade, 2u);
}

TEST(RelaySim, ServerRestartIsSurvivedByAnIceRestart) {
  RelayWorld w;
  Pair& pair = w.connect(w.with(Transport::Udp), w.with(Transport::Udp));
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  chat.run(10);
  w.server.restart();
  ASSERT_TRUE(pair.runUntil([&] { return !isUp(pair.a()); }, Duration::seconds(60)));
  pair.a().restartIce();
  pair.negotiate();
  ASSERT_TRUE(pair.runUntil([&] { return isUp(pair.a()); }, Duration::seconds(30)));
  const int before = chat.gotB;
  chat.run(10);
  pair.run(Duration::seconds(2));
  EXPECT_GE(chat.gotB, before + 10);
  EXPECT_EQ(w.server.server().allocationCount(), 2u);
}

TEST(RelaySim, TicketCarriesARelayedCallToAnotherNetwork) {
  turn::ServerConfig config = serverConfig();
  config.mobility = true;
  RelayWorld w(config);
  Configuration a = w.with(Transport::Udp);
  a.turnMobility = true;
  Pair& pair = w.connect(a, w.with(Transport::Udp));
  Chat chat(pair);
  ASSERT_TRUE(pair.connect());
  chat.run(20);
  pair.hostA().changeAddresses(pair.hostA().port(1), {*IpAddress::parse("10.1.0.200")});
  chat.run(50);
  pair.run(Duration::seconds(5));
  EXPECT_TRUE(isUp(pair.a()));
  EXPECT_EQ(chat.gotB, chat.sent);
  EXPECT_EQ(w.server.server().counters().allocationsMade, 2u);
}

}  // namespace
}  // namespace parley
