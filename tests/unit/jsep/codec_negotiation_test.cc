#include "parley/jsep/codec_negotiation.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using test::codec;
using test::names;
using test::numbers;
using test::video;

sdp::MediaDescription section(std::vector<sdp::CodecParams> codecs) {
  sdp::MediaDescription m;
  m.media = "video";
  m.codecs = std::move(codecs);
  return m;
}

struct RtxCase {
  const char* what;
  std::vector<sdp::CodecParams> offered;
  std::vector<int> accepted;
};

TEST(AnswerCodecs, RtxFollowsItsPrimary) {
  const std::vector<sdp::CodecParams> ours = {video(96, "VP8"), codec(97, "rtx", 90000, "apt=96"),
                                              video(98, "VP9")};
  const RtxCase cases[] = {
      {"plain", {video(100, "VP8"), codec(101, "rtx", 90000, "apt=100")}, {100, 101}},
      {"before its primary", {codec(101, "rtx", 90000, "apt=100"), video(100, "VP8")}, {100, 101}},
      {"primary unknown to us",
       {video(100, "VP8"), video(102, "AV1"), codec(103, "rtx", 90000, "apt=102")},
       {100}},
      {"we repair no VP9", {video(100, "VP9"), codec(101, "rtx", 90000, "apt=100")}, {100}},
      {"apt to itself", {video(100, "VP8"), codec(101, "rtx", 90000, "apt=101")}, {100}},
      {"apt loop",
       {video(100, "VP8"), codec(101, "rtx", 90000, "apt=102"),
        codec(102, "rtx", 90000, "apt=101")},
       {100}},
      {"no apt", {video(100, "VP8"), codec(101, "rtx", 90000)}, {100}},
      {"apt to nothing", {video(100, "VP8"), codec(101, "rtx", 90000, "apt=55")}, {100}},
      {"twice",
       {video(100, "VP8"), codec(101, "rtx", 90000, "apt=100"),
        codec(102, "rtx", 90000, "apt=100")},
       {100, 101}},
      {"another clock", {video(100, "VP8"), codec(101, "rtx", 8000, "apt=100")}, {100}},
      {"in the range of RTCP", {video(100, "VP8"), codec(70, "rtx", 90000, "apt=100")}, {100}},
      {"rtx alone", {codec(101, "rtx", 90000, "apt=100")}, {}},
  };
  for (const RtxCase& c : cases) {
    FormatMemory bundle;
    EXPECT_EQ(numbers(answerCodecs(section(c.offered), ours, {}, bundle)), c.accepted) << c.what;
  }
}

TEST(AnswerCodecs, NumbersInTheRangeOfRtcpAreNotUsed) {
  FormatMemory bundle;
  EXPECT_TRUE(answerCodecs(section({video(72, "VP8")}), {video(96, "VP8")}, {}, bundle).empty());
}

TEST(AnswerCodecs, FecOnlyIfWeCan) {
  const auto offered =
      section({video(96, "VP8"), codec(118, "red", 90000), codec(119, "rtx", 90000, "apt=118"),
               codec(120, "ulpfec", 90000), codec(121, "flexfec-03", 90000)});
  FormatMemory one, two;
  EXPECT_EQ(numbers(answerCodecs(offered, {video(96, "VP8")}, {}, one)), std::vector<int>{96});
  EXPECT_EQ(
      numbers(answerCodecs(
          offered, {video(1, "VP8"), codec(2, "red", 90000), codec(3, "ulpfec", 90000)}, {}, two)),
      (std::vector<int>{96, 118, 120}));
}

TEST(AnswerCodecs, FecGoesWithItsRepetitionsAndInTheOfferersNumbers) {
  const std::vector<sdp::CodecParams> ours = {video(96, "VP8"),
                                              codec(118, "red", 90000),
                                              codec(119, "rtx", 90000, "apt=118"),
                                              codec(120, "ulpfec", 90000),
                                              codec(49, "flexfec-03", 90000),
                                              codec(50, "flexfec", 90000)};
  FormatMemory bundle;
  const auto answer =
      answerCodecs(section({video(120, "VP8"), codec(123, "ulpfec", 90000),
                            codec(122, "red", 90000), codec(119, "rtx", 90000, "apt=122")}),
                   ours, {}, bundle);
  EXPECT_EQ(numbers(answer), (std::vector<int>{120, 123, 122, 119}));
  EXPECT_TRUE(hasPrimaryCodec(answer));
  EXPECT_FALSE(hasPrimaryCodec({answer.begin() + 1, answer.end()}));
}

TEST(AnswerCodecs, RedNeedsWhatItCarries) {
  const auto ours = test::capabilities("a").audioCodecs;
  const auto opus = codec(109, "opus", 48000, "", 2);
  FormatMemory one, two;
  const auto good =
      answerCodecs(section({opus, codec(50, "red", 48000, "109/109", 2)}), ours, {}, one);
  ASSERT_EQ(numbers(good), (std::vector<int>{109, 50}));
  EXPECT_EQ(sdp::writeFmtp(good[1].fmtp), "109/109");
  EXPECT_EQ(
      numbers(answerCodecs(section({opus, codec(50, "red", 48000, "42/42", 2)}), ours, {}, two)),
      std::vector<int>{109});
}

TEST(AnswerCodecs, OneNumberIsOneFormatInTheBundle) {
  const auto ours = test::capabilities("a").videoCodecs;
  FormatMemory bundle;
  EXPECT_EQ(names(answerCodecs(section({video(100, "VP8")}), ours, {}, bundle)),
            std::vector<std::string>{"VP8"});
  EXPECT_EQ(names(answerCodecs(section({video(100, "VP9"), video(101, "VP8")}), ours, {}, bundle)),
            std::vector<std::string>{"VP8"});
}

