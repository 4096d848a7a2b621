// PeerConnection::diagnose(): each fault is made to happen, and must be named.

#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "parley/sim/servers/turn_server.h"
#include "parley/testing/pair.h"

#include "support/tls_identity.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;
using turn::Transport;

using Edit = std::function<std::string(std::string)>;

std::string same(std::string sdp) {
  return sdp;
}

/// Replaces what stands between `key` and the end of its line.
Edit replaceLine(const std::string& key, const std::string& value) {
  return [=](std::string sdp) {
    for (size_t at = sdp.find(key); at != std::string::npos; at = sdp.find(key, at + 1))
      sdp.replace(at + key.size(), sdp.find('\r', at) - at - key.size(), value);
    return sdp;
  };
}

/// As Pair::negotiate, with somebody on the way who changes the descriptions.
void negotiate(Pair& pair, const Edit& offer, const Edit& answer) {
  const auto deliver = [&pair](PeerConnection& from, PeerConnection& to, const Edit& edit) {
    from.setLocalDescription([](const Result<void>& result) { EXPECT_TRUE(result); });
    pair.run(Duration::millis(1));
    SessionDescription description = *from.localDescription();
    description.sdp = edit(description.sdp);
    to.setRemoteDescription(description, [](const Result<void>& result) { EXPECT_TRUE(result); });
    pair.run(Duration::millis(1));
  };
  deliver(pair.a(), pair.b(), offer);
  deliver(pair.b(), pair.a(), answer);
}

void dropAll(sim::Host& host) {
  host.port(0).up.dropAll([](const sim::Packet&) { return true; });
}

struct Doctored {
  explicit Doctored(PairOptions options = {}) : pair(std::move(options)) {
    channel = *pair.a().createDataChannel("c");
  }
  bool untilFailed() {
    return pair.runUntil([&] { return pair.a().connectionState() == PeerConnectionState::Failed; },
                         Duration::seconds(120));
  }
  Diagnosis a() { return pair.a().diagnose(); }
  Diagnosis b() { return pair.b().diagnose(); }

  Pair pair;
  DataChannel channel;
};

#define EXPECT_VERDICT(diagnosis, expected, words)                              \
  do {                                                                          \
    const Diagnosis told = (diagnosis);                                         \
    EXPECT_EQ(told.verdict.code, VerdictCode::expected) << told.text();         \
    EXPECT_NE(told.verdict.text.find(words), std::string::npos) << told.text(); \
  } while (false)

size_t placeOf(const Diagnosis& diagnosis, const std::string& event) {
  for (size_t i = 0; i < diagnosis.timeline.size(); ++i) {
    if (diagnosis.timeline[i].toString().starts_with(event)) return i;
  }
  ADD_FAILURE() << event << " is not in\n" << diagnosis.text();
  return 0;
}

TEST(DiagnosisSim, ACallThatWorksTellsItsPathAndItsTimes) {
  PairOptions options;
  options.aToB.delay = Duration::millis(20);
  Doctored d(options);
  EXPECT_VERDICT(d.a(), NotStarted, "no description");
  d.pair.negotiate();
  d.pair.run(Duration::millis(5));
  EXPECT_VERDICT(d.a(), WaitingForPeer, "no description of the peer");
  ASSERT_TRUE(d.pair.connect());
  d.pair.run(Duration::seconds(1));
  EXPECT_VERDICT(d.a(), Working, "connected: host IPv");
  EXPECT_VERDICT(d.a(), Working, "round trip 40 ms");
  const Diagnosis made = d.a();
  const char* const kSteps[] = {"gathering started",       "own candidate: host", "gathering done",
                                "description of the peer", "ICE checking",        "path: host",
                                "ICE connected",           "DTLS connected",      "SCTP connected"};
  for (size_t i = 1; i < std::size(kSteps); ++i)
    EXPECT_LT(placeOf(made, kSteps[i - 1]), placeOf(made, kSteps[i])) << kSteps[i];
  for (size_t i = 1; i < made.timeline.size(); ++i)
    EXPECT_LE(made.timeline[i - 1].at, made.timeline[i].at);
  EXPECT_EQ(made.json().rfind("{\"verdict\":\"working\",\"summary\":\"connected: host", 0), 0u)
      << made.json();
  d.pair.a().close();
  EXPECT_VERDICT(d.a(), Closed, "closed");
}

TEST(DiagnosisSim, FirstMediaIsOnTheTimeline) {
  Doctored d;
  ASSERT_TRUE(d.pair.a().addTrack(
      MediaStreamTrack::createAudio(d.pair.loopA(), createToneSource(440)), {"s"}));
  ASSERT_TRUE(d.pair.connect());
  d.pair.run(Duration::seconds(1));
  EXPECT_LT(placeOf(d.a(), "DTLS connected"), placeOf(d.a(), "first media sent"));
  EXPECT_LT(placeOf(d.b(), "DTLS connected"), placeOf(d.b(), "first media received"));
}

