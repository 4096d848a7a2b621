#include "parley/sim/servers/stun_server.h"

#include <array>

#include <gtest/gtest.h>

#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

#include "unit/sim/udp_probe.h"

namespace parley::sim {
namespace {

class StunServerTest : public ::testing::Test {
 protected:
  void ask() {
    std::array<uint8_t, 64> buffer;
    stun::MessageBuilder request(buffer, stun::Class::Request, stun::Method::Binding, {1, 2, 3});
    client.send(server.address(), asText(request.written()));
    world.run(Duration::millis(1));
  }
  std::optional<stun::Message> answer() {
    if (client.arrived.empty()) return std::nullopt;
    return stun::Message::parse(asBytes(client.arrived.back().text));
  }

  World world;
  Segment& home = world.addSegment("home");
  Segment& internet = world.addSegment("internet");
  Nat& nat = world.addNat("nat", home, internet, NatConfig::symmetric());
  Host& alice = world.addHost("alice", home);
  Host& host = world.addHost("stun", internet);
  UdpProbe client{world, alice, {{}, 5000}};
  StunServer server{host};
};

TEST_F(StunServerTest, TellsTheMappedAddress) {
  ask();
  ASSERT_TRUE(answer().has_value());
  EXPECT_TRUE(answer()->is(stun::Class::Success, stun::Method::Binding));
  EXPECT_EQ(answer()->transactionId(), (stun::TransactionId{1, 2, 3}));
  EXPECT_EQ(answer()->xorAddress(stun::AttributeType::XorMappedAddress),
            nat.externalOf({*alice.address(), 5000}, Protocol::Udp));
  EXPECT_EQ(client.arrived[0].from, server.address());
}

TEST_F(StunServerTest, AnswersAsAClassicServer) {
  server.setConfig({.classic = true});
  ask();
  EXPECT_FALSE(answer()->has(stun::AttributeType::XorMappedAddress));
  EXPECT_TRUE(answer()->address(stun::AttributeType::MappedAddress).has_value());
}

TEST_F(StunServerTest, FaultsAsTold) {
  server.setConfig({.silent = true});
  ask();
  EXPECT_FALSE(answer().has_value());
  server.setConfig({.ignoreFirst = 2});
  ask();
  EXPECT_FALSE(answer().has_value());
  ask();
  EXPECT_TRUE(answer().has_value());
  server.setConfig({.error = stun::StunError::ServerError});
  ask();
  EXPECT_EQ(answer()->error()->code, 500);
}

TEST_F(StunServerTest, IgnoresWhatIsNoRequest) {
  client.send(server.address(), "garbage");
  world.run(Duration::millis(1));
  EXPECT_EQ(server.strays(), 1u);
  EXPECT_TRUE(client.arrived.empty());
}

}  // namespace
}  // namespace parley::sim
