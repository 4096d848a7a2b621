#include "parley/rtp/payload_format/payload_format.h"

#include <gtest/gtest.h>

#include "parley/rtp/payload_format/opus_packet.h"
#include "parley/rtp/payload_format/red.h"
#include "parley/rtp/payload_format/telephone_event.h"

#include "support/hex.h"
#include "unit/rtp/payload_pieces.h"

namespace parley::rtp {
namespace {

using test::cut;
using test::fromHex;
using test::join;
using test::patterned;
using test::toHex;

void expectEqualPieces(const std::vector<Bytes>& pieces) {
  for (size_t i = 0; i + 1 < pieces.size(); ++i) EXPECT_EQ(pieces[i].size(), pieces[0].size());
  EXPECT_LE(pieces.back().size(), pieces[0].size());
}

TEST(Vp8Descriptor, ReadsAllFields) {
  Vp8Descriptor d;
  EXPECT_EQ(Vp8Descriptor::parse(fromHex("10"), d), 1u);
  EXPECT_TRUE(d.startOfPartition);
  EXPECT_FALSE(d.pictureId);
  EXPECT_EQ(Vp8Descriptor::parse(fromHex("90800b"), d), 3u);
  EXPECT_EQ(d.pictureId, 11);
  EXPECT_FALSE(d.longPictureId);
  EXPECT_EQ(Vp8Descriptor::parse(fromHex("9080f001"), d), 4u);
  EXPECT_EQ(d.pictureId, 0x7001);
  EXPECT_TRUE(d.longPictureId);
  EXPECT_EQ(Vp8Descriptor::parse(fromHex("a3f0ffff05b4"), d), 6u);
  EXPECT_TRUE(d.nonReference);
  EXPECT_FALSE(d.startOfPartition);
  EXPECT_EQ(d.partition, 3);
  EXPECT_EQ(d.pictureId, 0x7fff);
  EXPECT_EQ(d.tl0PicIdx, 5);
  EXPECT_EQ(d.temporalId, 2);
  EXPECT_TRUE(d.layerSync);
  EXPECT_EQ(d.keyIdx, 20);
}

TEST(Vp8Descriptor, RefusesTruncation) {
  Vp8Descriptor d;
  for (const char* hex : {"", "80", "8080", "808091", "80f09111", "8040", "8020"}) {
    if (std::string_view(hex) == "808091") continue;  // a 15-bit id needs one more byte: below
    EXPECT_EQ(Vp8Descriptor::parse(fromHex(hex), d), 0u) << hex;
  }
  EXPECT_EQ(Vp8Descriptor::parse(fromHex("808091"), d), 0u);
}

TEST(Vp8Descriptor, WritesWhatItReads) {
  for (const char* hex :
       {"10", "90800b", "9080f001", "a3f0ffff05b4", "80402a", "802080", "801011"}) {
    Vp8Descriptor d;
    ASSERT_GT(Vp8Descriptor::parse(fromHex(hex), d), 0u);
    uint8_t buffer[Vp8Descriptor::kMaxSize];
    ByteWriter w(buffer);
    d.write(w);
    EXPECT_EQ(toHex(w.written()), hex);
    EXPECT_EQ(d.size(), w.size());
  }
}

TEST(Vp8, KeyFrameHeaderGivesTheSize) {
  const auto depacketizer = createDepacketizer("VP8");
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(fromHex("1050f7009d012a80026801"), info));
  EXPECT_TRUE(info.frameStart);
  EXPECT_TRUE(info.keyFrame);
  EXPECT_EQ(info.size, (VideoSize{640, 360}));
  ASSERT_TRUE(depacketizer->parse(fromHex("1051f7009d012a80026801"), info));
  EXPECT_FALSE(info.keyFrame);
  ASSERT_TRUE(depacketizer->parse(fromHex("0050f7"), info));
  EXPECT_FALSE(info.frameStart);
  EXPECT_FALSE(depacketizer->parse(fromHex("10"), info)) << "a descriptor without media";
}

TEST(Vp8, FramesAreCutIntoEqualPiecesAndJoinAgain) {
  const auto packetizer = createPacketizer("vp8");
  const auto depacketizer = createDepacketizer("vp8");
  for (size_t size : {1u, 10u, 1195u, 1196u, 1197u, 5000u, 100'000u}) {
    const Bytes frame = patterned(size);
    FrameDescription d;
    Vp8Descriptor descriptor;
    descriptor.pictureId = 77;
    descriptor.tl0PicIdx = 3;
    descriptor.temporalId = 1;
    d.codec = descriptor;
    const auto pieces = cut(*packetizer, frame, d, 1200);
    expectEqualPieces(pieces);
    for (const Bytes& p : pieces) EXPECT_LE(p.size(), 1200u);
    EXPECT_EQ(join(*depacketizer, pieces), frame);
    for (size_t i = 0; i < pieces.size(); ++i) {
      PayloadInfo info;
      depacketizer->parse(pieces[i], info);
      EXPECT_EQ(info.frameStart, i == 0);
      EXPECT_EQ(std::get<Vp8Descriptor>(info.codec).pictureId, 77);
    }
  }
  EXPECT_EQ(packetizer->begin({}, {}, 1200), 0u);
  EXPECT_EQ(packetizer->begin(patterned(10), {}, 1), 0u);
}

TEST(Vp9Descriptor, ReadsFlexibleAndNonFlexible) {
  Vp9Descriptor d;
  Vp9ScalabilityStructure s;
  bool has = false;
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("0c"), d, &s, &has), 1u);
  EXPECT_TRUE(d.startOfFrame && d.endOfFrame);
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("8005"), d, &s, &has), 2u);
  EXPECT_EQ(d.pictureId, 5);
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("808203"), d, &s, &has), 3u);
  EXPECT_EQ(d.pictureId, 0x203);
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("a005320a"), d, &s, &has), 4u);
  EXPECT_TRUE(d.hasLayers);
  EXPECT_EQ(d.temporalId, 1);
  EXPECT_TRUE(d.switchingUp);
  EXPECT_EQ(d.spatialId, 1);
  EXPECT_FALSE(d.interLayerPredicted);
  EXPECT_EQ(d.tl0PicIdx, 10);
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("b0052f"), d, &s, &has), 3u)
      << "no TL0PICIDX when flexible";
  EXPECT_TRUE(d.interLayerPredicted);
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("d005050704"), d, &s, &has), 5u);
  ASSERT_EQ(d.referenceDiffs.size(), 3u);
  EXPECT_EQ(d.referenceDiffs[0], 2);
  EXPECT_EQ(d.referenceDiffs[2], 2);
}