TEST(DiagnosisSim, OtherFingerprint) {
  Doctored d;
  std::string hash(32 * 3 - 1, ':');
  for (size_t i = 0; i < hash.size(); i += 3) hash.replace(i, 2, "AB");
  negotiate(d.pair, same, replaceLine("a=fingerprint:sha-256 ", hash));
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), FingerprintMismatch, "the peer's certificate is not the one");
  d.pair.run(Duration::seconds(1));
  EXPECT_VERDICT(d.b(), FingerprintMismatch, "does not take our certificate");
}

TEST(DiagnosisSim, OtherPassword) {
  Doctored d;
  const std::string password(24, 'x');
  negotiate(d.pair, replaceLine("a=ice-pwd:", password), replaceLine("a=ice-pwd:", password));
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), WrongPassword, "wrong password");
}

TEST(DiagnosisSim, OneSideHasIpv6Only) {
  PairOptions options;
  options.configurationA.useAddress = [](const NetworkInterface&, const IpAddress& ip) {
    return ip.isV6();
  };
  options.configurationB.useAddress = [](const NetworkInterface&, const IpAddress& ip) {
    return ip.isV4();
  };
  Doctored d(options);
  d.pair.negotiate();
  d.pair.run(Duration::seconds(6));
  EXPECT_VERDICT(d.b(), FamilyMismatch, "no path yet: only IPv4 on our side and only IPv6");
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), FamilyMismatch, "only IPv6 on our side and only IPv4 on the other");
}

TEST(DiagnosisSim, NoCandidatesCome) {
  Doctored d;
  d.pair.a().onIceCandidate({});
  d.pair.b().onIceCandidate({});
  d.pair.negotiate();
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), NoRemoteCandidates, "no candidate pairs: the remote gave none");
}

TEST(DiagnosisSim, NamesThatDoNotResolve) {
  Doctored d;
  d.pair.a().onIceCandidate({});
  d.pair.b().onIceCandidate({});
  d.pair.negotiate();
  d.pair.run(Duration::millis(100));
  d.pair.a().addIceCandidate(
      {"candidate:1 1 udp 2130706431 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5000 typ host", "0",
       uint16_t{0}, std::nullopt},
      [](const Result<void>& result) { EXPECT_TRUE(result); });
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), NamesUnresolved, "mDNS names");
}

TEST(DiagnosisSim, NothingGetsThrough) {
  Doctored d;
  dropAll(d.pair.hostA());
  dropAll(d.pair.hostB());
  d.pair.negotiate();
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), ChecksTimeOut, "firewall or NAT without TURN");
}

TEST(DiagnosisSim, OneDirectionGetsThrough) {
  Doctored d;
  dropAll(d.pair.hostA());
  d.pair.negotiate();
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), ChecksOneWay, "one way only");
  EXPECT_VERDICT(d.b(), ChecksTimeOut, "checks time out");
}

TEST(DiagnosisSim, ThePeerFallsSilent) {
  Doctored d;
  ASSERT_TRUE(d.pair.connect());
  d.pair.run(Duration::seconds(10));
  dropAll(d.pair.hostA());
  dropAll(d.pair.hostB());
  ASSERT_TRUE(d.pair.runUntil(
      [&] { return d.pair.a().connectionState() == PeerConnectionState::Disconnected; },
      Duration::seconds(60)));
  EXPECT_VERDICT(d.a(), PeerSilent, "nothing has come from the peer for");
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), ConsentLost, "consent lost after 3");
}

TEST(DiagnosisSim, DtlsIsFilteredOut) {
  Doctored d;
  for (sim::Host* host : {&d.pair.hostA(), &d.pair.hostB()})
    host->port(0).up.dropAll(sim::ofClass(sim::PacketClass::Dtls));
  d.pair.negotiate();
  d.pair.run(Duration::seconds(10));
  EXPECT_VERDICT(d.a(), HandshakeTimeout, "no DTLS packet of the peer has come");
  ASSERT_TRUE(d.untilFailed());
  EXPECT_VERDICT(d.a(), HandshakeTimeout, "no DTLS packet ever came");
}

