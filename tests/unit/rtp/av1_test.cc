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

Bytes obu(ObuType type, const Bytes& payload, std::optional<uint8_t> layerIds = {}) {
  Bytes out;
  out.push_back(static_cast<uint8_t>(static_cast<unsigned>(type) << 3 | (layerIds ? 4 : 0) | 2));
  if (layerIds) out.push_back(*layerIds);
  uint8_t size[8];
  ByteWriter w(size);
  writeLeb128(static_cast<uint32_t>(payload.size()), w);
  out.insert(out.end(), size, size + w.size());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// By the syntax of section 5.5.1: no timing information, one operating point of level 3.1, and a
// picture of 640x360, told in 10 and 9 bits.
Bytes sequenceHeader() {
  std::string bits =
      "000"
      "0"
      "0"
      "0"
      "0"
      "00000"
      "000000000000"
      "00101"
      "1001"
      "1000"
      "1001111111"
      "101100111";
  bits.resize((bits.size() + 7) / 8 * 8, '0');
  Bytes out;
  for (size_t i = 0; i < bits.size(); i += 8)
    out.push_back(static_cast<uint8_t>(std::stoi(bits.substr(i, 8), nullptr, 2)));
  return out;
}

TEST(Leb128, ReadsAndWrites) {
  const std::pair<uint32_t, const char*> cases[] = {
      {0, "00"},     {1, "01"},       {127, "7f"},       {128, "8001"},
      {300, "ac02"}, {16383, "ff7f"}, {16384, "808001"}, {4294967295u, "ffffffff0f"},
  };
  for (const auto& [value, hex] : cases) {
    const Bytes bytes = fromHex(hex);
    ByteReader r(bytes);
    EXPECT_EQ(readLeb128(r), value);
    EXPECT_TRUE(r.atEnd());
    EXPECT_EQ(leb128Size(value), bytes.size());
    uint8_t written[8];
    ByteWriter w(written);
    writeLeb128(value, w);
    EXPECT_EQ(toHex(w.written()), hex);
  }
  const Bytes padded = fromHex("8000");
  ByteReader r(padded);
  EXPECT_EQ(readLeb128(r), 0u) << "more bytes than needed are legal";
  for (const char* bad : {"80", "", "ffffffffffffffffff01", "ffffffff1f"}) {
    const Bytes bytes = fromHex(bad);
    ByteReader reader(bytes);
    EXPECT_FALSE(readLeb128(reader)) << bad;
  }
}

TEST(Av1, SequenceHeaderGivesTheSize) {
  EXPECT_EQ(parseAv1SequenceSize(sequenceHeader()), (VideoSize{640, 360}));
  EXPECT_FALSE(parseAv1SequenceSize(fromHex("0000")));
}

TEST(Av1, ASmallKeyFrameIsOneCountedPacket) {
  const auto packetizer = createPacketizer("AV1");
  const auto depacketizer = createDepacketizer("av1");
  const Bytes kept =
      obu(ObuType::SequenceHeader, sequenceHeader()) + obu(ObuType::Frame, patterned(100));
  const Bytes frame = obu(ObuType::TemporalDelimiter, {}) + kept + obu(ObuType::Padding, Bytes(9));
  FrameDescription key;
  key.keyFrame = true;
  const auto pieces = cut(*packetizer, frame, key, 1200);
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0][0], 0x28) << "two elements, of which the first tells its length; N";
  EXPECT_EQ(pieces[0][1], sequenceHeader().size() + 1);
  EXPECT_EQ(pieces[0][2], 0x08) << "a sequence header without a size";
  EXPECT_EQ(pieces[0].size(), 1 + 1 + 1 + sequenceHeader().size() + 1 + 100);
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(pieces[0], info));
  EXPECT_TRUE(info.frameStart);
  EXPECT_TRUE(info.certainStart);
  EXPECT_TRUE(info.keyFrame);
  EXPECT_EQ(info.size, (VideoSize{640, 360}));
  EXPECT_EQ(join(*depacketizer, pieces), kept) << "without temporal delimiter and padding";
}

TEST(Av1, LargeUnitsAreFragmentedIntoPacketsAlike) {
  const auto packetizer = createPacketizer("AV1");
  const auto depacketizer = createDepacketizer("AV1");
  const Bytes frame = obu(ObuType::Frame, patterned(5000));
  const auto pieces = cut(*packetizer, frame, {}, 1100);
  ASSERT_EQ(pieces.size(), 5u);
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i][0] & 0x80, i == 0 ? 0 : 0x80) << "Z";
    EXPECT_EQ(pieces[i][0] & 0x40, i == 4 ? 0 : 0x40) << "Y";
    EXPECT_LE(pieces[i].size(), 1100u);
    if (i < 4) {
      EXPECT_EQ(pieces[i].size(), pieces[0].size());
    }
  }
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(pieces[1], info));
  EXPECT_FALSE(info.frameStart);
  ASSERT_TRUE(depacketizer->parse(pieces[0], info));
  EXPECT_TRUE(info.frameStart);
  EXPECT_FALSE(info.certainStart);
  EXPECT_FALSE(info.keyFrame);
  EXPECT_EQ(join(*depacketizer, pieces), frame);
}

