#include "parley/codec/corruption_samples.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/codec/factories.h"
#include "parley/codec/generators.h"

namespace parley::codec {
namespace {

TEST(CorruptionSamplePoint, FollowsTheHaltonSequence) {
  // Bases 2 and 3: 1/2, 1/4, 3/4, 1/8 of the height; 1/3, 2/3, 1/9, 4/9 of one and a half widths.
  const int width = 96, height = 64;
  const auto at = [&](uint32_t i) { return corruptionSamplePoint(i, width, height); };
  EXPECT_EQ(at(0).plane, 0);
  EXPECT_EQ(at(0).row, 0);
  EXPECT_EQ(at(0).column, 0);
  EXPECT_EQ(at(1).plane, 0);
  EXPECT_EQ(at(1).row, 32);
  EXPECT_EQ(at(1).column, 48);
  EXPECT_EQ(at(2).plane, 1) << "2/3 of 144 is the first column of the chroma planes";
  EXPECT_EQ(at(2).row, 16);
  EXPECT_EQ(at(2).column, 0);
  EXPECT_EQ(at(3).row, 48);
  EXPECT_EQ(at(3).column, 16);
  EXPECT_EQ(at(5).plane, 2) << "7/9 of the columns, 5/8 of the rows";
  EXPECT_EQ(at(5).row, 8);
  EXPECT_NEAR(at(5).column, 16, 1) << "on the border, as far as doubles tell";
  for (uint32_t i = 0; i < 1 << 14; ++i) {
    const SamplePoint point = corruptionSamplePoint(i, 97, 63);
    EXPECT_LT(point.row, point.plane == 0 ? 63 : 32);
    EXPECT_LT(point.column, point.plane == 0 ? 97 : 49);
  }
}

TEST(BlurredSample, IsAMeanByDistance) {
  const auto picture = I420Buffer::create(16, 16);
  picture->fill(100, 50, 60);
  EXPECT_DOUBLE_EQ(blurredSample(*picture, {0, 0, 0}, 0), 100);
  EXPECT_NEAR(blurredSample(*picture, {0, 15, 3}, 3.5), 100, 1e-9) << "at the edge as well";
  EXPECT_NEAR(blurredSample(*picture, {2, 4, 4}, 2), 60, 1e-9);
  picture->mutableY()[8 * 16 + 8] = 200;
  EXPECT_DOUBLE_EQ(blurredSample(*picture, {0, 8, 8}, 0), 200);
  // With deviation 1 weights fall below the bound at 1.8 samples, but three each way count.
  double all = 0;
  for (int y = -3; y <= 3; ++y)
    for (int x = -3; x <= 3; ++x) all += std::exp(-0.5 * (x * x + y * y));
  EXPECT_NEAR(blurredSample(*picture, {0, 8, 8}, 1), 100 + 100 / all, 1e-9);
  EXPECT_NEAR(blurredSample(*picture, {0, 8, 9}, 1), 100 + 100 * std::exp(-0.5) / all, 1e-9);
  EXPECT_NEAR(blurredSample(*picture, {0, 11, 5}, 1), 100 + 100 * std::exp(-9.0) / all, 1e-9);
  EXPECT_DOUBLE_EQ(blurredSample(*picture, {0, 12, 8}, 1), 100) << "beyond its reach";
}

/// Pictures with edges, movement and grain: what cameras give.
class Scene {
 public:
  VideoFrame next() {
    const Timestamp now = Timestamp::millis(1000 + 33 * count_);
    VideoFrame frame = pattern_.next(now);
    const auto grain = I420Buffer::create(frame.width(), frame.height());
    grain->copyFrom(frame.buffer->dataY(), frame.buffer->strideY(), frame.buffer->dataU(),
                    frame.buffer->strideU(), frame.buffer->dataV(), frame.buffer->strideV());
    for (int y = 0; y < frame.height(); ++y) {
      for (int x = 0; x < frame.width(); ++x) {
        uint8_t& sample = grain->mutableY()[y * grain->strideY() + x];
        sample = static_cast<uint8_t>(
            std::clamp<int>(sample + static_cast<int>(random_.below(9)) - 4, 0, 255));
      }
    }
    frame.buffer = grain;
    ++count_;
    return frame;
  }

