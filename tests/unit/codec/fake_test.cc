#include "parley/codec/fake.h"

#include <gtest/gtest.h>

#include "parley/codec/generators.h"

namespace parley::codec {
namespace {

VideoEncoderSettings settings() {
  VideoEncoderSettings s;
  s.width = 32;
  s.height = 32;
  return s;
}

EncodedVideoView view(const EncodedVideoFrame& f) {
  return {f.data, f.keyFrame, f.rtpTimestamp, f.capture, f.rotation};
}

class Fake : public testing::Test {
 protected:
  std::unique_ptr<VideoEncoder> encoder_ =
      fakeVideoEncoders()->create({"VP8", {}, {}}, settings()).value();
  std::unique_ptr<VideoDecoder> decoder_ = fakeVideoDecoders()->create({"VP8", {}, {}}, {}).value();
  TestPattern pattern_{32, 32};
  EncodedVideoFrame coded_;
  VideoFrame shown_;

  EncodedVideoFrame& next(bool key = false) {
    EXPECT_TRUE(encoder_->encode(pattern_.next({}), key));
    EXPECT_TRUE(encoder_->poll(coded_));
    return coded_;
  }
};

TEST_F(Fake, SizesAddUpToTheRate) {
  encoder_->setRates(DataRate::kbps(800), 25);
  size_t bytes = 0;
  for (int i = 0; i < 250; ++i) bytes += next(i % 50 == 0).data.size();
  // 10 s at 100 kB/s.
  EXPECT_NEAR(static_cast<double>(bytes), 1e6, 2e4);
}

TEST_F(Fake, ADecoderVerifiesEveryFrame) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(decoder_->decode(view(next()), shown_), DecodeStatus::Ok);
  next().data[500] ^= 1;
  EXPECT_EQ(decoder_->decode(view(coded_), shown_), DecodeStatus::Error);
  EXPECT_EQ(decoder_->decode(view(next()), shown_), DecodeStatus::NeedKeyFrame);
  EXPECT_EQ(decoder_->decode(view(next(true)), shown_), DecodeStatus::Ok);
}

TEST_F(Fake, AMissingFrameBreaksTheChain) {
  EXPECT_EQ(decoder_->decode(view(next()), shown_), DecodeStatus::Ok);
  next();
  EXPECT_EQ(decoder_->decode(view(next()), shown_), DecodeStatus::NeedKeyFrame);
}

TEST_F(Fake, UnpolledFramesAreBounded) {
  int accepted = 0;
  while (encoder_->encode(pattern_.next({}), false)) ASSERT_LT(++accepted, 100);
  EXPECT_TRUE(encoder_->poll(coded_));
  EXPECT_TRUE(coded_.keyFrame);
  EXPECT_TRUE(encoder_->encode(pattern_.next({}), false));
}

}  // namespace
}  // namespace parley::codec