TEST(Av1, AnyFramesAndPacketSizesJoinAgain) {
  const auto packetizer = createPacketizer("AV1");
  const auto depacketizer = createDepacketizer("AV1");
  uint32_t state = 1;
  const auto random = [&](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  for (int round = 0; round < 500; ++round) {
    Bytes frame;
    for (uint32_t n = 1 + random(9); n > 0; --n) {
      const std::optional<uint8_t> ids =
          random(2) ? std::optional<uint8_t>(static_cast<uint8_t>(random(8) << 5)) : std::nullopt;
      frame = frame + obu(ObuType::TileGroup, patterned(random(random(3) ? 40 : 3000)), ids);
    }
    const size_t limit = 8 + random(1200);
    const auto pieces = cut(*packetizer, frame, {}, limit);
    ASSERT_FALSE(pieces.empty());
    for (const Bytes& piece : pieces) ASSERT_LE(piece.size(), limit);
    ASSERT_EQ(join(*depacketizer, pieces), frame) << round;
  }
}

TEST(Av1, UnitsThatTellTheirSizeAreTakenToo) {
  const auto depacketizer = createDepacketizer("AV1");
  // W = 1: one unit with obu_has_size_field, which senders should not but may set.
  EXPECT_EQ(toHex(join(*depacketizer, {fromHex("103203aabbcc")})), "3203aabbcc");
  // W = 0: every element tells its length; a temporal delimiter is left out.
  EXPECT_EQ(toHex(join(*depacketizer, {fromHex("00011003 30aabb")})), "3202aabb");
  // Layer ids.
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(fromHex("103448aa"), info));
  EXPECT_EQ(std::get<Av1PacketInfo>(info.codec).temporalId, 2);
  EXPECT_EQ(std::get<Av1PacketInfo>(info.codec).spatialId, 1);
}

TEST(Av1, RefusesMalformed) {
  const auto depacketizer = createDepacketizer("AV1");
  PayloadInfo info;
  for (const char* bad :
       {"", "10", "00", "000530aa", "2002", "200230aa", "8830aa", "10b0aa", "00ffffffffffffffffff"})
    EXPECT_FALSE(depacketizer->parse(fromHex(bad), info)) << bad;
}

TEST(Av1, FragmentsWithoutTheirRestAreLeftOut) {
  const auto depacketizer = createDepacketizer("AV1");
  const Bytes start = fromHex("5030aabb");  // goes on in the next packet
  const Bytes middle = fromHex("d0ccdd");   // came from the last and goes on
  const Bytes end = fromHex("90eeff");      // came from the last
  const Bytes whole = fromHex("103011");
  const auto joined = [&](const std::vector<Bytes>& pieces) {
    return toHex(join(*depacketizer, pieces));
  };
  EXPECT_EQ(joined({start, middle, end}), "3206aabbccddeeff");
  EXPECT_EQ(joined({start, whole}), "320111");
  EXPECT_EQ(joined({end, whole}), "320111");
  EXPECT_EQ(joined({whole, start, middle}), "320111");
  EXPECT_EQ(joined({middle}), "");
}

TEST(Av1, WhatIsNoStreamOfPiecesEndsWhereItMakesNoSense) {
  const auto depacketizer = createDepacketizer("AV1");
  const std::pair<const char*, const char*> cases[] = {
      {"0fffffff30aa", ""},                        // longer than what is there
      {"0000000330aabb0fffffff30aa", "3202aabb"},  // behind a sound one
      {"4000000230aa8fffffffcc", ""},              // so is what it goes on with
      {"0000000330aabb000000", "3202aabb"},        // no room for a mark
      {"0000000330aa", ""},
  };
  for (const auto& [hex, finished] : cases) {
    Bytes frame = fromHex(hex);
    depacketizer->finish(frame);
    EXPECT_EQ(toHex(frame), finished) << hex;
  }
}

TEST(Av1, FramesThatAreNoStreamAreNotSent) {
  const auto packetizer = createPacketizer("AV1");
  for (const char* bad : {"", "b2", "3205aa", "1200", "36"})
    EXPECT_EQ(packetizer->begin(fromHex(bad), {}, 1200), 0u) << bad;
  EXPECT_EQ(packetizer->begin(obu(ObuType::Frame, patterned(50)), {}, 4), 0u);
}

}  // namespace
}  // namespace parley::rtp