TEST(AnswerCodecs, H264AnswersByProfileNotByText) {
  const std::vector<sdp::CodecParams> ours = {
      video(102, "H264", "packetization-mode=1;profile-level-id=42e01f")};
  FormatMemory bundle;
  const auto out =
      answerCodecs(section({video(104, "H264", "profile-level-id=42e01f"),
                            video(105, "H264", "packetization-mode=1;profile-level-id=42c00d"),
                            video(106, "H264", "packetization-mode=1;profile-level-id=64001f")}),
                   ours, {}, bundle);
  ASSERT_EQ(numbers(out), std::vector<int>{105});
  EXPECT_EQ(out[0].fmtpValue("profile-level-id"), "42e00d")
      << "their level is lower and asymmetry not allowed";
}

TEST(AnswerCodecs, FormatParametersAreOurs) {
  FormatMemory bundle;
  const auto out =
      answerCodecs(section({codec(109, "opus", 48000, "maxplaybackrate=48000;stereo=1", 2)}),
                   test::capabilities("a").audioCodecs, {}, bundle);
  EXPECT_EQ(sdp::writeFmtp(out[0].fmtp), "minptime=10;useinbandfec=1");
}

TEST(OfferCodecs, NumbersAreKeptAndNeverReused) {
  FormatMemory memory;
  memory.bind(video(96, "AV1"));   // the peer's
  memory.bind(video(120, "VP8"));  // agreed before
  const auto out = offerCodecs(test::capabilities("a").videoCodecs, {}, {}, memory);
  EXPECT_EQ(out[0].payloadType, 120);
  EXPECT_EQ(out[1].associatedPayloadType(), 120);
  EXPECT_EQ(out[1].payloadType, 97);
  std::vector<int> seen = numbers(out);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  EXPECT_FALSE(std::binary_search(seen.begin(), seen.end(), 96));
  EXPECT_EQ(offerCodecs(test::capabilities("a").videoCodecs, {}, {}, memory), out) << "stable";
}

TEST(OfferCodecs, NeverUsesTheRangeOfRtcpEvenWhenFull) {
  FormatMemory memory;
  for (int pt = 96; pt < 127; ++pt) memory.bind(codec(pt, "X" + std::to_string(pt), 90000));
  const auto out = offerCodecs(test::capabilities("a").videoCodecs, {}, {}, memory);
  EXPECT_EQ(out.size(), 6u);
  for (const auto& c : out)
    EXPECT_TRUE(c.payloadType < 64 || c.payloadType == 127) << int{c.payloadType};
}

TEST(OfferCodecs, RedFollowsItsCodecToItsNumber) {
  FormatMemory memory;
  memory.bind(codec(109, "opus", 48000, "", 2));
  const auto out = offerCodecs(test::capabilities("a").audioCodecs, {}, {}, memory);
  EXPECT_EQ(out[0].payloadType, 109);
  EXPECT_EQ(sdp::writeFmtp(out[1].fmtp), "109/109");
}

TEST(OfferCodecs, AgreedOrderComesFirst) {
  FormatMemory memory;
  const auto caps = test::capabilities("a").videoCodecs;
  const auto out = offerCodecs(caps, {}, {video(98, "VP9")}, memory);
  EXPECT_EQ(names(out), (std::vector<std::string>{"VP9", "rtx", "VP8", "rtx", "H264", "rtx"}));
}

// RFC 3264 section 8.3.2.
TEST(OfferCodecs, ASectionKeepsItsOwnNumbersBesideOthersOfTheBundle) {
  FormatMemory memory;
  for (const int pt : {96, 120}) {
    memory.bind(video(pt, "VP8"));
    memory.bind(codec(pt + 1, "rtx", 90000, "apt=" + std::to_string(pt)));
  }
  const auto caps = test::capabilities("a").videoCodecs;
  const std::vector<sdp::CodecParams> own{video(120, "VP8"), codec(121, "rtx", 90000, "apt=120")};
  const auto kept = offerCodecs(caps, {}, own, memory);
  EXPECT_EQ(kept[0].payloadType, 120);
  EXPECT_EQ(kept[1].payloadType, 121);
  EXPECT_EQ(kept[1].associatedPayloadType(), 120);
  EXPECT_EQ(numbers(offerCodecs(caps, {}, {}, memory))[0], 96);
  memory.bind(video(120, "VP9"));  // another section's by now
  EXPECT_EQ(numbers(offerCodecs(caps, {}, own, memory))[0], 96);
}

TEST(CommonCodecs, TakesNumbersOfTheFirst) {
  const auto a = section({video(96, "VP8"), codec(97, "rtx", 90000, "apt=96"), video(98, "VP9")});
  const auto b = section({video(120, "VP8"), codec(121, "rtx", 90000, "apt=120")});
  EXPECT_EQ(numbers(commonCodecs(a, b)), (std::vector<int>{96, 97}));
  EXPECT_EQ(numbers(commonCodecs(b, a)), (std::vector<int>{120, 121}));
}

TEST(ExtensionMemory, PrefersTheOneByteRange) {
  ExtensionMemory memory;
  for (int i = 1; i <= 14; ++i) EXPECT_EQ(memory.assign("u" + std::to_string(i), 0), i);
  EXPECT_EQ(memory.assign("more", 3), 16);
  EXPECT_EQ(memory.assign("u3", 9), 3);
}

}  // namespace
}  // namespace parley::jsep
