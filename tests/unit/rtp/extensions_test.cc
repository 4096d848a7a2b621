#include <gtest/gtest.h>

#include "parley/rtp/extensions/all.h"

#include "support/hex.h"

namespace parley::rtp {
namespace {

using test::fromHex;
using test::toHex;

template <class Ext>
std::string written(const typename Ext::Value& v) {
  uint8_t bytes[Ext::kMaxSize] = {};
  return toHex(ByteSpan(bytes, Ext::write(v, bytes)));
}

TEST(AbsSendTime, IsSecondsIn6Dot18AndWrapsAt64) {
  EXPECT_EQ(AbsSendTime::fromTimestamp(Timestamp::seconds(0)), 0u);
  EXPECT_EQ(AbsSendTime::fromTimestamp(Timestamp::millis(500)), 0x020000u);
  EXPECT_EQ(AbsSendTime::fromTimestamp(Timestamp::seconds(1)), 0x040000u);
  EXPECT_EQ(AbsSendTime::fromTimestamp(Timestamp::nanos(63'999'996'186)), 0xffffffu);
  EXPECT_EQ(AbsSendTime::fromTimestamp(Timestamp::millis(64'500)), 0x020000u);
  EXPECT_EQ(AbsSendTime::fromNtp(NtpTime{0xe8fe6f8080000000}),
            (0xe8fe6f8080000000 >> 14) & 0xffffff);
  EXPECT_EQ(written<AbsSendTime>(0x020000), "020000");
  EXPECT_EQ(AbsSendTime::parse(fromHex("ffffff")), 0xffffffu);
  EXPECT_FALSE(AbsSendTime::parse(fromHex("ffff")));
}

TEST(AbsCaptureTime, HasAnOptionalSignedOffset) {
  const NtpTime ntp{0xe5f0000080000000};
  EXPECT_EQ(written<AbsCaptureTime>({ntp, {}}), "e5f0000080000000");
  EXPECT_EQ(written<AbsCaptureTime>({ntp, -0x40000000}), "e5f0000080000000ffffffffc0000000");
  EXPECT_EQ(written<AbsCaptureTime>({ntp, 0x140000000}), "e5f00000800000000000000140000000");
  EXPECT_EQ(AbsCaptureTime::parse(fromHex("e5f0000080000000ffffffffc0000000")),
            (AbsCaptureTimeValue{ntp, -0x40000000}));
  EXPECT_FALSE(AbsCaptureTime::parse(fromHex("e5f00000800000")));
  EXPECT_FALSE(AbsCaptureTime::parse(fromHex("e5f0000080000000ff")));
}

TEST(PlayoutDelay, CountsInTensOfMilliseconds) {
  const auto v = PlayoutDelay::parse(fromHex("002014"));
  ASSERT_TRUE(v);
  EXPECT_EQ(v->min, Duration::millis(20));
  EXPECT_EQ(v->max, Duration::millis(200));
  EXPECT_EQ(written<PlayoutDelay>({Duration::zero(), Duration::zero()}), "000000");
  EXPECT_EQ(written<PlayoutDelay>({Duration::millis(20), Duration::millis(200)}), "002014");
  EXPECT_FALSE(PlayoutDelay::parse(fromHex("014002"))) << "min above max";
  EXPECT_EQ(written<PlayoutDelay>({Duration::millis(0), Duration::seconds(41)}), "");
}

TEST(AudioLevel, CarriesVoiceActivityAndLevel) {
  EXPECT_EQ(AudioLevel::parse(fromHex("80")), (AudioLevelValue{true, 0}));
  EXPECT_EQ(AudioLevel::parse(fromHex("7f")), (AudioLevelValue{false, 127}));
  EXPECT_EQ(AudioLevel::parse(fromHex("da")), (AudioLevelValue{true, 90}));
  EXPECT_EQ(written<AudioLevel>({true, 90}), "da");
  EXPECT_FALSE(AudioLevel::parse({}));
}

TEST(CsrcAudioLevel, OneLevelPerCsrc) {
  const auto v = CsrcAudioLevel::parse(fromHex("0a7f80"));
  ASSERT_TRUE(v);
  ASSERT_EQ(v->size(), 3u);
  EXPECT_EQ((*v)[1], 127);
  EXPECT_EQ((*v)[2], 0) << "the top bit is reserved";
  EXPECT_FALSE(CsrcAudioLevel::parse(Bytes(16)));
}

TEST(VideoOrientation, ReadsRotationFlipAndCamera) {
  EXPECT_EQ(VideoOrientation::parse(fromHex("00")), (VideoOrientationValue{0, false, false}));
  EXPECT_EQ(VideoOrientation::parse(fromHex("01")), (VideoOrientationValue{90, false, false}));
  EXPECT_EQ(VideoOrientation::parse(fromHex("02")), (VideoOrientationValue{180, false, false}));
  EXPECT_EQ(VideoOrientation::parse(fromHex("07")), (VideoOrientationValue{270, true, false}));
  EXPECT_EQ(VideoOrientation::parse(fromHex("0b")), (VideoOrientationValue{270, false, true}));
  EXPECT_EQ(written<VideoOrientation>({270, false, true}), "0b");
  EXPECT_EQ(written<VideoOrientation>({45, false, false}), "");
}

TEST(TransmissionOffset, IsSigned24Bit) {
  EXPECT_EQ(TransmissionOffset::parse(fromHex("ffffff")), -1);
  EXPECT_EQ(TransmissionOffset::parse(fromHex("7fffff")), 0x7fffff);
  EXPECT_EQ(written<TransmissionOffset>(-2), "fffffe");
}

TEST(StreamIds, AreTextWithoutNul) {
  EXPECT_EQ(Mid::parse(fromHex("6d6964")), "mid");
  EXPECT_FALSE(Mid::parse({}));
  EXPECT_FALSE(Mid::parse(fromHex("6d00")));
  EXPECT_EQ(Rid::parse(fromHex("6869")), "hi");
  EXPECT_FALSE(Rid::parse(fromHex("6820"))) << "no blanks in a rid";
  EXPECT_EQ(written<Rid>("hi"), "6869");
  EXPECT_EQ(written<RepairedRid>(""), "");
}

TEST(VideoTiming, ReadsBothLengths) {
  const auto v = VideoTiming::parse(fromHex("01000d00120012001700000000"));
  ASSERT_TRUE(v);
  EXPECT_EQ(v->flags, 1);
  EXPECT_EQ(v->encodeStart, 13);
  EXPECT_EQ(v->leftPacer, 23);
  const auto old = VideoTiming::parse(Bytes(12, 1));
  ASSERT_TRUE(old);
  EXPECT_EQ(old->network2, 0x0101);
  EXPECT_FALSE(VideoTiming::parse(Bytes(11)));
  EXPECT_FALSE(VideoTiming::parse(Bytes(14)));
  EXPECT_EQ(written<VideoTiming>(*v), "01000d00120012001700000000");
}

// draft-ietf-avtcore-corruption-detection, "Data layout details".
TEST(CorruptionDetection, HasANumberAndSamples) {
  const auto v = CorruptionDetection::parse(fromHex("85ff2401020a"));
  ASSERT_TRUE(v);
  EXPECT_TRUE(v->upperBits);
  EXPECT_EQ(v->index, 5);
  EXPECT_EQ(v->deviation, 255);
  EXPECT_EQ(v->lumaError, 2);
  EXPECT_EQ(v->chromaError, 4);
  ASSERT_EQ(v->samples.size(), 3u);
  EXPECT_EQ(v->samples[2], 10);
  EXPECT_EQ(written<CorruptionDetection>(*v), "85ff2401020a");
  const auto synchronizes = CorruptionDetection::parse(fromHex("7f"));
  ASSERT_TRUE(synchronizes);
  EXPECT_FALSE(synchronizes->upperBits);
  EXPECT_EQ(synchronizes->index, 127);
  EXPECT_EQ(written<CorruptionDetection>(*synchronizes), "7f");
  EXPECT_EQ(CorruptionDetection::parse(Bytes(16))->samples.size(), 13u);
  for (const size_t size : {0, 2, 3, 17}) EXPECT_FALSE(CorruptionDetection::parse(Bytes(size)));
}

TEST(ColorSpace, ReadsShortAndLongForm) {
  const auto v = ColorSpace::parse(fromHex("0101011f"));
  ASSERT_TRUE(v);
  EXPECT_EQ(v->range, 1);
  EXPECT_EQ(v->chromaHorizontal, 3);
  EXPECT_EQ(v->chromaVertical, 3);
  EXPECT_TRUE(ColorSpace::parse(Bytes(28)));
  EXPECT_FALSE(ColorSpace::parse(Bytes(5)));
  EXPECT_EQ(written<ColorSpace>(*v), "0101011f");
}

TEST(ContentType, OnlyTheLowestBitCounts) {
  EXPECT_EQ(ContentType::parse(fromHex("01")), VideoContentType::Screenshare);
  EXPECT_EQ(ContentType::parse(fromHex("02")), VideoContentType::Unspecified);
}

}  // namespace
}  // namespace parley::rtp