 private:
  TestPattern pattern_{320, 180};
  SeededRandom random_{4};
  int count_ = 0;
};

struct Measured {
  double score = 0;
  int messages = 0;
  int pictures = 0;
};

/// What the receiver makes of a stream, all pictures sampled; `damage` changes what is decoded.
template <class Damage>
Measured measure(const char* codec, int kbps, Damage damage) {
  Measured out;
  const auto encoders = builtinVideoEncoders();
  VideoEncoderSettings settings;
  settings.width = 320;
  settings.height = 180;
  settings.startBitrate = settings.maxBitrate = DataRate::kbps(kbps);
  auto encoder = encoders->create({codec, {}, {}}, settings);
  auto decoder = builtinVideoDecoders()->create({codec, {}, {}}, {});
  if (!encoder || !decoder) return out;
  Scene scene;
  CorruptionJudge judge;
  CorruptionSampler sampler;
  EncodedVideoFrame encoded;
  VideoFrame shown;
  for (int i = 0; i < 60; ++i) {
    const VideoFrame frame = scene.next();
    if (!(*encoder)->encode(frame, i == 0)) continue;
    while ((*encoder)->poll(encoded)) {
      // A second for each picture, so that none is left out.
      EncodedVideoFrame told = encoded;
      told.capture = Timestamp::seconds(i);
      const auto message = sampler.sample(*frame.buffer, told, codec);
      EncodedVideoView view;
      view.data = encoded.data;
      view.keyFrame = encoded.keyFrame;
      if ((*decoder)->decode(view, shown) != DecodeStatus::Ok || !message) continue;
      ++out.pictures;
      const auto score = judge.judge(*message, *damage(shown.buffer));
      if (!score) continue;
      ++out.messages;
      out.score += *score;
    }
  }
  out.score /= std::max(1, out.messages);
  return out;
}

TEST(CorruptionDetection, GoodPicturesAreBeyondSuspicion) {
  for (const char* codec : {"VP8", "VP9"}) {
    for (const int kbps : {60, 150, 600, 2000}) {
      const Measured m = measure(codec, kbps, [](auto picture) { return picture; });
      if (m.pictures == 0) continue;  // built without it
      EXPECT_EQ(m.messages, m.pictures);
      EXPECT_LT(m.score, 0.02) << codec << " at " << kbps;
    }
  }
}

TEST(CorruptionDetection, PicturesThatAreNotTheSentOnesShow) {
  for (const char* codec : {"VP8", "VP9"}) {
    std::shared_ptr<const I420Buffer> before;
    const Measured m = measure(codec, 300, [&](auto picture) {
      // Half of it has lost its colours and a third of its light.
      const auto out = I420Buffer::create(picture->width(), picture->height());
      out->copyFrom(picture->dataY(), picture->strideY(), picture->dataU(), picture->strideU(),
                    picture->dataV(), picture->strideV());
      for (int y = 0; y < out->height() / 2; ++y) {
        for (int x = 0; x < out->width(); ++x) {
          uint8_t& sample = out->mutableY()[y * out->strideY() + x];
          sample = static_cast<uint8_t>(sample * 2 / 3);
        }
      }
      return std::shared_ptr<const I420Buffer>(out);
    });
    if (m.pictures == 0) continue;
    EXPECT_GT(m.score, 0.9) << codec;
  }
}

TEST(CorruptionDetection, TheCountGoesOnOverFramesThatWereLeftOut) {
  Scene scene;
  CorruptionSampler sampler;
  CorruptionJudge judge;
  for (int i = 0; i < 400; ++i) {
    const VideoFrame frame = scene.next();
    EncodedVideoFrame encoded;
    encoded.keyFrame = i % 150 == 0;
    encoded.width = frame.width();
    encoded.height = frame.height();
    encoded.capture = Timestamp::seconds(i);
    encoded.qp = 20;
    const auto message = sampler.sample(*frame.buffer, encoded, "VP8");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->upperBits, encoded.keyFrame);
    EXPECT_EQ(message->samples.size(), 13u);
    // Up to eight in a row are lost: 104 samples.
    if (i % 20 < 8 && !encoded.keyFrame) continue;
    const auto score = judge.judge(*message, *frame.buffer);
    ASSERT_TRUE(score);
    EXPECT_EQ(*score, 0) << i;
  }
}

TEST(CorruptionDetection, WithoutAFirstNumberNothingIsSaid) {
  const auto picture = I420Buffer::create(64, 64);
  picture->fill(10, 20, 30);
  CorruptionJudge judge;
  rtp::CorruptionDetectionValue message;
  message.samples.push_back(10);
  EXPECT_FALSE(judge.judge(message, *picture));
  message.upperBits = true;
  EXPECT_EQ(judge.judge(message, *picture), 0.0);
  message.samples[0] = 200;
  EXPECT_EQ(judge.judge(message, *picture), 1.0);
  message.samples.clear();
  EXPECT_FALSE(judge.judge(message, *picture)) << "it only tells the number";
  judge.reset();
  message.upperBits = false;
  EXPECT_FALSE(judge.judge(message, *picture));
}

TEST(CorruptionDetection, OfOtherFramesOneASecondIsSampled) {
  const auto picture = I420Buffer::create(64, 64);
  picture->fill(10, 20, 30);
  CorruptionSampler sampler;
  int sampled = 0;
  for (int i = 0; i < 100; ++i) {
    EncodedVideoFrame frame;
    frame.keyFrame = i == 0;
    frame.temporalId = static_cast<uint8_t>(i % 2);
    frame.width = frame.height = 64;
    frame.capture = Timestamp::millis(33 * i);
    const auto message = sampler.sample(*picture, frame, "H264");
    sampled += message.has_value();
    EXPECT_FALSE(message && i % 2 != 0) << "may be left out on the way";
  }
  EXPECT_EQ(sampled, 4);
}

}  // namespace
}  // namespace parley::codec
