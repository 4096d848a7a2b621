#include "parley/dtls/tls.h"

#include <gtest/gtest.h>

#include "parley/dtls/certificate.h"

#include "unit/dtls/tls_fixture.h"

namespace parley::dtls {
namespace {

using test::TlsPair;
using State = TlsSession::State;

class TlsTest : public ::testing::TestWithParam<TlsTransport> {};

TEST_P(TlsTest, CarriesBytesBothWays) {
  TlsPair pair(GetParam(), {});
  pair.run();
  ASSERT_EQ(pair.client.state(), State::Connected) << pair.client.error();
  ASSERT_EQ(pair.server.state(), State::Connected) << pair.server.error();
  EXPECT_TRUE(pair.client.send(asBytes("to the server"), pair.now));
  EXPECT_TRUE(pair.server.send(asBytes("to the client"), pair.now));
  pair.run();
  EXPECT_EQ(pair.serverGot, "to the server");
  EXPECT_EQ(pair.clientGot, "to the client");
  EXPECT_TRUE(pair.client.nextDeadline().isNever());
}

TEST_P(TlsTest, CloseReachesTheOtherSide) {
  TlsPair pair(GetParam(), {});
  pair.run();
  pair.client.close(pair.now);
  pair.run();
  EXPECT_EQ(pair.client.state(), State::Closed);
  EXPECT_EQ(pair.server.state(), State::Closed);
  EXPECT_FALSE(pair.client.send(asBytes("late"), pair.now));
}

TEST_P(TlsTest, SelfSignedServerIsRefusedByDefault) {
  TlsPair pair(GetParam(), {.verify = true});
  pair.run();
  EXPECT_EQ(pair.client.state(), State::Failed);
  EXPECT_TRUE(pair.client.error().starts_with("certificate:")) << pair.client.error();
  EXPECT_TRUE(pair.client.nextDeadline().isNever());
}

TEST_P(TlsTest, KnownRootWithTheWrongNameIsRefused) {
  TlsPair pair(GetParam(), {.verify = true, .trustServer = true, .name = "turn.example"});
  pair.run();
  EXPECT_EQ(pair.client.state(), State::Failed);
  EXPECT_TRUE(pair.client.error().starts_with("certificate:")) << pair.client.error();
}

TEST_P(TlsTest, SilenceEndsTheHandshakeInTime) {
  TlsPair pair(GetParam(), {});
  pair.client.start(pair.now);
  int wakes = 0;
  while (!pair.client.nextDeadline().isNever()) {
    pair.now = pair.client.nextDeadline();
    pair.client.advance(pair.now);
    ASSERT_GT(pair.client.nextDeadline(), pair.now);
    ASSERT_LT(++wakes, 100);
  }
  EXPECT_EQ(pair.client.state(), State::Failed);
  EXPECT_EQ(pair.now, Timestamp::seconds(1) + TlsSession::kHandshakeTimeout);
}

TEST_P(TlsTest, DestroyedAtAnyPoint) {
  for (int steps = 0; steps < 8; ++steps) {
    TlsPair pair(GetParam(), {});
    pair.start();
    for (int i = 0; i < steps; ++i) pair.step();
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, TlsTest,
                         ::testing::Values(TlsTransport::Stream, TlsTransport::Datagram),
                         [](const auto& param) {
                           return param.param == TlsTransport::Stream ? "Stream" : "Datagram";
                         });

TEST(TlsStreamTest, AnyPartitionOfTheBytesWillDo) {
  TlsPair pair(TlsTransport::Stream, {});
  pair.chunk = 1;
  pair.run();
  ASSERT_EQ(pair.client.state(), State::Connected) << pair.client.error();
  const std::string large(1500, 'x');
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(pair.client.send(asBytes(large), pair.now));
  pair.run();
  EXPECT_EQ(pair.serverGot.size(), 30'000u);
}

TEST(TlsStreamTest, RubbishFailsTheSession) {
  TlsPair pair(TlsTransport::Stream, {});
  pair.client.start(pair.now);
  pair.client.handleBytes(asBytes("HTTP/1.1 400 Bad Request\r\n\r\n"), pair.now);
  EXPECT_EQ(pair.client.state(), State::Failed);
}

TEST(TlsStreamTest, UnpolledCiphertextEndsTheSession) {
  TlsPair pair(TlsTransport::Stream, {});
  pair.run();
  const std::string large(1800, 'x');
  int sent = 0;
  while (pair.client.send(asBytes(large), pair.now) && sent < 1000) ++sent;
  EXPECT_LT(sent, 260);
  EXPECT_EQ(pair.client.state(), State::Failed);
}

TEST(TlsDatagramTest, LostFlightsAreRepeated) {
  TlsPair pair(TlsTransport::Datagram, {});
  pair.dropFirst = 2;
  pair.run();
  EXPECT_EQ(pair.client.state(), State::Connected) << pair.client.error();
  EXPECT_LT(pair.now, Timestamp::seconds(9));
}

TEST(TlsDatagramTest, RubbishIsDropped) {
  TlsPair pair(TlsTransport::Datagram, {});
  pair.run();
  pair.client.handleBytes(asBytes("\x16\xfe\xfd rubbish"), pair.now);
  pair.client.handleBytes(asBytes("rubbish"), pair.now);
  EXPECT_EQ(pair.client.state(), State::Connected);
  pair.server.send(asBytes("still here"), pair.now);
  pair.run();
  EXPECT_EQ(pair.clientGot, "still here");
}

TEST(TlsContextTest, BadPemIsASyntaxError) {
  EXPECT_EQ(TlsContext::server({.certificateChain = "nothing"}).error().code, ErrorCode::Syntax);
  EXPECT_EQ(TlsContext::client({.roots = "nothing"}).error().code, ErrorCode::Syntax);
}

}  // namespace
}  // namespace parley::dtls
