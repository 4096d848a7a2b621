#include "parley/devices/recorder.h"

#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/factories.h"
#include "parley/codec/generators.h"
#include "parley/devices/file_source.h"

#include "unit/devices/media_files.h"

namespace parley::devices {
namespace {

using test::TempFile;

/// A sender without a network: a test pattern compressed, and a tone.
class Studio {
 public:
  explicit Studio(const char* codecName = "VP8", int width = 320, int height = 240)
      : pattern_(width, height) {
    const auto factory = codec::builtinVideoEncoders();
    codec::VideoEncoderSettings settings;
    settings.width = width;
    settings.height = height;
    settings.startBitrate = DataRate::kbps(1500);
    settings.maxBitrate = DataRate::kbps(3000);
    settings.dropFrames = false;
    encoder_ = factory->create({codecName, {}, {}}, settings).value();
  }

  codec::EncodedVideoFrame picture(Timestamp at, bool keyFrame = false) {
    const codec::VideoFrame raw = pattern_.next(at);
    pictures.push_back(raw.buffer);
    EXPECT_TRUE(encoder_->encode(raw, keyFrame));
    codec::EncodedVideoFrame out;
    EXPECT_TRUE(encoder_->poll(out));
    out.rtpTimestamp = codec::videoRtpTimestamp(at) + 0xffff'0000u;  // wraps soon
    out.capture = at;
    return out;
  }
  codec::AudioFrame sound(Timestamp at) { return tone_.next(at); }
  void resize(int width, int height) { pattern_.resize(width, height); }

  std::vector<std::shared_ptr<const codec::I420Buffer>> pictures;

