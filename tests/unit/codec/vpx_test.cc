#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/codec/factories.h"
#include "parley/codec/generators.h"
#include "parley/rtp/payload_format/vpx_frame_header.h"

namespace parley::codec {
namespace {

class Vpx : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (builtinVideoEncoders()->supportedFormats().empty()) GTEST_SKIP() << "built without libvpx";
  }
  SdpVideoFormat format() const { return {GetParam(), {}, {}}; }
  std::unique_ptr<VideoEncoder> encoder(VideoEncoderSettings settings) {
    return builtinVideoEncoders()->create(format(), settings).value();
  }
  std::unique_ptr<VideoDecoder> decoder(VideoDecoderSettings settings = {}) {
    return builtinVideoDecoders()->create(format(), settings).value();
  }
  static VideoEncoderSettings small() {
    VideoEncoderSettings settings;
    settings.width = 160;
    settings.height = 120;
    settings.dropFrames = false;
    return settings;
  }
  static EncodedVideoView view(const EncodedVideoFrame& f) {
    return {f.data, f.keyFrame, f.rtpTimestamp, f.capture, f.rotation};
  }
};

TEST_P(Vpx, PicturesSurviveTheTrip) {
  auto enc = encoder(small());
  auto dec = decoder();
  TestPattern pattern(160, 120);
  EncodedVideoFrame coded;
  for (int i = 0; i < 15; ++i) {
    auto frame = pattern.next(Timestamp::millis(33 * i));
    frame.rotation = VideoRotation::Clockwise90;
    ASSERT_TRUE(enc->encode(frame, false));
    ASSERT_TRUE(enc->poll(coded));
    EXPECT_FALSE(enc->poll(coded));
    EXPECT_EQ(coded.keyFrame, i == 0);
    EXPECT_EQ(coded.rtpTimestamp, static_cast<uint32_t>(33 * i) * 90);
    EXPECT_GT(coded.qp, 0);
    VideoFrame shown;
    ASSERT_EQ(dec->decode(view(coded), shown), DecodeStatus::Ok);
    EXPECT_EQ(shown.rotation, VideoRotation::Clockwise90);
    EXPECT_EQ(TestPattern::readFrameNumber(*shown.buffer), static_cast<uint32_t>(i));
    EXPECT_GT(psnr(*frame.buffer, *shown.buffer), 25);
  }
}

// Once a second, of what a receiver sees.
TEST_P(Vpx, QualityIsMeasuredOnceInAWhile) {
  auto enc = encoder(small());
  auto dec = decoder();
  TestPattern pattern(160, 120);
  EncodedVideoFrame coded;
  VideoFrame shown;
  int measured = 0;
  for (int i = 0; i < 90; ++i) {
    const auto frame = pattern.next(Timestamp::millis(33 * i));
    ASSERT_TRUE(enc->encode(frame, false));
    ASSERT_TRUE(enc->poll(coded));
    ASSERT_EQ(dec->decode(view(coded), shown), DecodeStatus::Ok);
    if (!coded.psnr) continue;
    ++measured;
    EXPECT_NEAR(coded.psnr->y, psnr(*frame.buffer, *shown.buffer), 1e-9) << i;
    EXPECT_GT(coded.psnr->u, 20);
    EXPECT_GT(coded.psnr->v, 20);
  }
  EXPECT_EQ(measured, 3);
}

TEST_P(Vpx, KeyFramesComeOnlyOnRequest) {
  auto enc = encoder(small());
  TestPattern pattern(160, 120);
  EncodedVideoFrame coded;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(enc->encode(pattern.next(Timestamp::millis(33 * i)), i == 7));
    ASSERT_TRUE(enc->poll(coded));
    EXPECT_EQ(coded.keyFrame, i == 0 || i == 7);
  }
}

TEST_P(Vpx, AResizeRestartsWithAKeyFrame) {
  auto enc = encoder(small());
  auto dec = decoder();
  TestPattern pattern(160, 120);
  EncodedVideoFrame coded;
  VideoFrame shown;
  for (int i = 0; i < 9; ++i) {
    if (i == 3) pattern.resize(98, 66);
    if (i == 6) pattern.resize(320, 240);
    ASSERT_TRUE(enc->encode(pattern.next(Timestamp::millis(33 * i)), false));
    ASSERT_TRUE(enc->poll(coded));
    EXPECT_EQ(coded.keyFrame, i % 3 == 0);
    ASSERT_EQ(dec->decode(view(coded), shown), DecodeStatus::Ok);
    EXPECT_EQ(shown.width(), i < 3 ? 160 : i < 6 ? 98 : 320);
  }
}