TEST(Vp9Descriptor, RefusesMalformed) {
  Vp9Descriptor d;
  Vp9ScalabilityStructure s;
  bool has = false;
  for (const char* hex : {"", "80", "8081", "a005", "a00520", "d005", "d00503", "d00503050709",
                          "02", "0a10", "0a3000", "0a0805", "10"}) {
    EXPECT_EQ(Vp9Descriptor::parse(fromHex(hex), d, &s, &has), 0u) << hex;
  }
}

TEST(Vp9Descriptor, ScalabilityStructureGivesLayerSizes) {
  Vp9Descriptor d;
  Vp9ScalabilityStructure s;
  bool has = false;
  EXPECT_EQ(Vp9Descriptor::parse(fromHex("0a3002800168050002d0"), d, &s, &has), 10u);
  ASSERT_TRUE(has);
  EXPECT_TRUE(s.hasSizes);
  ASSERT_EQ(s.layers.size(), 2u);
  EXPECT_EQ(s.layers[0], (VideoSize{640, 360}));
  EXPECT_EQ(s.layers[1], (VideoSize{1280, 720}));
}

TEST(Vp9Descriptor, WritesWhatItReads) {
  for (const char* hex : {"0c", "8005", "808203", "a005320a", "b0052f", "d005050704",
                          "0a3002800168050002d0", "8a8203180280016802043014012024010203"}) {
    Vp9Descriptor d;
    Vp9ScalabilityStructure s;
    bool has = false;
    const Bytes bytes = fromHex(hex);
    const size_t length = Vp9Descriptor::parse(bytes, d, &s, &has);
    ASSERT_GT(length, 0u) << hex;
    uint8_t buffer[64];
    ByteWriter w(buffer);
    d.write(w, has ? &s : nullptr);
    EXPECT_EQ(toHex(w.written()), toHex(ByteSpan(bytes).first(length)));
    EXPECT_EQ(d.size(has ? &s : nullptr), w.size());
  }
}