 private:
  codec::TestPattern pattern_;
  codec::ToneSource tone_{440};
  std::unique_ptr<codec::VideoEncoder> encoder_;
};

RecorderOptions inlineOptions() {
  RecorderOptions options;
  options.writeInline = true;
  return options;
}

/// `seconds` of pictures at 25 and sound at 100 per second, as a receiver hears and sees them.
void record(Recorder& recorder, Studio& studio, size_t video, size_t audio, double seconds,
            Timestamp begin = Timestamp::seconds(1000)) {
  const int ticks = static_cast<int>(seconds * 100);
  for (int i = 0; i < ticks; ++i) {
    const Timestamp at = begin + Duration::millis(10) * i;
    if (i % 4 == 0) recorder.push(video, studio.picture(at, i == 0));
    recorder.push(audio, studio.sound(at));
  }
}

struct Played {
  std::vector<codec::VideoFrame> pictures;
  std::vector<double> pictureTimes;
  std::vector<int16_t> sound;
};

/// Everything in a file, as a player would show it, looked at every 10 ms.
Played play(const std::string& path, double seconds) {
  MediaFileOptions options;
  options.loop = false;
  options.waitForDecoder = true;
  const MediaFile file = openMediaFile(path, options).value();
  Played out;
  const Timestamp begin = Timestamp::seconds(1);
  for (int i = 0; i < static_cast<int>(seconds * 100); ++i) {
    const Duration at = Duration::millis(10) * i;
    codec::VideoFrame frame = file.video ? file.video->next(begin + at) : codec::VideoFrame{};
    if (frame.buffer) {
      out.pictures.push_back(frame);
      out.pictureTimes.push_back(at.seconds());
    }
    if (!file.audio) continue;
    const codec::AudioFrame piece = file.audio->next(begin + at);
    for (size_t s = 0; s < piece.samplesPerChannel(); ++s)
      out.sound.push_back(piece.data[s * piece.channels]);
  }
  return out;
}

TEST(Recorder, WhatWasRecordedPlaysAsItWas) {
  for (const char* codecName : {"VP8", "VP9"}) {
    const TempFile file("call.webm");
    Studio studio(codecName);
    {
      auto recorder = Recorder::create(file.path(), inlineOptions()).value();
      const size_t video = recorder->addVideo().value();
      const size_t audio = recorder->addAudio().value();
      record(*recorder, studio, video, audio, 3);
      ASSERT_TRUE(recorder->finish());
      EXPECT_EQ(recorder->stats().videoFrames, 75u);
      EXPECT_EQ(recorder->stats().audioFrames, 300u);
      EXPECT_EQ(recorder->stats().droppedVideoFrames, 0u);
      EXPECT_EQ(recorder->stats().bytesWritten, std::filesystem::file_size(file.path()));
    }
    const MediaFile opened = openMediaFile(file.path()).value();
    EXPECT_EQ(opened.width, 320);
    EXPECT_NEAR(opened.duration.seconds(), 3.0, 0.08) << codecName;
    const Played played = play(file.path(), 3.2);
    ASSERT_EQ(played.pictures.size(), 75u) << codecName;
    for (size_t i = 0; i < played.pictures.size(); ++i) {
      EXPECT_GT(codec::psnr(*played.pictures[i].buffer, *studio.pictures[i]), 28) << i;
      EXPECT_NEAR(played.pictureTimes[i], 0.04 * static_cast<double>(i), 0.021) << i;
    }
    const std::span<const int16_t> middle(played.sound.data() + 48'000, 48'000);
    EXPECT_GT(codec::tonePower(middle, 440), 0.9) << codecName;
  }
}

TEST(Recorder, AThreadOfItsOwnWritesTheSame) {
  const TempFile file("call.mkv");
  Studio studio;
  auto recorder = Recorder::create(file.path()).value();
  const size_t video = recorder->addVideo().value();
  const size_t audio = recorder->addAudio().value();
  record(*recorder, studio, video, audio, 2);
  ASSERT_TRUE(recorder->finish());
  EXPECT_TRUE(recorder->finish()) << "answers the same again";
  EXPECT_EQ(recorder->stats().videoFrames + recorder->stats().droppedVideoFrames, 50u);
  EXPECT_EQ(play(file.path(), 2.2).pictures.size(), recorder->stats().videoFrames);
}

TEST(Recorder, BeginsAtAKeyFrame) {
  const TempFile file("late.webm");
  Studio studio;
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t video = recorder->addVideo().value();
  Timestamp at = Timestamp::seconds(5);
  (void)studio.picture(at);  // the key frame that it did not get
  for (int i = 0; i < 10; ++i) recorder->push(video, studio.picture(at += Duration::millis(40)));
  for (int i = 0; i < 20; ++i)
    recorder->push(video, studio.picture(at += Duration::millis(40), i == 0));
  ASSERT_TRUE(recorder->finish());
  EXPECT_EQ(recorder->stats().droppedVideoFrames, 10u);
  EXPECT_EQ(recorder->stats().videoFrames, 20u);
  const Played played = play(file.path(), 1.5);
  ASSERT_EQ(played.pictures.size(), 20u);
  EXPECT_GT(codec::psnr(*played.pictures[0].buffer, *studio.pictures[11]), 28);
}

TEST(Recorder, FollowsAChangeOfResolution) {
  const TempFile file("resize.webm");
  Studio studio;
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t video = recorder->addVideo().value();
  Timestamp at = Timestamp::seconds(5);
  for (int i = 0; i < 50; ++i) {
    if (i == 25) studio.resize(160, 120);
    recorder->push(video, studio.picture(at += Duration::millis(40)));
  }
  ASSERT_TRUE(recorder->finish());
  const Played played = play(file.path(), 2.2);
  ASSERT_EQ(played.pictures.size(), 50u);
  EXPECT_EQ(played.pictures[24].width(), 320);
  EXPECT_EQ(played.pictures[25].width(), 160);
  EXPECT_GT(codec::psnr(*played.pictures[40].buffer, *studio.pictures[40]), 28);
}

TEST(Recorder, AHoleInTheSoundIsFilledAndLaterSoundIsInItsPlace) {
  const TempFile file("hole.webm");
  Studio studio;
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t audio = recorder->addAudio().value();
  const Timestamp begin = Timestamp::seconds(50);
  for (int i = 0; i < 300; ++i) {
    if (i >= 100 && i < 200) continue;
    recorder->push(audio, studio.sound(begin + Duration::millis(10) * i));
  }
  ASSERT_TRUE(recorder->finish());
  EXPECT_NEAR(recorder->stats().silenceInserted.seconds(), 1.0, 0.02);
  const Played played = play(file.path(), 3);
  auto power = [&](double from) {
    double sum = 0;
    const size_t at = static_cast<size_t>(from * 48'000);
    for (size_t i = at; i < at + 9'600; ++i)
      sum += static_cast<double>(played.sound[i]) * played.sound[i];
    return sum / 9'600;
  };
  EXPECT_GT(power(0.5), 1e6);
  EXPECT_LT(power(1.4), 1e3);
  EXPECT_GT(power(2.3), 1e6);
}

TEST(Recorder, PictureAndSoundStayTogether) {
  // Both are marked at the same moments: the pattern's number, and the end of silence.
  const TempFile file("sync.webm");
  Studio studio;
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t video = recorder->addVideo().value();
  const size_t audio = recorder->addAudio().value();
  const Timestamp begin = Timestamp::seconds(7);
  for (int i = 0; i < 300; ++i) {
    const Timestamp at = begin + Duration::millis(10) * i;
    // The playout times of pictures waver by 15 ms, as a jitter buffer lets them.
    if (i % 4 == 0) {
      codec::EncodedVideoFrame frame = studio.picture(at, i == 0);
      frame.capture = at + Duration::millis(i % 8 == 0 ? 15 : 0);
      recorder->push(video, frame);
    }
    codec::AudioFrame sound = studio.sound(at);
    if (i < 200) sound.data.fill(0);
    recorder->push(audio, sound);
  }
  ASSERT_TRUE(recorder->finish());
  const Played played = play(file.path(), 3.1);
  size_t onset = 0;
  while (onset < played.sound.size() && std::abs(played.sound[onset]) < 4000) ++onset;
  const double heard = static_cast<double>(onset) / 48'000;
  std::optional<double> seen;
  for (size_t i = 0; i < played.pictures.size() && !seen; ++i) {
    if (codec::TestPattern::readFrameNumber(*played.pictures[i].buffer) == 50u)
      seen = played.pictureTimes[i];
  }
  ASSERT_TRUE(seen);
  EXPECT_NEAR(heard, *seen, 0.04);
}

TEST(Recorder, AKilledProcessLeavesAPlayableFile) {
  const TempFile file("live.webm");
  const TempFile copy("copy.webm");
  Studio studio;
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t video = recorder->addVideo().value();
  const size_t audio = recorder->addAudio().value();
  record(*recorder, studio, video, audio, 6);
  std::filesystem::copy_file(file.path(), copy.path());  // as it would be found
  const Played played = play(copy.path(), 6);
  EXPECT_GT(played.pictures.size(), 25u * 4);
  EXPECT_LT(played.pictures.size(), 25u * 6);
}

TEST(Recorder, SoundAloneDoesNotWaitForPicturesForever) {
  const TempFile file("mute.webm");
  Studio studio;
  RecorderOptions options = inlineOptions();
  options.videoWait = Duration::seconds(1);
  auto recorder = Recorder::create(file.path(), options).value();
  const size_t video = recorder->addVideo().value();
  const size_t audio = recorder->addAudio().value();
  const Timestamp begin = Timestamp::seconds(7);
  for (int i = 0; i < 400; ++i)
    recorder->push(audio, studio.sound(begin + Duration::millis(10) * i));
  EXPECT_GT(recorder->stats().bytesWritten, 0u);
  // The camera is switched on late: its pictures still find their place.
  for (int i = 0; i < 25; ++i) {
    recorder->push(video, studio.picture(begin + Duration::millis(4000 + 40 * i), i == 0));
    for (int k = 0; k < 4; ++k)
      recorder->push(audio, studio.sound(begin + Duration::millis(4000 + 40 * i + 10 * k)));
  }
  ASSERT_TRUE(recorder->finish());
  const Played played = play(file.path(), 5.2);
  ASSERT_EQ(played.pictures.size(), 25u);
  EXPECT_NEAR(played.pictureTimes.front(), 4.0, 0.05);
}

TEST(Recorder, PicturesOfAnotherCodecAreLeftOut) {
  const TempFile file("mixed.webm");
  Studio vp8("VP8");
  Studio vp9("VP9");
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t video = recorder->addVideo().value();
  Timestamp at = Timestamp::seconds(5);
  auto push = [&](Studio& studio, int count) {
    for (int i = 0; i < count; ++i)
      recorder->push(video, studio.picture(at += Duration::millis(40), i == 0));
  };
  push(vp8, 10);
  push(vp9, 10);
  push(vp8, 10);
  ASSERT_TRUE(recorder->finish());
  EXPECT_EQ(recorder->stats().videoFrames, 20u);
  EXPECT_EQ(recorder->stats().droppedVideoFrames, 10u);
  EXPECT_EQ(play(file.path(), 2).pictures.size(), 20u);
}

TEST(Recorder, RefusesWhatCannotBe) {
  const TempFile file("x.webm");
  EXPECT_EQ(Recorder::create("/tmp/call.avi").error().code, ErrorCode::Type);
  EXPECT_EQ(Recorder::create("/nonexistent/call.webm").error().code, ErrorCode::NotFound);
  RecorderOptions h264;
  h264.videoCodec = "H264";
  EXPECT_EQ(Recorder::create(file.path(), h264).error().code, ErrorCode::Type);
  auto recorder = Recorder::create(file.path(), inlineOptions()).value();
  const size_t audio = recorder->addAudio().value();
  recorder->push(audio, codec::EncodedVideoFrame{});  // the wrong kind is ignored
  recorder->push(77, codec::AudioFrame{});
  EXPECT_EQ(recorder->finish().error().code, ErrorCode::Operation) << "nothing came";
  EXPECT_EQ(recorder->addVideo().error().code, ErrorCode::InvalidState);
}

TEST(Recorder, AFullDiskIsReported) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
  const TempFile link("full.webm");
  std::filesystem::create_symlink("/dev/full", link.path());
  Studio studio;
  auto recorder = Recorder::create(link.path(), inlineOptions()).value();
  const size_t video = recorder->addVideo().value();
  const size_t audio = recorder->addAudio().value();
  record(*recorder, studio, video, audio, 2);
  EXPECT_EQ(recorder->finish().error().code, ErrorCode::Operation);
}

}  // namespace
}  // namespace parley::devices