TEST_P(Vpx, OutputFollowsTheRate) {
  auto settings = small();
  settings.dropFrames = true;
  auto enc = encoder(settings);
  TestPattern pattern(160, 120);
  size_t bytes[2] = {};
  EncodedVideoFrame coded;
  for (int i = 0; i < 60; ++i) {
    enc->setRates(DataRate::kbps(i < 30 ? 40 : 200), 30);
    ASSERT_TRUE(enc->encode(pattern.next(Timestamp::micros(33'333 * i)), false));
    if (i % 30 >= 10 && enc->poll(coded)) bytes[i / 30] += coded.data.size();
    while (enc->poll(coded)) {
    }
  }
  EXPECT_GT(bytes[1] * 2, bytes[0] * 3);
}

TEST_P(Vpx, UpperTemporalLayersMayBeDropped) {
  for (const int layers : {2, 3}) {
    auto settings = small();
    settings.temporalLayers = layers;
    auto enc = encoder(settings);
    auto dec = decoder();
    TestPattern pattern(160, 120);
    EncodedVideoFrame coded;
    VideoFrame shown;
    int base = 0;
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(enc->encode(pattern.next(Timestamp::millis(33 * i)), false));
      ASSERT_TRUE(enc->poll(coded));
      EXPECT_EQ(coded.temporalLayers, layers);
      EXPECT_LT(coded.temporalId, layers);
      if (coded.temporalId > 0) continue;
      ++base;
      ASSERT_EQ(dec->decode(view(coded), shown), DecodeStatus::Ok);
      EXPECT_EQ(TestPattern::readFrameNumber(*shown.buffer), static_cast<uint32_t>(i));
    }
    EXPECT_EQ(base, layers == 2 ? 6 : 3);
  }
}

TEST_P(Vpx, ADecoderWithoutAKeyFrameAsksForOne) {
  auto enc = encoder(small());
  auto dec = decoder();
  TestPattern pattern(160, 120);
  EncodedVideoFrame coded;
  VideoFrame shown;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(enc->encode(pattern.next(Timestamp::millis(33 * i)), false));
    ASSERT_TRUE(enc->poll(coded));
    if (i == 0) continue;
    EXPECT_EQ(dec->decode(view(coded), shown), DecodeStatus::NeedKeyFrame);
  }
}

TEST_P(Vpx, PicturesBeyondTheLimitAreRefusedUnread) {
  auto settings = small();
  settings.width = 200;
  auto enc = encoder(settings);
  VideoDecoderSettings limits;
  limits.maxWidth = 160;
  limits.maxHeight = 120;
  auto dec = decoder(limits);
  EncodedVideoFrame coded;
  VideoFrame shown;
  TestPattern large(200, 120);
  ASSERT_TRUE(enc->encode(large.next({}), false));
  ASSERT_TRUE(enc->poll(coded));
  EXPECT_EQ(dec->decode(view(coded), shown), DecodeStatus::Error);
  TestPattern turned(120, 160);
  ASSERT_TRUE(enc->encode(turned.next(Timestamp::millis(33)), false));
  ASSERT_TRUE(enc->poll(coded));
  EXPECT_EQ(dec->decode(view(coded), shown), DecodeStatus::Ok);
}

TEST_P(Vpx, DamagedFramesDoNoHarm) {
  auto enc = encoder(small());
  VideoDecoderSettings limits;
  limits.maxWidth = limits.maxHeight = 512;
  auto dec = decoder(limits);
  TestPattern pattern(160, 120);
  SeededRandom random(7);
  EncodedVideoFrame coded;
  VideoFrame shown;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(enc->encode(pattern.next(Timestamp::millis(33 * i)), i % 10 == 0));
    ASSERT_TRUE(enc->poll(coded));
    if (i % 3 == 1)
      coded.data[random.below(coded.data.size())] ^= static_cast<uint8_t>(1 + random.below(255));
    if (i % 3 == 2) coded.data.resize(random.below(coded.data.size()));
    dec->decode(view(coded), shown);
  }
  dec->reset();
  ASSERT_TRUE(enc->encode(pattern.next(Timestamp::seconds(3)), true));
  ASSERT_TRUE(enc->poll(coded));
  EXPECT_EQ(dec->decode(view(coded), shown), DecodeStatus::Ok);
}

TEST_P(Vpx, FrameHeadersAreReadWithoutTheDecoder) {
  auto enc = encoder(small());
  TestPattern pattern(160, 120);
  EncodedVideoFrame coded;
  const bool vp8 = std::string_view(GetParam()) == "VP8";
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(enc->encode(pattern.next(Timestamp::millis(33 * i)), false));
    ASSERT_TRUE(enc->poll(coded));
    const auto header =
        vp8 ? rtp::parseVp8FrameHeader(coded.data) : rtp::parseVp9FrameHeader(coded.data);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->keyFrame, i == 0);
    if (i == 0) {
      EXPECT_EQ(header->width, 160);
      EXPECT_EQ(header->height, 120);
    } else {
      EXPECT_FALSE(header->width);
    }
  }
}

TEST_P(Vpx, ImpossibleSettingsAreRefused) {
  VideoEncoderSettings settings = small();
  settings.width = 0;
  EXPECT_EQ(builtinVideoEncoders()->create(format(), settings).error().code, ErrorCode::Range);
  settings = small();
  settings.temporalLayers = 4;
  EXPECT_EQ(builtinVideoEncoders()->create(format(), settings).error().code, ErrorCode::Range);
  auto enc = encoder(small());
  EXPECT_EQ(enc->encode({}, false).error().code, ErrorCode::Type);
}

INSTANTIATE_TEST_SUITE_P(Codecs, Vpx, testing::Values("VP8", "VP9"),
                         [](const auto& p) { return std::string(p.param); });

TEST(VpxFormats, OtherProfilesAreNotOurs) {
  EXPECT_FALSE(builtinVideoDecoders()->create({"VP9", {{"profile-id", "2"}}, {}}, {}));
  EXPECT_FALSE(builtinVideoDecoders()->create({"H264", {}, {}}, {}));
}

}  // namespace
}  // namespace parley::codec