TEST(Vp9, GroupsLongerThanWeKeepAreSkippedByLength) {
  Bytes bytes = fromHex("0a08ff");
  bytes.insert(bytes.end(), 255, 0x00);
  bytes.push_back(0xaa);
  Vp9Descriptor d;
  Vp9ScalabilityStructure s;
  bool has = false;
  EXPECT_EQ(Vp9Descriptor::parse(bytes, d, &s, &has), bytes.size() - 1);
  EXPECT_EQ(s.group.size(), Vp9ScalabilityStructure::kMaxGroup);
}

TEST(Vp9, FramesAreCutIntoEqualPiecesAndJoinAgain) {
  const auto packetizer = createPacketizer("VP9");
  const auto depacketizer = createDepacketizer("VP9");
  for (size_t size : {1u, 20u, 1190u, 1197u, 2400u, 50'000u}) {
    const Bytes frame = patterned(size);
    FrameDescription d;
    Vp9Descriptor descriptor;
    descriptor.pictureId = 300;
    d.codec = descriptor;
    Vp9ScalabilityStructure structure;
    structure.layers.push_back({640, 360});
    structure.hasSizes = true;
    d.vp9Structure = structure;
    const auto pieces = cut(*packetizer, frame, d, 1200);
    expectEqualPieces(pieces);
    EXPECT_EQ(join(*depacketizer, pieces), frame) << size;
    for (size_t i = 0; i < pieces.size(); ++i) {
      PayloadInfo info;
      depacketizer->parse(pieces[i], info);
      const auto& got = std::get<Vp9Descriptor>(info.codec);
      EXPECT_EQ(got.startOfFrame, i == 0);
      EXPECT_EQ(got.endOfFrame, i + 1 == pieces.size());
      EXPECT_EQ(info.keyFrame, i == 0);
      if (i == 0) {
        EXPECT_EQ(info.size, (VideoSize{640, 360}));
      }
    }
  }
}

TEST(H264, SingleStapAndFu) {
  const auto depacketizer = createDepacketizer("H264");
  PayloadInfo info;
  ASSERT_TRUE(depacketizer->parse(fromHex("6588840a"), info));
  EXPECT_TRUE(info.keyFrame);
  EXPECT_TRUE(info.frameStart);
  Bytes out;
  depacketizer->append(fromHex("7800046742c01f000268ce"), out);
  EXPECT_EQ(toHex(out),
            "000000016742c01f"
            "0000000168ce");
  ASSERT_TRUE(depacketizer->parse(fromHex("7800046742c01f000268ce"), info));
  EXPECT_TRUE(std::get<H264PacketInfo>(info.codec).hasSps);
  EXPECT_TRUE(std::get<H264PacketInfo>(info.codec).hasPps);
  EXPECT_TRUE(info.certainStart);
  EXPECT_EQ(
      toHex(join(*depacketizer, {fromHex("7c85aabb"), fromHex("7c05ccdd"), fromHex("7c45eeff")})),
      "0000000165aabbccddeeff");
  ASSERT_TRUE(depacketizer->parse(fromHex("7c05ccdd"), info));
  EXPECT_FALSE(info.frameStart);
}

TEST(H264, RefusesMalformed) {
  const auto depacketizer = createDepacketizer("H264");
  struct {
    const char* hex;
    const char* why;
  } const bad[] = {
      {"", "empty"},
      {"78000268ce00", "one byte left behind the last unit"},
      {"780000", "unit of size zero"},
      {"7800ff68", "unit beyond the packet"},
      {"78", "STAP-A without units"},
      {"7800027800", "aggregation inside an aggregation"},
      {"7c", "FU header missing"},
      {"7c85", "FU without data"},
      {"7cc5aa", "S and E both set"},
      {"7c9caa", "FU-A inside FU-A"},
      {"60aa", "type 0"},
      {"7eaa", "type 30"},
      {"79aa", "STAP-B belongs to mode 2"},
  };
  PayloadInfo info;
  for (const auto& b : bad) EXPECT_FALSE(depacketizer->parse(fromHex(b.hex), info)) << b.why;
}

TEST(H264, FindsNalusOfAnnexB) {
  std::vector<NaluRange> nalus;
  findNalus(fromHex("000000016742 000001 68ce 00000001 6588 0000"), nalus);
  ASSERT_EQ(nalus.size(), 3u);
  EXPECT_EQ(nalus[0].offset, 4u);
  EXPECT_EQ(nalus[0].size, 2u);
  EXPECT_EQ(nalus[1].size, 2u);
  EXPECT_EQ(nalus[2].size, 2u) << "trailing zeros are not part of the unit";
  findNalus(fromHex("6742"), nalus);
  EXPECT_TRUE(nalus.empty());
  findNalus(fromHex("000001000001"), nalus);
  EXPECT_TRUE(nalus.empty());
}

Bytes annexB(std::initializer_list<Bytes> units) {
  Bytes out;
  for (const Bytes& u : units) {
    const Bytes code = fromHex("00000001");
    out.insert(out.end(), code.begin(), code.end());
    out.insert(out.end(), u.begin(), u.end());
  }
  return out;
}

Bytes unit(uint8_t header, size_t size) {
  Bytes out(size, 0x5a);
  out[0] = header;
  if (size > 1) out[1] = 0x80;
  return out;
}

TEST(H264, Mode1AggregatesSmallAndFragmentsLargeUnits) {
  const auto packetizer = createPacketizer("H264", {1});
  const auto depacketizer = createDepacketizer("H264");
  const Bytes frame = annexB({unit(0x67, 20), unit(0x68, 5), unit(0x65, 5000), unit(0x65, 100)});
  const auto pieces = cut(*packetizer, frame, {}, 1200);
  ASSERT_EQ(pieces.size(), 1u + 5 + 1);
  EXPECT_EQ(pieces[0][0] & 0x1f, 24);
  EXPECT_EQ(pieces[1][0] & 0x1f, 28);
  for (size_t i = 1; i < 5; ++i) EXPECT_EQ(pieces[i].size(), pieces[1].size());
  EXPECT_EQ(join(*depacketizer, pieces), frame);
}

TEST(H264, Mode0SendsUnitsAsTheyAre) {
  const auto packetizer = createPacketizer("H264", {0});
  const auto depacketizer = createDepacketizer("H264");
  const Bytes frame = annexB({unit(0x67, 20), unit(0x68, 5), unit(0x65, 1200)});
  const auto pieces = cut(*packetizer, frame, {}, 1200);
  EXPECT_EQ(pieces.size(), 3u);
  EXPECT_EQ(join(*depacketizer, pieces), frame);
  EXPECT_EQ(packetizer->begin(annexB({unit(0x65, 1201)}), {}, 1200), 0u);
}

TEST(H264, SpsGivesTheCroppedSize) {
  // Constrained Baseline 3.1; 40 x 23 macroblocks, cropped by 8 lines: 640x360.
  EXPECT_EQ(parseH264SpsSize(fromHex("6742c01fda0280bfe540")), (VideoSize{640, 360}));
  EXPECT_EQ(parseH264SpsSize(fromHex("6764001facd9405005b9")), (VideoSize{1280, 720})) << "High";
  EXPECT_FALSE(parseH264SpsSize(fromHex("6742c0")));
  EXPECT_FALSE(parseH264SpsSize(fromHex("67640000000000000000000000000000000000")));
}

TEST(Audio, OneFrameIsOnePacket) {
  const auto packetizer = createPacketizer("opus");
  const auto pieces = cut(*packetizer, patterned(160), {}, 1200);
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0], patterned(160));
  EXPECT_EQ(packetizer->begin(patterned(1201), {}, 1200), 0u);
  EXPECT_EQ(createPacketizer("H266"), nullptr);
  EXPECT_EQ(createDepacketizer(""), nullptr);
  EXPECT_NE(createDepacketizer("pcmu"), nullptr);
}

