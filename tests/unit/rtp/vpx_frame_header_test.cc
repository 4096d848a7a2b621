#include "parley/rtp/payload_format/vpx_frame_header.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::rtp {
namespace {

using test::fromHex;

TEST(VpxFrameHeader, Vp8StatesItsSizeInKeyFramesOnly) {
  const auto header = parseVp8FrameHeader(fromHex("50f7009d012a80026801"));
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->keyFrame);
  EXPECT_EQ(header->size(), (VideoSize{640, 360}));
  // The upper two bits are a scale for the display.
  EXPECT_EQ(parseVp8FrameHeader(fromHex("50f7009d012a80426841"))->size(), (VideoSize{640, 360}));
  const auto delta = parseVp8FrameHeader(fromHex("51f700"));
  ASSERT_TRUE(delta);
  EXPECT_FALSE(delta->keyFrame);
  EXPECT_EQ(delta->size(), VideoSize{});
}

TEST(VpxFrameHeader, Vp9KeyFrameStatesItsSize) {
  // Profile 0, 320x240: marker 10, profile 00, no show_existing, key, show, no resilience; sync
  // code; colour space 2, range 0; then the two sizes less one.
  const Bytes frame = fromHex("824983422013f00ef0");
  for (const auto& header : {parseVp9FrameStart(frame), parseVp9FrameHeader(frame)}) {
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->keyFrame);
    EXPECT_EQ(header->size(), (VideoSize{320, 240}));
  }
  for (size_t size = 0; size < frame.size() - 1; ++size)
    EXPECT_FALSE(parseVp9FrameStart(ByteSpan(frame).first(size))) << size;
  // 65536 is a size that the frame can state and the payload descriptor cannot.
  const auto huge =
      parseVp9FrameStart(fromHex("82498342"
                                 "2ffffffff0"));
  ASSERT_TRUE(huge);
  EXPECT_EQ(huge->width, 0x10000);
  EXPECT_EQ(huge->size(), VideoSize{});
}

TEST(VpxFrameHeader, SuperframeGivesTheLargestSizeOfItsFrames) {
  const Bytes small = fromHex("824983422013f00ef0");
  const Bytes large = fromHex("824983422027f01df0");  // 640x480
  Bytes both = small;
  both.insert(both.end(), large.begin(), large.end());
  // Two frames, sizes of one byte.
  for (const uint8_t byte : Bytes{0xc1, 9, 9, 0xc1}) both.push_back(byte);
  const auto header = parseVp9FrameHeader(both);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->keyFrame);
  EXPECT_EQ(header->size(), (VideoSize{640, 480}));
}

TEST(VpxFrameHeader, RejectsWhatIsNoFrame) {
  EXPECT_FALSE(parseVp8FrameHeader({}));
  EXPECT_FALSE(parseVp8FrameHeader(Bytes{0x10, 0, 0, 0x9d, 0x01, 0x2b, 0, 0, 0, 0}));
  EXPECT_FALSE(parseVp9FrameHeader({}));
  EXPECT_FALSE(parseVp9FrameHeader(Bytes{0x00}));
  EXPECT_FALSE(parseVp9FrameHeader(Bytes{0x82, 0x49, 0x83, 0x42}));
  // A superframe index that claims more bytes than there are.
  EXPECT_FALSE(parseVp9FrameHeader(Bytes{0x82, 0xc0, 0x7f, 0xc0}));
}

TEST(VpxFrameHeader, FindsASizeThatAnInterFrameStates) {
  // Frame marker 2, profile 0, not existing, not key, shown, error resilient; refresh 0; references
  // 0; no found_ref; width-1 and height-1 = 16383. 10 0 0 0 1 1 1 | 00000000 | 000 0 000 0 000 0 |
  // 0 0 0 | 16 bits | 16 bits
  const Bytes frame{0x87, 0x00, 0x00, 0x00, 0x7f, 0xfe, 0x7f, 0xfe, 0x00};
  const auto header = parseVp9FrameHeader(frame);
  ASSERT_TRUE(header);
  EXPECT_FALSE(header->keyFrame);
  EXPECT_EQ(header->width, 0x3fff + 1);
  EXPECT_EQ(header->height, 0x3fff + 1);
}

}  // namespace
}  // namespace parley::rtp
