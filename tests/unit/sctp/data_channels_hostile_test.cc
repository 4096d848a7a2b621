// A peer that misbehaves: a bare association that speaks DCEP as it likes.

#include <gtest/gtest.h>

#include "support/heap.h"
#include "unit/sctp/data_channels_fixture.h"

namespace parley::sctp {
namespace {

TEST_P(DataChannelsTest, WrongParityClosesOnlyThatStream) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(1, "odd ids are the server's");
  EXPECT_TRUE(rogue.wasReset(1));
  EXPECT_TRUE(b->got<ChannelIncoming>().empty());
  rogue.open(2);
  ASSERT_EQ(b->got<ChannelIncoming>().size(), 1u);
  EXPECT_EQ(b->got<ChannelIncoming>()[0].init.id, 2);
  // Once both sides are reset the refused stream is free for its owner.
  rogue.reset(1);
  EXPECT_EQ(b->channels->streamId(*b->channels->open({}, rogue.now)), 1);
}

TEST_P(DataChannelsTest, OpenOnAStreamInUseClosesThatChannel) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(0);
  rogue.open(2);
  rogue.open(0);
  ASSERT_EQ(b->got<ChannelFailed>().size(), 1u);
  EXPECT_EQ(b->got<ChannelFailed>()[0].id, b->got<ChannelIncoming>()[0].id);
  EXPECT_TRUE(rogue.wasReset(0));
  rogue.send(2, ppid::kText, toBytes("still alive"));
  EXPECT_EQ(b->messages.size(), 1u);
}

TEST_P(DataChannelsTest, MalformedDcepResetsTheStream) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.send(4, ppid::kDcep, Bytes{3, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 'c'});
  EXPECT_TRUE(rogue.wasReset(4));
  rogue.send(6, ppid::kDcep, Bytes{5});
  EXPECT_TRUE(rogue.wasReset(6));
  EXPECT_TRUE(b->events.size() == 1) << "only the association's own event";
}

TEST_P(DataChannelsTest, UnorderedDataBeforeItsOpenIsKept) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.send(8, ppid::kText, toBytes("overtook"), true);
  EXPECT_TRUE(b->messages.empty());
  rogue.open(8);
  ASSERT_EQ(b->messages.size(), 1u);
  EXPECT_EQ(asText(b->messages[0].data), "overtook");
}

