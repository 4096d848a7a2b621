// Candidates that a STUN server behind a NAT tells.

#include <string>

#include <gtest/gtest.h>

#include "parley/sim/servers/stun_server.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

size_t countReflexive(const std::string& sdp) {
  size_t count = 0;
  for (size_t at = sdp.find("typ srflx"); at != std::string::npos;
       at = sdp.find("typ srflx", at + 1))
    ++count;
  return count;
}

// A road to the STUN server beside the direct one between the two.
PARLEY_SIM_TEST(ReflexiveSim, RestartTellsTheNewPublicAddress) {
  sim::Segment& home = world.addSegment("home");
  sim::Segment& internet = world.addSegment("internet");
  sim::Nat& nat = world.addNat("nat", home, internet);
  sim::StunServer server(world.addHost("stun", internet));
  PairOptions options;
  options.configurationA.iceServers = {{{"stun:" + server.address().toString()}, {}, {}}};
  Pair pair(world, options);
  pair.hostA().attach(home);
  DataChannel channel = pair.a().createDataChannel("c").value();
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  const std::string before = pair.a().localDescription()->sdp;
  ASSERT_EQ(countReflexive(before), 1u) << before;

  nat.changePublicAddresses({*IpAddress::parse("10.2.0.77")});
  for (int round = 0; round < 2; ++round) {
    pair.a().restartIce();
    pair.negotiate();
    pair.run(
        Duration::seconds(9));  // the direct road does not lead to the server: that takes 7.5 s
    const std::string after = pair.a().localDescription()->sdp;
    EXPECT_EQ(countReflexive(after), 1u) << after;
    EXPECT_NE(after.find(" 10.2.0.77 "), std::string::npos) << after;
    EXPECT_NE(after.find("a=end-of-candidates"), std::string::npos) << after;
    EXPECT_EQ(pair.a().iceGatheringState(), IceGatheringState::Complete);
  }
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
  EXPECT_TRUE(channel.send("still here"));
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

// Both hosts have private addresses, so B must neither send nor answer.
TEST(ReflexiveSim, ServerThatDeniesPrivateAddressesKeepsSilent) {
  PairOptions options;
  options.configurationB.denyPrivateAddresses = true;
  Pair pair(options);
  size_t fromB = 0;
  pair.world().onDatagram([&](const sim::DatagramEvent& event) {
    if (&event.host == &pair.hostB()) ++fromB;
  });
  (void)pair.a().createDataChannel("c");
  EXPECT_FALSE(pair.connect(Duration::seconds(20)));
  EXPECT_EQ(fromB, 0u);
  EXPECT_EQ(pair.b().iceConnectionState(), IceConnectionState::New);
}

}  // namespace
}  // namespace parley
