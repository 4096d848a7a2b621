// Packets that outlive the socket they were meant for.

#include <array>

#include <gtest/gtest.h>

#include "parley/endpoint/endpoint.h"

namespace parley::endpoint {
namespace {

jsep::SessionConfig configWithStunServer(Random& random) {
  jsep::SessionConfig config;
  config.transport.certificate = *dtls::Certificate::generate(random, 0);
  config.transport.gatherer.stunServers = {{"192.0.2.200", 3478, "stun:192.0.2.200"}};
  return config;
}

// The batch is the driver's and lives on: a buffer left in it would be sent by nobody and would
// outlive the pool.
TEST(EndpointClosingTest, PacketsOfAClosedSocketAreGivenBack) {
  SeededRandom random(1);
  std::array<TxPacket, 8> batch;
  Endpoint endpoint(random, nullLog());
  Timestamp now = Timestamp::seconds(1);
  const SessionId id = endpoint.createSession(configWithStunServer(random), now);
  jsep::Session& session = *endpoint.session(id);
  ASSERT_TRUE(session.createDataChannel({}, now));
  ASSERT_TRUE(session.setLocalDescription(std::nullopt, "", now));
  endpoint.touch(id, now);
  now += Duration::millis(1);
  endpoint.advance(now);

  NetworkInterface wired;
  wired.name = "eth0";
  wired.addresses = {*IpAddress::parse("192.0.2.1")};
  endpoint.handle(InterfacesChanged{{wired}}, now);
  Effect effect;
  while (endpoint.pollEffect(effect)) {
    if (const auto* open = std::get_if<OpenUdp>(&effect)) {
      endpoint.handle(SocketOpened{open->socket, {open->local.ip, 5000}}, now);
    }
  }
  endpoint.handle(InterfacesChanged{}, now);
  EXPECT_EQ(endpoint.pollTransmit(batch), 0u);
  for (const TxPacket& packet : batch) EXPECT_FALSE(packet.data);
}

}  // namespace
}  // namespace parley::endpoint
