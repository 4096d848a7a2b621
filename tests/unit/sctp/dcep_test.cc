#include "sctp/dcep.h"

#include <gtest/gtest.h>

#include "parley/base/random.h"

#include "support/hex.h"

namespace parley::sctp {
namespace {

using test::fromHex;

ChannelInit parseInit(std::string_view hex) {
  const auto message = parseDcep(fromHex(hex));
  EXPECT_TRUE(message);
  return message ? std::get<ChannelInit>(*message) : ChannelInit{};
}

TEST(Dcep, ReliableOrderedOpen) {
  const ChannelInit init = parseInit("03000000000000000004000063686174");
  EXPECT_EQ(init.label, "chat");
  EXPECT_EQ(init.protocol, "");
  EXPECT_TRUE(init.ordered);
  EXPECT_FALSE(init.maxRetransmits || init.maxPacketLifeTimeMs);
}

TEST(Dcep, UnorderedOpenWithRetransmissionLimit) {
  const ChannelInit init = parseInit("03810100000000030001000378726177");
  EXPECT_FALSE(init.ordered);
  EXPECT_EQ(init.maxRetransmits, 3);
  EXPECT_EQ(init.priority, Priority::Low);
  EXPECT_EQ(init.label, "x");
  EXPECT_EQ(init.protocol, "raw");
}

TEST(Dcep, TimedOpen) {
  const ChannelInit init = parseInit("03020000000001f400000000");
  EXPECT_TRUE(init.ordered);
  EXPECT_EQ(init.maxPacketLifeTimeMs, 500);
}

TEST(Dcep, Ack) {
  const auto message = parseDcep(fromHex("02"));
  ASSERT_TRUE(message);
  EXPECT_TRUE(std::holds_alternative<DcepAck>(*message));
  EXPECT_EQ(writeDcepAck(), fromHex("02"));
}

TEST(Dcep, MalformedMessagesAreRefused) {
  EXPECT_FALSE(parseDcep(fromHex("0300000000000000000400"))) << "truncated";
  EXPECT_FALSE(parseDcep(fromHex("03000000000000000005000063686174"))) << "label overruns";
  EXPECT_FALSE(parseDcep(fromHex("0300000000000000000400006368617458"))) << "trailing byte";
  EXPECT_FALSE(parseDcep(fromHex("05"))) << "unknown message type";
  EXPECT_FALSE(parseDcep({})) << "empty";
  EXPECT_FALSE(parseDcep(fromHex("030300000000000000000000"))) << "unknown channel type";
  EXPECT_FALSE(parseDcep(fromHex("030000000000000000010000ff"))) << "label is not UTF-8";
}

TEST(Dcep, WhatIsWrittenIsRead) {
  for (const ChannelInit& init : {
           ChannelInit{.label = "l", .protocol = "p", .priority = Priority::High},
           ChannelInit{.ordered = false, .maxRetransmits = 0, .priority = Priority::VeryLow},
           ChannelInit{.label = std::string(65'535, 'x'),
           .protocol = std::string(65'535, 'y'),
           .maxPacketLifeTimeMs = 65'535},
       }) {
    const auto message = parseDcep(writeDcepOpen(init));
    ASSERT_TRUE(message);
    EXPECT_EQ(std::get<ChannelInit>(*message), init);
  }
}

TEST(Dcep, LimitsBeyondSixteenBitsAreClamped) {
  EXPECT_EQ(parseInit("030100000001000000000000").maxRetransmits, 0xFFFF);
}

TEST(Dcep, RandomBytesNeverCrash) {
  SeededRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    Bytes junk(random.below(40));
    random.fill(junk);
    if (!junk.empty()) junk[0] = 3;
    static_cast<void>(parseDcep(junk));
  }
}

}  // namespace
}  // namespace parley::sctp
