#include "parley/stun/channel_data.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::stun {
namespace {

using test::fromHex;

TEST(ChannelDataTest, DatagramNeedsNoPadding) {
  const Bytes bytes = fromHex("4001000568656c6c6f");
  const auto message = ChannelData::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->channel, 0x4001);
  EXPECT_EQ(asText(message->data), "hello");
}

TEST(ChannelDataTest, PaddingIsNotData) {
  const Bytes bytes = fromHex("4001000568656c6c6f000000");
  EXPECT_EQ(asText(ChannelData::parse(bytes)->data), "hello");
}

TEST(ChannelDataTest, EmptyDataIsAllowed) {
  EXPECT_TRUE(ChannelData::parse(fromHex("40000000"))->data.empty());
}

TEST(ChannelDataTest, CutOffMessagesAndOtherNumbersAreNone) {
  for (const char* hex : {"", "40", "400100", "4001000568656c6c", "3fff000100", "5000000100",
                          "7ffe000100", "4fff0002aa"}) {
    EXPECT_FALSE(ChannelData::parse(fromHex(hex))) << hex;
  }
  EXPECT_TRUE(ChannelData::parse(fromHex("4fff000100")));
  EXPECT_FALSE(isChannelNumber(0x3fff));
  EXPECT_TRUE(isChannelNumber(0x4000));
  EXPECT_TRUE(isChannelNumber(0x4fff));
  EXPECT_FALSE(isChannelNumber(0x5000));
  EXPECT_FALSE(isChannelNumber(0x7ffe));
}

TEST(ChannelDataTest, HeaderGoesIntoTheHeadRoom) {
  PacketPool pool;
  PacketBuf packet = pool.copyOf(asBytes("hello"));
  const uint8_t* payload = packet.data();
  ASSERT_TRUE(prependChannelHeader(packet, 0x4001));
  EXPECT_EQ(test::toHex(packet.span()), "4001000568656c6c6f");
  EXPECT_EQ(packet.data() + 4, payload);
  std::fill_n(packet.data() + packet.size(), 4, uint8_t{0xEE});
  padForStream(packet);
  EXPECT_EQ(test::toHex(packet.span()), "4001000568656c6c6f000000");
  padForStream(packet);
  EXPECT_EQ(packet.size(), 12u);
}

TEST(ChannelDataTest, NoHeadRoomChangesNothing) {
  PacketPool pool;
  PacketBuf packet = pool.copyOf(asBytes("hello"));
  ASSERT_TRUE(packet.growFront(PacketBuf::kHeadroom));
  const size_t size = packet.size();
  EXPECT_FALSE(prependChannelHeader(packet, 0x4001));
  EXPECT_EQ(packet.size(), size);
}

TEST(StreamFrameTest, KnowsSizesFromFourBytesOn) {
  using Status = StreamFrame::Status;
  const Bytes stun = fromHex("000100082112a442");
  EXPECT_EQ(nextStreamFrame({}).status, Status::NeedMore);
  EXPECT_EQ(nextStreamFrame(ByteSpan(stun).first(3)).size, 0u);
  EXPECT_EQ(nextStreamFrame(stun).size, 28u);
  EXPECT_EQ(nextStreamFrame(stun).status, Status::NeedMore);
  const Bytes channel = fromHex("4001000568656c6c6f000000ff");
  EXPECT_EQ(nextStreamFrame(channel).size, 12u);
  EXPECT_EQ(nextStreamFrame(channel).status, Status::Complete);
  EXPECT_EQ(nextStreamFrame(ByteSpan(channel).first(9)).status, Status::NeedMore);
}

TEST(StreamFrameTest, OtherBeginningsAreInvalidAtOnce) {
  for (const char* hex : {"80", "c0ffffff", "00010005", "7fff0004"}) {
    EXPECT_EQ(nextStreamFrame(fromHex(hex)).status, StreamFrame::Status::Invalid) << hex;
  }
}

}  // namespace
}  // namespace parley::stun
