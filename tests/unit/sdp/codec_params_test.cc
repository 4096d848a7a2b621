#include "parley/sdp/codec_params.h"

#include <gtest/gtest.h>

namespace parley::sdp {
namespace {

CodecParams codec(std::string name, uint32_t clock, std::string_view fmtp = {},
                  uint8_t channels = 1) {
  CodecParams c;
  c.payloadType = 100;
  c.name = std::move(name);
  c.clockRate = clock;
  c.channels = channels;
  c.fmtp = *parseFmtp(fmtp);
  return c;
}

TEST(Fmtp, SplitsPairsAndBareItems) {
  const auto p = parseFmtp(" minptime=10; useinbandfec=1;;0-15 ");
  ASSERT_TRUE(p);
  ASSERT_EQ(p->size(), 3u);
  EXPECT_EQ((*p)[0], (FmtpParameter{"minptime", "10"}));
  EXPECT_EQ((*p)[1], (FmtpParameter{"useinbandfec", "1"}));
  EXPECT_EQ((*p)[2], (FmtpParameter{"0-15", std::nullopt}));
  EXPECT_EQ(writeFmtp(*p), "minptime=10;useinbandfec=1;0-15");
}

TEST(Fmtp, ValueMayContainEquals) {
  const auto p = parseFmtp("sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==");
  ASSERT_EQ(p->size(), 1u);
  EXPECT_EQ((*p)[0].value, "Z0IACpZTBYmI,aMljiA==");
}

TEST(Fmtp, RefusesAFloodOfParameters) {
  std::string text;
  for (int i = 0; i < 128; ++i) text += "a=1;";
  EXPECT_TRUE(parseFmtp(text));
  EXPECT_FALSE(parseFmtp(text + "a=1"));
}

TEST(Fmtp, KeysAreCaseInsensitive) {
  auto c = codec("opus", 48000, "MinPTime=10", 2);
  EXPECT_EQ(c.fmtpNumber("minptime"), 10u);
  c.setFmtp("MINPTIME", "20");
  EXPECT_EQ(c.fmtp.size(), 1u);
  EXPECT_EQ(c.fmtpValue("minptime"), "20");
  EXPECT_FALSE(c.fmtpNumber("stereo"));
}

TEST(CodecParams, KnowsStaticPayloadTypes) {
  EXPECT_EQ(staticPayloadType(0)->name, "PCMU");
  EXPECT_EQ(staticPayloadType(9)->clockRate,
            8000u);  // G722: 16 kHz audio, 8 kHz clock (RFC 3551 4.5.2)
  EXPECT_EQ(staticPayloadType(10)->channels, 2);
  EXPECT_FALSE(staticPayloadType(96));
}

TEST(CodecParams, RtxNamesItsPrimary) {
  EXPECT_EQ(codec("rtx", 90000, "apt=96").associatedPayloadType(), 96);
  EXPECT_FALSE(codec("rtx", 90000, "apt=200").associatedPayloadType());
  EXPECT_FALSE(codec("rtx", 90000).associatedPayloadType());
  EXPECT_FALSE(codec("VP8", 90000, "apt=96").associatedPayloadType());
}

TEST(SameFormat, ComparesWhatSelectsABitstream) {
  EXPECT_TRUE(sameFormat(codec("VP8", 90000), codec("vp8", 90000, "max-fs=12288")));
  EXPECT_FALSE(sameFormat(codec("VP8", 90000), codec("VP8", 48000)));
  EXPECT_FALSE(sameFormat(codec("opus", 48000, "", 2), codec("opus", 48000)));
  EXPECT_TRUE(sameFormat(codec("VP9", 90000), codec("VP9", 90000, "profile-id=0")));
  EXPECT_FALSE(sameFormat(codec("VP9", 90000), codec("VP9", 90000, "profile-id=2")));
  EXPECT_TRUE(sameFormat(codec("AV1", 90000, "level-idx=5;profile=0"), codec("AV1", 90000)));
  EXPECT_FALSE(sameFormat(codec("AV1", 90000, "profile=1"), codec("AV1", 90000)));
  EXPECT_FALSE(sameFormat(codec("", 0), codec("", 0)));
}

TEST(SameFormat, H264MatchesByProfileAndPacketizationMode) {
  const auto h = [](std::string_view fmtp) { return codec("H264", 90000, fmtp); };
  EXPECT_TRUE(sameFormat(h("profile-level-id=42e01f;packetization-mode=1"),
                         h("packetization-mode=1;profile-level-id=42C00D")));
  EXPECT_FALSE(
      sameFormat(h("profile-level-id=42e01f;packetization-mode=1"), h("profile-level-id=42e01f")));
  EXPECT_FALSE(sameFormat(h("profile-level-id=42e01f"), h("profile-level-id=42001f")));
  EXPECT_TRUE(sameFormat(h(""), h("profile-level-id=42001f;packetization-mode=0")));
  EXPECT_FALSE(sameFormat(h("profile-level-id=zzzzzz"), h("profile-level-id=zzzzzz")));
}

TEST(H264, ReadsProfiles) {
  const auto profile = [](std::string_view id) { return parseH264ProfileLevelId(id)->profile; };
  EXPECT_EQ(profile("42e01f"), H264Profile::ConstrainedBaseline);
  EXPECT_EQ(profile("42c01f"), H264Profile::ConstrainedBaseline);
  EXPECT_EQ(profile("4d801f"), H264Profile::ConstrainedBaseline);
  EXPECT_EQ(profile("42001f"), H264Profile::Baseline);
  EXPECT_EQ(profile("4d001f"), H264Profile::Main);
  EXPECT_EQ(profile("640c1f"), H264Profile::ConstrainedHigh);
  EXPECT_EQ(profile("64001f"), H264Profile::High);
  EXPECT_EQ(profile("58001f"), H264Profile::Extended);
  for (const char* bad : {"", "42e01", "42e01f0", "42e01g", "00001f", "42e000", "-2e01f"}) {
    EXPECT_FALSE(parseH264ProfileLevelId(bad)) << bad;
  }
  EXPECT_EQ(h264ProfileLevel(codec("H264", 90000))->profile, H264Profile::Baseline);
}

TEST(H264, OrdersLevel1bBetween1And11) {
  const auto l1 = *parseH264ProfileLevelId("42e00a");
  const auto l1b = *parseH264ProfileLevelId("42f00b");
  const auto l11 = *parseH264ProfileLevelId("42e00b");
  EXPECT_TRUE(h264LevelLess(l1, l1b));
  EXPECT_TRUE(h264LevelLess(l1b, l11));
  EXPECT_FALSE(h264LevelLess(l11, l1b));
}

TEST(H264, AnswersTheLowerLevelUnlessAsymmetryIsAllowed) {
  const auto ours = codec("H264", 90000, "profile-level-id=42e01f;packetization-mode=1");
  const auto theirs = codec("H264", 90000, "profile-level-id=42e00d;packetization-mode=1");
  EXPECT_EQ(negotiatedH264ProfileLevelId(ours, theirs), "42e00d");
  EXPECT_EQ(negotiatedH264ProfileLevelId(theirs, ours), "42e00d");
  auto a = ours, b = theirs;
  a.setFmtp("level-asymmetry-allowed", "1");
  EXPECT_EQ(negotiatedH264ProfileLevelId(a, b), "42e00d");
  b.setFmtp("level-asymmetry-allowed", "1");
  EXPECT_EQ(negotiatedH264ProfileLevelId(a, b), "42e01f");
  EXPECT_FALSE(negotiatedH264ProfileLevelId(ours, codec("H264", 90000, "profile-level-id=64001f")));
}

TEST(H264, WritesWhatItReads) {
  for (const char* id :
       {"42e01f", "42001f", "4d001f", "640c28", "640033", "42f00b", "42100b", "4d100b", "640009"}) {
    const auto c = codec("H264", 90000, std::string("profile-level-id=") + id);
    EXPECT_EQ(negotiatedH264ProfileLevelId(c, c), id);
  }
}

TEST(Opus, HasTheDefaultsOfRfc7587) {
  const auto d = opusParameters(codec("opus", 48000, "", 2));
  EXPECT_EQ(d.maxPlaybackRate, 48000u);
  EXPECT_FALSE(d.maxAverageBitrate);
  EXPECT_FALSE(d.stereo || d.spropStereo || d.cbr || d.useInbandFec || d.useDtx);
}

TEST(Opus, ReadsAndClampsWishes) {
  const auto d = opusParameters(codec("opus", 48000,
                                      "useinbandfec=1;usedtx=1;stereo=1;cbr=1;maxaveragebitrate=1;"
                                      "minptime=10;maxplaybackrate=96000",
                                      2));
  EXPECT_TRUE(d.useInbandFec && d.useDtx && d.stereo && d.cbr);
  EXPECT_EQ(d.maxAverageBitrate, 6000u);
  EXPECT_EQ(d.minPtime, 10u);
  EXPECT_EQ(d.maxPlaybackRate, 48000u);
}

}  // namespace
}  // namespace parley::sdp
