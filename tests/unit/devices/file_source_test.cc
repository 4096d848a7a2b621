#include "parley/devices/file_source.h"

#include <cmath>
#include <fstream>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "unit/devices/media_files.h"

namespace parley::devices {
namespace {

using test::clipPath;
using test::TempFile;

MediaFileOptions waiting(bool loop) {
  MediaFileOptions options;
  options.loop = loop;
  options.waitForDecoder = true;
  return options;
}

double meanLuma(const codec::I420Buffer& picture) {
  double sum = 0;
  const int count = picture.width() * picture.height();
  for (int i = 0; i < count; ++i) sum += picture.dataY()[i];
  return sum / count;
}

double energy(const codec::AudioFrame& frame) {
  double sum = 0;
  for (int16_t sample : frame.samples()) sum += static_cast<double>(sample) * sample;
  return sum / static_cast<double>(frame.samples().size());
}

TEST(FileSource, TellsSizeRateAndDuration) {
  const MediaFile file = openMediaFile(clipPath()).value();
  EXPECT_EQ(file.width, 640);
  EXPECT_EQ(file.height, 480);
  EXPECT_NEAR(file.fps, 30, 0.01);
  EXPECT_NEAR(file.duration.seconds(), 6.17, 0.05);
  EXPECT_NE(file.video, nullptr);
  EXPECT_NE(file.audio, nullptr);
}

TEST(FileSource, EveryPictureComesOnceAndThenNoMore) {
  const MediaFile file = openMediaFile(clipPath(), waiting(false)).value();
  Timestamp now = Timestamp::seconds(100);
  int pictures = 0;
  for (int i = 0; i < 200; ++i, now += file.video->interval()) {
    const codec::VideoFrame frame = file.video->next(now);
    EXPECT_EQ(frame.capture, now);
    if (!frame.buffer) continue;
    ++pictures;
    EXPECT_EQ(frame.width(), 640);
    EXPECT_EQ(frame.height(), 480);
  }
  EXPECT_EQ(pictures, 185);
}

TEST(FileSource, ThePictureIsThatOfTheFile) {
  const MediaFile file = openMediaFile(clipPath(), waiting(false)).value();
  const codec::VideoFrame first = file.video->next(Timestamp::seconds(1));
  ASSERT_TRUE(first.buffer);
  EXPECT_GT(meanLuma(*first.buffer), 40);
  EXPECT_LT(meanLuma(*first.buffer), 140);
  // A black and white film: colour planes are nearly neutral.
  EXPECT_NEAR(first.buffer->dataU()[1000], 128, 4);
}

TEST(FileSource, RepetitionsShowTheSamePicturesInTheSameRhythm) {
  const MediaFile file = openMediaFile(clipPath(), waiting(true)).value();
  Timestamp now = Timestamp::seconds(5);
  std::shared_ptr<const codec::I420Buffer> tenth;
  int missing = 0;
  for (int i = 0; i < 185 * 2 + 20; ++i, now += file.video->interval()) {
    const codec::VideoFrame frame = file.video->next(now);
    if (!frame.buffer) {
      ++missing;
    } else if (i == 10) {
      tenth = frame.buffer;
    } else if (i == 185 + 10 || i == 185 * 2 + 10) {
      EXPECT_EQ(codec::psnr(*frame.buffer, *tenth), 100) << i;
    }
  }
  EXPECT_LE(missing, 2);
}

TEST(FileSource, SoundLastsAsLongAsTheClipAndIsSilentAfterwards) {
  const MediaFile file = openMediaFile(clipPath(), waiting(false)).value();
  Timestamp now = Timestamp::seconds(1);
  int loud = 0;
  int last = 0;
  for (int i = 0; i < 700; ++i, now += Duration::millis(10)) {
    const codec::AudioFrame frame = file.audio->next(now);
    ASSERT_TRUE(frame.valid());
    EXPECT_EQ(frame.sampleRate, 48'000);
    EXPECT_EQ(frame.capture, now);
    if (energy(frame) > 100) {
      ++loud;
      last = i;
    }
  }
  EXPECT_GT(loud, 300);
  EXPECT_LT(last, 620);
}

TEST(FileSource, ASourceThatIsNotUsedDoesNotStopTheOther) {
  const MediaFile both = openMediaFile(clipPath(), waiting(true)).value();
  Timestamp now = Timestamp::seconds(1);
  int pictures = 0;
  for (int i = 0; i < 300; ++i, now += both.video->interval())
    pictures += both.video->next(now).buffer != nullptr;
  EXPECT_GE(pictures, 298);
  const MediaFile again = openMediaFile(clipPath(), waiting(true)).value();
  int sounds = 0;
  for (int i = 0; i < 1500; ++i, now += Duration::millis(10))
    sounds += energy(again.audio->next(now)) > 0;
  EXPECT_GT(sounds, 1300);
}

TEST(FileSource, AfterAStallPictureAndSoundAreAtTheSamePlaceAgain) {
  const MediaFile file = openMediaFile(clipPath(), waiting(true)).value();
  const MediaFile reference = openMediaFile(clipPath(), waiting(true)).value();
  const Timestamp start = Timestamp::seconds(1);
  (void)file.video->next(start);
  (void)file.audio->next(start);
  // The reference goes on steadily to second 3; the stalled one jumps there.
  codec::VideoFrame expected;
  const Duration step = reference.video->interval();
  for (int i = 0; i <= 90; ++i) expected = reference.video->next(start + step * i);
  const codec::VideoFrame jumped = file.video->next(start + step * 90);
  ASSERT_TRUE(jumped.buffer && expected.buffer);
  EXPECT_EQ(codec::psnr(*jumped.buffer, *expected.buffer), 100);
}

TEST(FileSource, WithoutWaitingAnEmptyFrameComesInsteadOfADelay) {
  const MediaFile file = openMediaFile(clipPath()).value();
  // Far more than is decoded ahead, all at once.
  int given = 0;
  Timestamp now = Timestamp::seconds(1);
  for (int i = 0; i < 2000; ++i, now += file.video->interval())
    given += file.video->next(now).buffer != nullptr;
  EXPECT_LT(given, 2000);
}

TEST(FileSource, CanBeLetGoAtAnyTime) {
  for (int taken : {0, 1, 40}) {
    MediaFile file = openMediaFile(clipPath(), waiting(true)).value();
    for (int i = 0; i < taken; ++i) (void)file.video->next(Timestamp::millis(33 * i));
    file.video.reset();
    file.audio.reset();
  }
}

TEST(FileSource, AMissingFileIsNotFound) {
  const auto opened = openMediaFile("/nonexistent/clip.webm");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::NotFound);
  EXPECT_NE(opened.error().message.find("/nonexistent/clip.webm"), std::string::npos);
}

TEST(FileSource, WhatIsNoMediaIsNotSupported) {
  const TempFile text("notes.txt");
  std::ofstream(text.path()) << "These are not the pictures that you are looking for.";
  const auto opened = openMediaFile(text.path());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::NotSupported) << opened.error().message;
}

TEST(FileSource, ATruncatedFileGivesWhatItHas) {
  const TempFile cut("cut.webm");
  std::ifstream in(clipPath(), std::ios::binary);
  std::vector<char> bytes(150'000);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::ofstream(cut.path(), std::ios::binary).write(bytes.data(), in.gcount());
  const MediaFile file = openMediaFile(cut.path(), waiting(false)).value();
  int pictures = 0;
  Timestamp now = Timestamp::seconds(1);
  for (int i = 0; i < 200; ++i, now += file.video->interval())
    pictures += file.video->next(now).buffer != nullptr;
  EXPECT_GT(pictures, 20);
  EXPECT_LT(pictures, 150);
}

}  // namespace
}  // namespace parley::devices
