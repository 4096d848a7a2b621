// Calls with an ICE-lite peer, as media servers are.

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

bool isUp(const PeerConnection& pc) {
  return pc.iceConnectionState() == IceConnectionState::Connected ||
         pc.iceConnectionState() == IceConnectionState::Completed;
}

/// A call between a full and a lite peer with a channel, which each can have begun.
struct LiteCall {
  LiteCall(sim::World& world, bool fullOffers) : pair(world, options(fullOffers)) {
    a = pair.a().createDataChannel("c").value();
    pair.b().onDataChannel([this](DataChannel incoming) {
      b = incoming;
      b->onMessage([this](const DataMessage&) { ++gotB; });
    });
    a->onMessage([this](const DataMessage&) { ++gotA; });
  }
  static PairOptions options(bool fullOffers) {
    PairOptions out;
    out.aToB.delay = Duration::millis(20);
    (fullOffers ? out.configurationB : out.configurationA).iceLite = true;
    return out;
  }
  void chat() {
    const int before = gotA;
    const int beforeB = gotB;
    ASSERT_TRUE(b);
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(a->send("tick"));
      EXPECT_TRUE(b->send("tock"));
      pair.run(Duration::millis(50));
    }
    pair.run(Duration::seconds(1));
    EXPECT_EQ(gotA, before + 10);
    EXPECT_EQ(gotB, beforeB + 10);
  }

  Pair pair;
  std::optional<DataChannel> a, b;
  int gotA = 0, gotB = 0;
};

class LiteSim : public ::testing::TestWithParam<bool> {};

TEST_P(LiteSim, CallLivesOnThePeersChecksAndRestarts) {
  sim::World world(1);
  LiteCall call(world, GetParam());
  PeerConnection& lite = GetParam() ? call.pair.b() : call.pair.a();
  PeerConnection& full = GetParam() ? call.pair.a() : call.pair.b();
  ASSERT_TRUE(call.pair.connect());
  EXPECT_NE(lite.localDescription()->sdp.find("a=ice-lite\r\n"), std::string::npos);
  EXPECT_EQ(full.localDescription()->sdp.find("ice-lite"), std::string::npos);
  call.pair.run(Duration::seconds(1));
  call.chat();
  call.pair.run(Duration::seconds(120));
  EXPECT_TRUE(isUp(lite));
  call.chat();
  for (PeerConnection* restarting : {&lite, &full}) {
    restarting->restartIce();
    call.pair.negotiate();
    call.pair.run(Duration::seconds(2));
    EXPECT_TRUE(isUp(lite));
    EXPECT_TRUE(isUp(full));
    call.chat();
  }
  EXPECT_TRUE(call.pair.errors().empty()) << call.pair.errors().front();
}

INSTANTIATE_TEST_SUITE_P(Offerer, LiteSim, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "FullOffers" : "LiteOffers");
});

TEST(LitePairSim, LiteAgentHasNoServersAndStaysLite) {
  Pair pair;
  Configuration configuration;
  configuration.iceLite = true;
  configuration.iceServers = {{{"stun:192.0.2.1"}, {}, {}}};
  const auto refused = PeerConnection::create(pair.loopA(), configuration);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidAccess);
  configuration = pair.a().getConfiguration();
  configuration.iceLite = true;
  const auto changed = pair.a().setConfiguration(configuration);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::InvalidModification);
}

// RFC 8445 has two lite agents agree on a pair without a check; but RFC 7675 section 4.1 wants
// proof that the peer consents before anything is sent.
TEST(LitePairSim, TwoLiteAgentsFail) {
  sim::World world(1);
  PairOptions options;
  options.configurationA.iceLite = options.configurationB.iceLite = true;
  Pair pair(world, options);
  ASSERT_TRUE(pair.a().createDataChannel("c"));
  pair.negotiate();
  EXPECT_TRUE(
      pair.runUntil([&] { return pair.a().connectionState() == PeerConnectionState::Failed; },
                    Duration::seconds(45)));
}

}  // namespace
}  // namespace parley
