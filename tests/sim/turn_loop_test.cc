// TURN servers that answer the same thing for ever, beside a call that has another way.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "parley/sim/servers/turn_server.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

class TurnLoopSim : public ::testing::TestWithParam<stun::StunError> {};

TEST_P(TurnLoopSim, ACallGoesOnAndTheServerIsSoonLeftAlone) {
  sim::World world{9};
  sim::Segment& internet = world.addSegment("internet");
  turn::ServerConfig config;
  config.realm = "example.org";
  config.users = {{"alice", "wonderland"}};
  sim::Host& host = world.addHost("server", internet);
  sim::TurnServer server(world, host, config);
  server.setFaults({.allocateError = GetParam(), .otherError = GetParam()});
  PairOptions options;
  options.configurationA.iceServers = {{{server.url(turn::Transport::Udp)}, "alice", "wonderland"}};
  Pair pair(world, options);
  pair.hostA().attach(internet);
  size_t asked = 0;
  host.port(0).down.script([&](const sim::Packet&) {
    ++asked;
    return sim::Verdict::Pass;
  });
  DataChannel channel = pair.a().createDataChannel("c").value();
  int received = 0;
  pair.b().onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(20));
  EXPECT_LT(asked, 30u);
  EXPECT_EQ(pair.a().iceGatheringState(), IceGatheringState::Complete);
  asked = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(channel.send("tick"));
    pair.run(Duration::millis(600));
  }
  EXPECT_EQ(received, 100);
  EXPECT_LT(asked, 12u) << "nothing but keepalives of the STUN binding";
}

INSTANTIATE_TEST_SUITE_P(Answers, TurnLoopSim,
                         ::testing::Values(stun::StunError::Unauthenticated,
                                           stun::StunError::StaleNonce,
                                           stun::StunError::TryAlternate),
                         [](const auto& test) {
                           return "Answer" + std::to_string(static_cast<int>(test.param));
                         });

}  // namespace
}  // namespace parley