TEST_P(DataChannelsTest, DataWithoutOpenIsForgottenAfterFiveSeconds) {
  Rogue rogue(*this);
  rogue.connect();
  for (uint16_t s = 10; s < 30; s += 2) rogue.send(s, ppid::kText, pattern(60'000, s));
  rogue.send(10, ppid::kText, pattern(60'000, 1));
  rogue.run(Duration::seconds(6));
  for (uint16_t s = 10; s < 30; s += 2) rogue.open(s);
  EXPECT_TRUE(b->messages.empty());
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 10u);
}

TEST_P(DataChannelsTest, InvalidUtf8ArrivesRepaired) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(0);
  rogue.send(0, ppid::kText, Bytes{'a', 0xC3, 'b', 0xFF});
  ASSERT_EQ(b->messages.size(), 1u);
  EXPECT_EQ(asText(b->messages[0].data),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

TEST_P(DataChannelsTest, DeprecatedFragmentsAreJoined) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(0);
  rogue.send(0, ppid::kTextPartial, toBytes("one "));
  rogue.send(0, ppid::kTextPartial, toBytes("two "));
  rogue.send(0, ppid::kText, toBytes("three"));
  rogue.send(0, ppid::kBinaryPartial, toBytes("b"));
  rogue.send(0, ppid::kBinary, toBytes("in"));
  ASSERT_EQ(b->messages.size(), 2u);
  EXPECT_EQ(asText(b->messages[0].data), "one two three");
  EXPECT_EQ(asText(b->messages[1].data), "bin");
  rogue.send(0, ppid::kBinaryPartial, toBytes("b"));
  rogue.send(0, ppid::kText, toBytes("mixed"));
  EXPECT_EQ(b->got<ChannelFailed>().size(), 1u);
}

TEST_P(DataChannelsTest, EndlessFragmentsCloseTheChannel) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(0);
  for (int i = 0; i < 5; ++i) rogue.send(0, ppid::kBinaryPartial, Bytes(60'000));
  EXPECT_EQ(b->got<ChannelFailed>().size(), 1u);
  EXPECT_TRUE(b->messages.empty());
}

TEST_P(DataChannelsTest, FragmentsOfAllChannelsTogetherAreBounded) {
  b->world.env.limits.maxKeptDataBytes = 200'000;
  Rogue rogue(*this);
  rogue.connect();
  for (uint16_t s = 0; s < 12; s += 2) {
    rogue.open(s);
    rogue.send(s, ppid::kBinaryPartial, Bytes(60'000));
  }
  EXPECT_EQ(b->got<ChannelFailed>().size(), 3u);
  // What is finished makes room for what comes.
  for (uint16_t s = 0; s < 6; s += 2) rogue.send(s, ppid::kBinary, Bytes(1));
  EXPECT_EQ(b->messages.size(), 3u);
  for (uint16_t s = 0; s < 6; s += 2) rogue.send(s, ppid::kBinaryPartial, Bytes(60'000));
  EXPECT_EQ(b->got<ChannelFailed>().size(), 3u);
  // And so does a channel that closes.
  rogue.reset(0);
  rogue.open(20);
  rogue.send(20, ppid::kBinaryPartial, Bytes(60'000));
  EXPECT_EQ(b->got<ChannelFailed>().size(), 3u);
}

TEST_P(DataChannelsTest, NamesOfAllChannelsTogetherAreBounded) {
  b->world.env.limits.maxKeptDataBytes = 200'000;
  Rogue rogue(*this);
  rogue.connect();
  for (uint16_t s = 0; s < 10; s += 2) rogue.open(s, std::string(60'000, 'x'));
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 3u);
  EXPECT_TRUE(rogue.wasReset(6) && rogue.wasReset(8));
  rogue.reset(0);
  rogue.open(10, std::string(60'000, 'x'));
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 4u);
}

TEST_P(DataChannelsTest, OversizeMessagesCloseTheChannelOnly) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(0);
  rogue.open(2);
  rogue.send(0, ppid::kBinary, Bytes(262'145));
  ASSERT_EQ(b->got<ChannelFailed>().size(), 1u);
  rogue.send(2, ppid::kBinary, Bytes(262'144));
  EXPECT_EQ(b->messages.size(), 1u);
}

TEST_P(DataChannelsTest, UnknownPpidsAndLongEmptiesAreTolerated) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.open(0);
  rogue.send(0, 55, toBytes("?"));
  rogue.send(0, 0, toBytes("?"));
  rogue.send(0, ppid::kTextEmpty, toBytes("not empty"));
  ASSERT_EQ(b->messages.size(), 1u);
  EXPECT_TRUE(b->messages[0].data.empty());
  EXPECT_TRUE(b->got<ChannelFailed>().empty());
}

TEST_P(DataChannelsTest, ChannelsBeyondTheLimitAreRefused) {
  b->world.env.limits.maxDataChannels = 3;
  Rogue rogue(*this);
  rogue.connect();
  for (uint16_t s = 0; s < 12; s += 2) rogue.open(s);
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 3u);
  EXPECT_TRUE(rogue.wasReset(6) && rogue.wasReset(8) && rogue.wasReset(10));
}

TEST_P(DataChannelsTest, OpeningAllIdsGetsNoMoreThanTheLimit) {
  if (GetParam() != Engines{Engine::Native, Engine::Native}) GTEST_SKIP() << "1024 streams at most";
  Rogue rogue(*this);
  rogue.connect();
  const Bytes open = writeDcepOpen({.label = "x"});
  const size_t before = test::heapBytes();
  for (uint32_t s = 0; s < 65'535; ++s) {
    EXPECT_TRUE(
        rogue.association->send(static_cast<uint16_t>(s), ppid::kDcep, open, {}, rogue.now));
    if (s % 2048 == 2047) rogue.run(Duration::millis(500));
  }
  rogue.run(Duration::seconds(60));
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 1024u);
  EXPECT_EQ(rogue.resets.size(), 65'535u - 1024u) << "all others are closed again";
  EXPECT_LE(test::heapBytes() - before, 24u << 20) << "of both ends";
  // Nothing else has suffered.
  rogue.send(0, ppid::kText, toBytes("still alive"));
  EXPECT_EQ(b->messages.size(), 1u);
  // Streams that both sides have reset are free again.
  rogue.reset(2);
  EXPECT_EQ(b->got<ChannelClosed>().size(), 1u);
  rogue.open(2);
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 1025u);
}

TEST_P(DataChannelsTest, UnreadOpensArePushedBack) {
  Rogue rogue(*this);
  rogue.connect();
  b->readEvents = false;
  for (uint16_t s = 0; s < 400; s += 2) {
    EXPECT_TRUE(rogue.association->send(s, ppid::kDcep, writeDcepOpen({}), {}, rogue.now));
  }
  rogue.run(Duration::seconds(1));
  EXPECT_EQ(b->channels->channelCount(), 64u);
  b->readEvents = true;
  rogue.run(Duration::seconds(1));
  EXPECT_EQ(b->channels->channelCount(), 200u);
}

TEST_P(DataChannelsTest, ResetOfANeverOpenedStreamIsHarmless) {
  Rogue rogue(*this);
  rogue.connect();
  rogue.send(4, ppid::kText, toBytes("no open"));
  rogue.reset(4);
  rogue.open(4);
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 1u);
  EXPECT_TRUE(b->messages.empty()) << "what came before the reset belonged to no channel";
}

}  // namespace
}  // namespace parley::sctp
