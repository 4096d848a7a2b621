#include "parley/codec/generators.h"

#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/resampler.h"

namespace parley::codec {
namespace {

TEST(TestPattern, FrameNumbersSurviveScaling) {
  TestPattern pattern(320, 240);
  for (uint32_t i = 0; i < 40; ++i) {
    const auto frame = pattern.next({});
    EXPECT_EQ(TestPattern::readFrameNumber(*frame.buffer), i);
    EXPECT_EQ(TestPattern::readFrameNumber(*scale(*frame.buffer, 160, 120)), i);
    EXPECT_EQ(TestPattern::readFrameNumber(*scale(*frame.buffer, 430, 300)), i);
  }
}

TEST(TestPattern, OtherPicturesHaveNoNumber) {
  auto grey = I420Buffer::create(64, 64);
  grey->fill(128, 128, 128);
  EXPECT_FALSE(TestPattern::readFrameNumber(*grey));
  grey->fill(0, 128, 128);
  EXPECT_FALSE(TestPattern::readFrameNumber(*grey));
  EXPECT_FALSE(TestPattern::readFrameNumber(*I420Buffer::create(1, 1)));
}

TEST(TestPattern, EverySizeWorks) {
  for (const auto& [w, h] : {std::pair{1, 1}, {2, 3}, {17, 5}, {5, 17}, {33, 31}}) {
    TestPattern pattern(w, h);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(pattern.next({}).width(), w);
  }
}

TEST(I420, PsnrTellsEqualFromDifferent) {
  TestPattern pattern(64, 48);
  const auto a = pattern.next({});
  const auto b = pattern.next({});
  EXPECT_EQ(psnr(*a.buffer, *a.buffer), 100);
  EXPECT_LT(psnr(*a.buffer, *b.buffer), 30);
  EXPECT_EQ(psnr(*a.buffer, *I420Buffer::create(2, 2)), 0);
}

TEST(I420, PoolReusesReleasedPictures) {
  I420BufferPool pool(2);
  auto a = pool.acquire(16, 16);
  auto b = pool.acquire(16, 16);
  EXPECT_EQ(pool.acquire(16, 16), nullptr);
  const auto* address = a.get();
  a.reset();
  EXPECT_EQ(pool.acquire(16, 16).get(), address);
  EXPECT_EQ(pool.acquire(8, 8)->width(), 8);
}

TEST(Tone, HasItsPowerAtItsFrequency) {
  ToneSource tone(440);
  std::vector<int16_t> samples;
  for (int i = 0; i < 20; ++i) {
    const auto frame = tone.next({});
    samples.insert(samples.end(), frame.samples().begin(), frame.samples().end());
  }
  EXPECT_GT(tonePower(samples, 440), 0.99);
  EXPECT_LT(tonePower(samples, 1000), 0.01);
  // A sine of half amplitude: -6 dB and another -3 dB for RMS.
  EXPECT_EQ(audioLevel(samples), 9);
}

TEST(SpeechNoise, SpeaksAndPauses) {
  SpeechNoiseSource speech(3);
  int loud = 0;
  int silent = 0;
  for (int i = 0; i < 300; ++i) {
    const auto level = audioLevel(speech.next({}).samples());
    if (level < 50) ++loud;
    if (level == 127) ++silent;
  }
  EXPECT_GT(loud, 120);
  EXPECT_GE(silent, 85);
}

TEST(Resampler, KeepsATone) {
  for (const auto& [from, to] :
       {std::pair{48'000, 8000}, {8000, 48'000}, {48'000, 16'000}, {24'000, 48'000}}) {
    Resampler resampler(from, to);
    ToneSource tone(1000, 0.5, from);
    std::vector<int16_t> heard;
    for (int i = 0; i < 20; ++i) {
      int16_t out[480];
      const size_t made = resampler.process(tone.next({}).samples(), out);
      EXPECT_EQ(made, static_cast<size_t>(to / 100));
      heard.insert(heard.end(), out, out + made);
    }
    const auto settled = std::span(heard).subspan(static_cast<size_t>(to / 100));
    EXPECT_GT(tonePower(settled, 1000, to), 0.99) << from << " to " << to;
    EXPECT_NEAR(audioLevel(settled), 9, 1);
  }
}

TEST(Resampler, RemovesWhatTheLowerRateCannotCarry) {
  Resampler resampler(48'000, 8000);
  ToneSource tone(6000);
  std::vector<int16_t> heard;
  for (int i = 0; i < 20; ++i) {
    int16_t out[480];
    const size_t made = resampler.process(tone.next({}).samples(), out);
    heard.insert(heard.end(), out, out + made);
  }
  EXPECT_GT(audioLevel(std::span(heard).subspan(80)), 50);
}

}  // namespace
}  // namespace parley::codec