TEST(OpusPacket, TocGivesModeAndDuration) {
  struct {
    uint8_t toc;
    OpusMode mode;
    bool stereo;
    int64_t micros;
    uint8_t frames;
  } const cases[] = {
      {0, OpusMode::Silk, false, 10'000, 1},     {8, OpusMode::Silk, false, 20'000, 1},
      {120, OpusMode::Hybrid, false, 20'000, 1}, {252, OpusMode::Celt, true, 20'000, 1},
      {253, OpusMode::Celt, true, 20'000, 2},    {128, OpusMode::Celt, false, 2'500, 1},
  };
  for (const auto& c : cases) {
    const uint8_t bytes[] = {c.toc, 0, 0};
    const auto info = OpusPacketInfo::parse(bytes);
    ASSERT_TRUE(info) << int(c.toc);
    EXPECT_EQ(info->mode, c.mode) << int(c.toc);
    EXPECT_EQ(info->stereo, c.stereo);
    EXPECT_EQ(info->frameDuration, Duration::micros(c.micros));
    EXPECT_EQ(info->frameCount, c.frames);
  }
  const auto code3 = OpusPacketInfo::parse(fromHex("4b03aaaaaa"));
  ASSERT_TRUE(code3);
  EXPECT_EQ(code3->duration(), Duration::millis(60));
}

