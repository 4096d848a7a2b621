// What comes before the first byte, on networks that lose much of it.

#include <algorithm>
#include <memory>

#include <gtest/gtest.h>

#include "parley/sim/servers/turn_server.h"
#include "parley/testing/pair.h"

#include "support/tls_identity.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

// A third of all packets is lost each way: DTLS and SCTP together get through all the same, as
// their waits end at a few seconds.
TEST(HandshakeLossSim, AThirdLostEachWayStillConnectsSoon) {
  Duration longest;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    PairOptions options;
    options.seed = seed;
    options.aToB.delay = Duration::millis(30);
    options.aToB.loss = sim::LossModel::bernoulli(0.33);
    Pair pair(options);
    DataChannel channel = pair.a().createDataChannel("c").value();
    bool heard = false;
    pair.b().onDataChannel([&](DataChannel incoming) {
      incoming.onMessage([&](const DataMessage&) { heard = true; });
    });
    channel.onOpen([channel]() mutable { (void)channel.send("first"); });
    const Timestamp begin = pair.world().now();
    pair.negotiate();
    EXPECT_TRUE(pair.runUntil([&] { return heard; }, Duration::seconds(40))) << "seed " << seed;
    longest = std::max(longest, pair.world().now() - begin);
  }
  EXPECT_LT(longest, Duration::seconds(25));
}

/// Relay-only calls through a server that is spoken to by TLS.
class TlsRelaySim : public ::testing::Test {
 protected:
  TlsRelaySim() : server_(world_, world_.addHost("server", internet_), serverConfig()) {
    PairOptions options;
    IceServer server{{server_.url(turn::Transport::Tls)}, "alice", "wonderland"};
    server.verifyCertificate = false;
    options.configurationA.iceServers = options.configurationB.iceServers = {server};
    options.configurationA.iceTransportPolicy = IceTransportPolicy::Relay;
    options.configurationB.iceTransportPolicy = IceTransportPolicy::Relay;
    pair_ = std::make_unique<Pair>(world_, options);
    for (sim::Host* host : {&pair_->hostA(), &pair_->hostB()}) {
      host->attach(internet_);
      host->setUp(host->port(0), false);
    }
  }
  static turn::ServerConfig serverConfig() {
    turn::ServerConfig config;
    config.realm = "example.org";
    config.users = {{"alice", "wonderland"}};
    config.tls = *dtls::TlsContext::server(
        {.certificateChain = test::kServerCertificate, .privateKey = test::kServerKey});
    return config;
  }
  /// Swallows what A's first connection sends after its first `passed` segments, for ever.
  void swallowFirstConnection(size_t passed) {
    pair_->hostA().port(1).up.script([this, passed](const sim::Packet& packet) {
      if (packet.protocol != sim::Protocol::Tcp) return sim::Verdict::Pass;
      if (firstPort_ == 0) firstPort_ = packet.from.port;
      if (packet.from.port != firstPort_) return sim::Verdict::Pass;
      return count_++ < passed ? sim::Verdict::Pass : sim::Verdict::Drop;
    });
  }
  Duration timeToConnect() {
    const Timestamp begin = world_.now();
    EXPECT_TRUE(pair_->connect());
    return world_.now() - begin;
  }

  sim::World world_{1};
  sim::Segment& internet_ = world_.addSegment("internet");
  sim::TurnServer server_;
  std::unique_ptr<Pair> pair_;
  uint16_t firstPort_ = 0;
  size_t count_ = 0;
};

TEST_F(TlsRelaySim, AConnectionThatDoesNotComeAboutGetsASecondTry) {
  (void)pair_->a().createDataChannel("c");
  swallowFirstConnection(0);
  EXPECT_LT(timeToConnect(), Duration::seconds(5));
}

TEST_F(TlsRelaySim, SoDoesOneThatHangsInItsTlsHandshake) {
  (void)pair_->a().createDataChannel("c");
  swallowFirstConnection(2);
  EXPECT_LT(timeToConnect(), Duration::seconds(5));
}

TEST_F(TlsRelaySim, AndOneThatFallsSilentBeforeTheRelayIsThere) {
  (void)pair_->a().createDataChannel("c");
  swallowFirstConnection(6);
  EXPECT_LT(timeToConnect(), Duration::seconds(8));
}

}  // namespace
}  // namespace parley
