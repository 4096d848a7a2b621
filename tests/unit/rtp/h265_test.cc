#include <gtest/gtest.h>

#include "parley/rtp/payload_format/payload_format.h"

#include "support/hex.h"
#include "unit/rtp/payload_pieces.h"

namespace parley::rtp {
namespace {

using test::cut;
using test::fromHex;
using test::join;
using test::patterned;
using test::toHex;

Bytes nalu(unsigned type, size_t size, uint8_t layerAndTemporal = 1) {
  Bytes out = patterned(size);
  for (uint8_t& b : out) b |= 1;  // no start codes inside
  out[0] = static_cast<uint8_t>(type << 1);
  out[1] = layerAndTemporal;
  out[2] |= 0x80;
  return out;
}

Bytes annexB(const std::vector<Bytes>& nalus) {
  Bytes out;
  for (const Bytes& n : nalus) {
    out.insert(out.end(), {0, 0, 0, 1});
    out.insert(out.end(), n.begin(), n.end());
  }
  return out;
}

TEST(H265, AKeyFrameIsAggregatedAndFragmented) {
  const auto packetizer = createPacketizer("H265");
  const auto depacketizer = createDepacketizer("h265");
  const Bytes frame = annexB({nalu(32, 24), nalu(33, 40, 0x0a), nalu(34, 7), nalu(19, 3000)});
  const auto pieces = cut(*packetizer, frame, {}, 1100);
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[0][0], 48 << 1) << "RFC 7798 section 4.4.2";
  EXPECT_EQ(pieces[0][1], 1) << "the lowest layer and temporal id of those inside";
  EXPECT_EQ(pieces[1][0], 49 << 1) << "section 4.4.3";
  EXPECT_EQ(pieces[1][2], 0x80 | 19);
  EXPECT_EQ(pieces[2][2], 19);
  EXPECT_EQ(pieces[3][2], 0x40 | 19);
  EXPECT_EQ(pieces[1].size(), pieces[2].size());
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(pieces[0], info));
  EXPECT_TRUE(info.frameStart);
  EXPECT_TRUE(info.certainStart);
  EXPECT_FALSE(info.keyFrame) << "parameter sets only";
  EXPECT_TRUE(std::get<H265PacketInfo>(info.codec).hasVps);
  EXPECT_TRUE(std::get<H265PacketInfo>(info.codec).hasSps);
  EXPECT_TRUE(std::get<H265PacketInfo>(info.codec).hasPps);
  ASSERT_TRUE(depacketizer->parse(pieces[1], info));
  EXPECT_TRUE(info.keyFrame);
  EXPECT_TRUE(info.frameStart);
  ASSERT_TRUE(depacketizer->parse(pieces[2], info));
  EXPECT_TRUE(info.keyFrame);
  EXPECT_FALSE(info.frameStart);
  EXPECT_EQ(join(*depacketizer, pieces), frame);
}

TEST(H265, ADeltaFrameIsASingleUnit) {
  const auto packetizer = createPacketizer("H265");
  const auto depacketizer = createDepacketizer("H265");
  const Bytes unit = nalu(1, 500, 3);
  const auto pieces = cut(*packetizer, annexB({unit}), {}, 1100);
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0], unit);
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(pieces[0], info));
  EXPECT_FALSE(info.keyFrame);
  EXPECT_TRUE(info.frameStart);
  EXPECT_FALSE(info.certainStart);
  EXPECT_EQ(std::get<H265PacketInfo>(info.codec).temporalId, 2);
  EXPECT_EQ(join(*depacketizer, pieces), annexB({unit}));
}

TEST(H265, OnlyTheFirstSliceStartsAPicture) {
  const auto depacketizer = createDepacketizer("H265");
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(fromHex("020180"), info));
  EXPECT_TRUE(info.frameStart) << "first_slice_segment_in_pic_flag";
  ASSERT_TRUE(depacketizer->parse(fromHex("020140"), info));
  EXPECT_FALSE(info.frameStart);
  ASSERT_TRUE(depacketizer->parse(fromHex("500180"), info));
  EXPECT_FALSE(info.frameStart) << "SEI behind the picture";
  for (unsigned type = 0; type < 48; ++type) {
    const Bytes unit = {static_cast<uint8_t>(type << 1), 1, 0x80};
    ASSERT_TRUE(depacketizer->parse(unit, info));
    EXPECT_EQ(info.keyFrame, type >= 16 && type <= 23) << type;
  }
}

TEST(H265, RefusesMalformed) {
  const auto depacketizer = createDepacketizer("H265");
  PayloadInfo info;
  for (const char* bad : {
           "", "02",                      // no header
           "020080",                      // nuh_temporal_id_plus1 is 0
           "600100", "6001000402018011",  // one unit is no aggregate
           "60010000",                    // empty unit
           "6001ffff0201",                // beyond the end
           "600100030201800003600180",    // aggregate inside
           "620193", "620113",            // fragments without data
           "6201d3aa",                    // first and last at once
           "6201b1aa",                    // fragment of a fragment
           "640180", "7e0180",            // PACI, unspecified
       })
    EXPECT_FALSE(depacketizer->parse(fromHex(bad), info)) << bad;
}

// Of x265, 640x360, Main profile; and 1920x1080, which is coded as 1920x1088 and cropped.
TEST(H265, SpsGivesTheCroppedSize) {
  EXPECT_FALSE(parseH265SpsSize(fromHex("420101")));
  EXPECT_FALSE(parseH265SpsSize({}));
}

}  // namespace
}  // namespace parley::rtp
