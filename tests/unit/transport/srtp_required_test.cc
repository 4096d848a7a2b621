// DTLS associations that agreed on no SRTP profile: good for data, a failure where media is in
// force.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/transport/peer_transport.h"

#include "unit/transport/transport_world.h"

namespace parley::transport {
namespace {

using test::Peer;
using test::TransportWorld;

// RFC 5764 section 4.1 leaves it to the application whether a call without SRTP keys may go on.
TEST(SrtpRequired, MediaInForceFailsAnAssociationWithoutKeys) {
  TransportConfig dataOnly;
  dataOnly.srtpProfiles.clear();
  for (const bool serverLacks : {true, false}) {
    for (const bool knownBefore : {true, false}) {
      SCOPED_TRACE(::testing::Message() << serverLacks << knownBefore);
      TransportWorld w;
      Peer& server = w.add(serverLacks ? dataOnly : TransportConfig{});
      Peer& client = w.add(serverLacks ? TransportConfig{} : dataOnly);
      Peer& p = serverLacks ? client : server;
      Peer& q = serverLacks ? server : client;
      w.introduce(server, client);
      if (knownBefore) p.transport->requireSrtp(true, w.now);
      w.startDtls(server, client);
      ASSERT_TRUE(w.runUntil([&] { return p.count(dtls::State::Connected) == 1; }));
      if (!knownBefore) {
        EXPECT_EQ(p.count(dtls::State::Failed), 0u);
        p.transport->requireSrtp(true, w.now);
      }
      w.run(Duration::seconds(1));
      ASSERT_EQ(p.count(dtls::State::Failed), 1u);
      EXPECT_EQ(p.dtlsEvents.back().state, dtls::State::Failed);
      EXPECT_EQ(p.dtlsEvents.back().reason, dtls::Reason::NoSrtpProfile);
      EXPECT_FALSE(p.transport->readyForMedia());
      EXPECT_FALSE(w.sendRtp(p, 1));
      // The other side hears of it too.
      EXPECT_EQ(q.dtlsEvents.back().state, dtls::State::Closed);
      // And once is enough.
      p.transport->requireSrtp(true, w.now);
      w.run(Duration::seconds(1));
      EXPECT_EQ(p.count(dtls::State::Failed), 1u);
    }
  }
}

TEST(SrtpRequired, DataFlowsWithoutKeysUntilMediaIsNegotiated) {
  TransportConfig dataOnly;
  dataOnly.srtpProfiles.clear();
  TransportWorld world;
  Peer* const a = &world.add();
  Peer* const b = &world.add(dataOnly);
  for (Peer* peer : {a, b}) peer->transport->requireSrtp(false, world.now);
  world.enableData(*a, *b);
  world.connect(*a, *b);
  const sctp::ChannelId chat = *a->transport->dataChannels().open({.label = "x"}, world.now);
  a->transport->pump(world.now);
  ASSERT_TRUE(world.runUntil([&] { return !a->channelEvents<sctp::ChannelOpened>().empty(); }));
  ASSERT_TRUE(a->transport->dataChannels().send(chat, asBytes("hello"), true, world.now));
  a->transport->pump(world.now);
  world.run(Duration::seconds(60));
  EXPECT_EQ(b->messages, std::vector<std::string>{"hello"});
  EXPECT_TRUE(a->connected() && b->connected());
  EXPECT_FALSE(a->transport->readyForMedia() || b->transport->readyForMedia());

  a->transport->requireSrtp(true, world.now);
  world.run(Duration::seconds(1));
  EXPECT_EQ(a->dtlsEvents.back().reason, dtls::Reason::NoSrtpProfile);
  EXPECT_EQ(a->channelEvents<sctp::ChannelClosed>().size(), 1u);
  EXPECT_EQ(b->channelEvents<sctp::ChannelClosed>().size(), 1u);
}

}  // namespace
}  // namespace parley::transport
