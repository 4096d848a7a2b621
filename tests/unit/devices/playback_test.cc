#include "parley/devices/playback.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "parley/codec/generators.h"

#include "devices/sound_mixer.h"

namespace parley::devices {
namespace {

bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 2000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// SDL without a screen and without a sound card.
class Headless : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    setenv("SDL_AUDIODRIVER", "dummy", 1);
  }
};
using WindowTest = Headless;
using SpeakerTest = Headless;

codec::VideoFrame plain(int width, int height, uint8_t y, uint8_t u, uint8_t v) {
  const auto buffer = codec::I420Buffer::create(width, height);
  buffer->fill(y, u, v);
  codec::VideoFrame frame;
  frame.buffer = buffer;
  return frame;
}

struct Rgb {
  int r, g, b;
};
Rgb pixel(const RgbPicture& picture, int x, int y) {
  const uint8_t* at = picture.data.data() + static_cast<size_t>(y * picture.width + x) * 3;
  return {at[0], at[1], at[2]};
}

TEST_F(WindowTest, ShowsAPictureInItsColoursAndProportions) {
  WindowOptions options;
  options.width = 200;
  options.height = 100;
  const auto window = Window::open(options).value();
  EXPECT_TRUE(window->snapshot().data.empty()) << "nothing shown yet";
  window->push(plain(80, 80, 81, 90, 240));  // red in ITU-R BT.601
  ASSERT_TRUE(eventually([&] { return window->stats().framesShown == 1; }));
  const RgbPicture shot = window->snapshot();
  ASSERT_EQ(shot.width, 200);
  ASSERT_EQ(shot.height, 100);
  const Rgb middle = pixel(shot, 100, 50);
  EXPECT_GT(middle.r, 230);
  EXPECT_LT(middle.g, 30);
  EXPECT_LT(middle.b, 30);
  const Rgb border = pixel(shot, 20, 50);
  EXPECT_EQ(border.r + border.g + border.b, 0);
}

TEST_F(WindowTest, TakesTheSizeOfTheFirstPictureAndTurnsIt) {
  const auto window = Window::open().value();
  codec::VideoFrame frame = plain(160, 90, 128, 128, 128);
  frame.rotation = codec::VideoRotation::Clockwise90;
  window->push(frame);
  ASSERT_TRUE(eventually([&] { return window->stats().framesShown == 1; }));
  const RgbPicture shot = window->snapshot();
  EXPECT_EQ(shot.width, 90);
  EXPECT_EQ(shot.height, 160);
  EXPECT_GT(pixel(shot, 45, 5).r, 100) << "filled to the upper edge";
  EXPECT_GT(pixel(shot, 45, 154).r, 100);
}

TEST_F(WindowTest, SeveralWindowsLiveAndDieInAnyOrder) {
  auto first = Window::open().value();
  auto second = Window::open().value();
  second->push(plain(32, 32, 200, 128, 128));
  first.reset();
  EXPECT_TRUE(eventually([&] { return second->stats().framesShown == 1; }));
  second.reset();
  auto third = Window::open().value();
  EXPECT_FALSE(third->closed());
}

TEST_F(WindowTest, OldPicturesGiveWayWhenManyComeAtOnce) {
  const auto window = Window::open().value();
  for (int i = 0; i < 100; ++i) window->push(plain(16, 16, 128, 128, 128));
  ASSERT_TRUE(eventually([&] {
    const WindowStats stats = window->stats();
    return stats.framesShown + stats.framesDropped == 100;
  }));
}

TEST_F(SpeakerTest, PlaysWhatIsPushed) {
  const auto speaker = Speaker::open().value();
  codec::ToneSource tone(440);
  for (int i = 0; i < 10; ++i) speaker->push(tone.next({}));
  EXPECT_TRUE(eventually([&] { return speaker->stats().framesPlayed >= 9; }));
}

TEST_F(SpeakerTest, ADriverThatIsNotThereIsNotFound) {
  setenv("SDL_AUDIODRIVER", "gramophone", 1);
  const auto opened = Speaker::open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::NotFound);
}

TEST_F(WindowTest, AScreenThatIsNotThereIsNotFound) {
  setenv("SDL_VIDEODRIVER", "canvas", 1);
  const auto opened = Window::open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::NotFound);
}

codec::AudioFrame constantSound(int16_t value, int rate = 48'000, size_t channels = 1) {
  codec::AudioFrame frame;
  frame.sampleRate = rate;
  frame.channels = channels;
  frame.data.fill(value);
  return frame;
}

TEST(SoundMixer, AddsVoicesAndClips) {
  SoundMixer mixer;
  const size_t a = mixer.addVoice();
  const size_t b = mixer.addVoice();
  for (int i = 0; i < 4; ++i) {
    mixer.push(a, constantSound(1000));
    mixer.push(b, constantSound(i < 2 ? 500 : 32'000, 48'000, 2));
  }
  std::vector<int16_t> out(960);
  mixer.mix(out);
  EXPECT_EQ(out[0], 1500);
  EXPECT_EQ(out[959], 1500);
  mixer.mix(out);
  mixer.mix(out);
  EXPECT_EQ(out[0], 32'767);
}

TEST(SoundMixer, AVoiceThatHasGoneLeavesItsPlaceAndNoSound) {
  SoundMixer mixer;
  const size_t gone = mixer.addVoice();
  for (int i = 0; i < 5; ++i) mixer.push(gone, constantSound(1000));
  mixer.removeVoice(gone);
  mixer.push(gone, constantSound(1000));
  std::vector<int16_t> out(960);
  mixer.mix(out);
  EXPECT_EQ(out, std::vector<int16_t>(960));
  EXPECT_EQ(mixer.addVoice(), gone);
}

TEST(SoundMixer, AVoiceBeginsWithSomethingInHandAndBeginsAgainAfterAGap) {
  SoundMixer mixer;
  const size_t voice = mixer.addVoice();
  std::vector<int16_t> out(960);
  mixer.push(voice, constantSound(100));
  mixer.push(voice, constantSound(100));
  mixer.mix(out);
  EXPECT_EQ(out[0], 0) << "20 ms are not enough";
  mixer.push(voice, constantSound(100));
  for (int i = 0; i < 3; ++i) {
    mixer.mix(out);
    EXPECT_EQ(out[0], 100) << i;
  }
  mixer.mix(out);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(mixer.stats().framesMissing, 1u);
  EXPECT_EQ(mixer.stats().framesPlayed, 3u);
}

TEST(SoundMixer, ASlowCardDoesNotBuildUpDelay) {
  SoundMixer mixer;
  const size_t voice = mixer.addVoice();
  for (int16_t i = 0; i < 100; ++i) mixer.push(voice, constantSound(i));
  std::vector<int16_t> out(960);
  mixer.mix(out);
  EXPECT_GT(out[0], 80);
  EXPECT_GT(mixer.stats().framesDropped, 70u);
}

TEST(SoundMixer, OtherRatesAreConvertedAndVolumeCounts) {
  SoundMixer mixer;
  const size_t voice = mixer.addVoice();
  mixer.setVolume(0.5);
  for (int i = 0; i < 5; ++i) mixer.push(voice, constantSound(10'000, 16'000));
  std::vector<int16_t> out(960);
  mixer.mix(out);
  mixer.mix(out);
  EXPECT_NEAR(out[500], 5000, 100);
}

}  // namespace
}  // namespace parley::devices