TEST(OpusPacket, RefusesImpossibleDurations) {
  EXPECT_FALSE(OpusPacketInfo::parse({}));
  EXPECT_FALSE(OpusPacketInfo::parse(fromHex("4b"))) << "frame count missing";
  EXPECT_FALSE(OpusPacketInfo::parse(fromHex("4b00"))) << "zero frames";
  EXPECT_FALSE(OpusPacketInfo::parse(fromHex("4b07"))) << "140 ms";
  EXPECT_FALSE(OpusPacketInfo::parse(fromHex("8331"))) << "49 frames";
  EXPECT_TRUE(OpusPacketInfo::parse(fromHex("8330"))) << "48 frames of 2.5 ms";
}

TEST(OpusPacket, LbrrFlagStandsBehindTheVadBits) {
  EXPECT_TRUE(OpusPacketInfo::parse(fromHex("0840"))->hasFec) << "20 ms mono: second bit";
  EXPECT_FALSE(OpusPacketInfo::parse(fromHex("0880"))->hasFec);
  EXPECT_TRUE(OpusPacketInfo::parse(fromHex("1810"))->hasFec) << "60 ms mono: fourth bit";
  EXPECT_TRUE(OpusPacketInfo::parse(fromHex("0c10"))->hasFec) << "stereo: side channel";
  EXPECT_FALSE(OpusPacketInfo::parse(fromHex("f840"))->hasFec) << "CELT has none";
}

TEST(Red, SplitsRedundantAndPrimary) {
  RedPayload red;
  const Bytes bytes = fromHex("ef0f00036faabbccddeeff00");
  ASSERT_TRUE(RedPayload::parse(bytes, red));
  ASSERT_EQ(red.blocks.size(), 2u);
  EXPECT_EQ(red.blocks[0].payloadType, 111);
  EXPECT_EQ(red.blocks[0].timestampOffset, 960);
  EXPECT_EQ(toHex(red.blocks[0].data), "aabbcc");
  EXPECT_EQ(red.primary().payloadType, 111);
  EXPECT_EQ(toHex(red.primary().data), "ddeeff00");
}

TEST(Red, RefusesMalformed) {
  RedPayload red;
  EXPECT_FALSE(RedPayload::parse({}, red));
  EXPECT_FALSE(RedPayload::parse(fromHex("ef0f012c6faa"), red)) << "block longer than the packet";
  EXPECT_FALSE(RedPayload::parse(fromHex("ef000003"), red)) << "no primary";
  EXPECT_FALSE(RedPayload::parse(fromHex("6f"), red)) << "empty primary";
  Bytes many;
  for (int i = 0; i < 33; ++i) {
    const Bytes block = fromHex("ef000000");
    many.insert(many.end(), block.begin(), block.end());
  }
  many.push_back(0x6f);
  many.push_back(0xaa);
  EXPECT_FALSE(RedPayload::parse(many, red)) << "more than 32 blocks";
}

TEST(TelephoneEvent, RoundTrips) {
  struct {
    const char* hex;
    TelephoneEvent value;
  } const cases[] = {{"010a00a0", {1, false, 10, 160}},
                     {"018a0320", {1, true, 10, 800}},
                     {"0b8affff", {11, true, 10, 65535}}};
  for (const auto& c : cases) {
    EXPECT_EQ(TelephoneEvent::parse(fromHex(c.hex)), c.value);
    uint8_t buffer[4];
    ByteWriter w(buffer);
    c.value.write(w);
    EXPECT_EQ(toHex(w.written()), c.hex);
  }
  EXPECT_FALSE(TelephoneEvent::parse(fromHex("010a00")));
}

}  // namespace
}  // namespace parley::rtp