TEST(DiagnosisSim, LargePacketsVanish) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  Doctored d(options);
  ASSERT_TRUE(d.pair.connect());
  d.pair.run(Duration::seconds(1));
  EXPECT_VERDICT(d.a(), Working, "connected");
  // Had it been so from the start, the association would have found out.
  options.aToB.mtu = 1100;
  d.pair.hostA().port(0).up.setConfig(options.aToB);
  ASSERT_TRUE(d.channel.send(std::string(20'000, 'x')));
  d.pair.run(Duration::seconds(10));
  EXPECT_VERDICT(d.a(), MtuBlackHole, "MTU black hole");
  EXPECT_VERDICT(d.b(), Working, "connected");
}

TEST(DiagnosisSim, PacketsLostForAWhileAreNoBlackHole) {
  Doctored d;
  ASSERT_TRUE(d.pair.connect());
  d.pair.hostA().port(0).up.setConfig({.loss = sim::LossModel::bernoulli(0.2)});
  for (int i = 0; i < 100; ++i) {
    (void)d.channel.send(std::string(5'000, 'x'));
    d.pair.run(Duration::millis(100));
    ASSERT_EQ(d.a().verdict.code, VerdictCode::Working) << d.a().text();
  }
}

/// A behind a firewall of its choice, B in the open, and a TURN server.
class ServerWorld {
 public:
  explicit ServerWorld(sim::FirewallConfig firewall = {}) {
    turn::ServerConfig config;
    config.realm = "example.org";
    config.users = {{"alice", "wonderland"}};
    config.tls = *dtls::TlsContext::server(
        {.certificateChain = test::kServerCertificate, .privateKey = test::kServerKey});
    server = std::make_unique<sim::TurnServer>(world, world.addHost("server", internet), config);
    world.addFirewall("firewall", office, internet, std::move(firewall));
  }
  Pair& begin(std::vector<IceServer> servers, IceTransportPolicy policy = IceTransportPolicy::All) {
    PairOptions options;
    options.configurationA.iceServers = std::move(servers);
    options.configurationA.iceTransportPolicy = policy;
    pair = std::make_unique<Pair>(world, options);
    pair->hostA().attach(office);
    pair->hostB().attach(internet);
    for (sim::Host* host : {&pair->hostA(), &pair->hostB()}) host->setUp(host->port(0), false);
    (void)pair->a().createDataChannel("c");
    pair->negotiate();
    return *pair;
  }
  IceServer turn(Transport transport, const char* password = "wonderland") const {
    IceServer out{{server->url(transport)}, "alice", password};
    out.verifyCertificate = false;
    return out;
  }
  Diagnosis failed() {
    EXPECT_TRUE(
        pair->runUntil([&] { return pair->a().connectionState() == PeerConnectionState::Failed; },
                       Duration::seconds(120)));
    return pair->a().diagnose();
  }

  sim::World world{1};
  sim::Segment& internet = world.addSegment("internet");
  sim::Segment& office = world.addSegment("office");
  std::unique_ptr<sim::TurnServer> server;
  std::unique_ptr<Pair> pair;
};

TEST(DiagnosisSim, UdpIsBlockedAndTheTlsServerRefuses) {
  ServerWorld w({.blockUdp = true});
  w.begin({w.turn(Transport::Udp), w.turn(Transport::Tls, "looking-glass")});
  EXPECT_VERDICT(w.failed(), UdpBlocked, "UDP blocked; TURN/TLS answered 401: wrong credentials");
}

TEST(DiagnosisSim, UdpIsBlockedAndSoIsTheWayToAnyServer) {
  ServerWorld w({.blockUdp = true, .allowedTcpPorts = {443}});
  w.begin({w.turn(Transport::Udp), w.turn(Transport::Tls)});
  EXPECT_VERDICT(w.failed(), ServersUnreachable, "no STUN or TURN server answers");
}

TEST(DiagnosisSim, NoDirectPathAndWrongCredentials) {
  // Only the server's port is open.
  ServerWorld w({.blockUdp = true, .allowedUdpPorts = {3478}});
  w.begin({w.turn(Transport::Udp, "looking-glass")});
  EXPECT_VERDICT(w.failed(), RelayRefused,
                 "no direct path; TURN/UDP answered 401: wrong credentials");
}

TEST(DiagnosisSim, RelayOnlyWithWrongCredentialsShowsWithoutAPeer) {
  ServerWorld w;
  Pair& pair = w.begin({w.turn(Transport::Tcp, "looking-glass")}, IceTransportPolicy::Relay);
  pair.run(Duration::seconds(8));
  EXPECT_VERDICT(pair.a().diagnose(), RelayRefused, "TURN/TCP answered 401: wrong credentials");
}

TEST(DiagnosisSim, RelayOnlyWithoutAServer) {
  ServerWorld w;
  w.begin({}, IceTransportPolicy::Relay);
  EXPECT_VERDICT(w.failed(), NoLocalCandidates, "relay-only without a TURN server");
}

TEST(DiagnosisSim, ARestartForgetsWhatWasWrongBefore) {
  ServerWorld w({.blockUdp = true, .allowedUdpPorts = {3478}});
  Pair& pair = w.begin({w.turn(Transport::Udp, "looking-glass")});
  EXPECT_VERDICT(w.failed(), RelayRefused, "401");
  pair.hostB().setUp(pair.hostB().port(0), true);
  pair.hostA().setUp(pair.hostA().port(0), true);
  pair.a().restartIce();
  pair.negotiate();
  ASSERT_TRUE(
      pair.runUntil([&] { return pair.a().connectionState() == PeerConnectionState::Connected; },
                    Duration::seconds(30)));
  EXPECT_VERDICT(pair.a().diagnose(), Working, "connected: host");
}

}  // namespace
}  // namespace parley
