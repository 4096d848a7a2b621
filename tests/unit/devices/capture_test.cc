#include "parley/devices/capture.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "devices/capture_device.h"

extern "C" char** environ;

namespace parley::devices {
namespace {

/// Waits for what a device's thread does: these tests are about real devices, in real time.
bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 2000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

InputRequest virtualInput(const std::string& graph, MediaKind kind) {
  InputRequest request;
  request.what = "the virtual input";
  request.format = "lavfi";
  request.url = graph;
  request.kind = kind;
  return request;
}

TEST(Capture, PicturesReachTheSinkAndTheLoopsTracks) {
  auto opened = openInput(
      virtualInput("testsrc=size=320x240:rate=50,format=rgb24,realtime", MediaKind::Video));
  if (!opened) GTEST_SKIP() << opened.error().message;
  const std::shared_ptr<CaptureDevice> device = *opened;
  EXPECT_EQ(device->width(), 320);
  EXPECT_EQ(device->height(), 240);
  EXPECT_NEAR(device->fps(), 50, 0.1);
  const auto loop = Loop::create();
  MediaStreamTrack track = device->createTrack(loop);
  EXPECT_EQ(track.kind(), MediaKind::Video);
  std::mutex mutex;
  codec::VideoFrame last;
  device->setVideoSink([&](const codec::VideoFrame& frame) {
    const std::lock_guard lock(mutex);
    last = frame;
  });
  ASSERT_TRUE(eventually([&] { return device->stats().videoFrames >= 10; }));
  device->stop();
  EXPECT_TRUE(device->ended());
  EXPECT_EQ(track.readyState(), TrackState::Ended);
  ASSERT_TRUE(last.buffer);
  EXPECT_EQ(last.width(), 320);
  EXPECT_GT(last.capture, Timestamp{});
  EXPECT_EQ(device->createTrack(loop).readyState(), TrackState::Ended);
}

TEST(Capture, SoundComesInPiecesOfTenMilliseconds) {
  auto opened =
      openInput(virtualInput("sine=frequency=440:sample_rate=44100,arealtime", MediaKind::Audio));
  if (!opened) GTEST_SKIP() << opened.error().message;
  const std::shared_ptr<CaptureDevice> device = *opened;
  EXPECT_EQ(device->kind(), MediaKind::Audio);
  std::mutex mutex;
  std::vector<codec::AudioFrame> heard;
  device->setAudioSink([&](const codec::AudioFrame& frame) {
    const std::lock_guard lock(mutex);
    heard.push_back(frame);
  });
  ASSERT_TRUE(eventually([&] { return device->stats().audioFrames >= 20; }));
  device->stop();
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard.front().sampleRate, 48'000);
  EXPECT_LT(codec::audioLevel(heard.back().samples()), 40);
}

TEST(Capture, TheEndOfADeviceIsTold) {
  auto opened = openInput(
      virtualInput("testsrc=size=64x64:rate=100:duration=0.1,realtime", MediaKind::Video));
  if (!opened) GTEST_SKIP() << opened.error().message;
  std::atomic<bool> told{false};
  (*opened)->onEnded([&] { told = true; });
  EXPECT_TRUE(eventually([&] { return (*opened)->ended(); }));
  (*opened)->stop();
}

TEST(Capture, ADeviceMayBeStoppedAndLetGoInItsOwnCallback) {
  auto opened = openInput(virtualInput("testsrc=size=64x64:rate=50,realtime", MediaKind::Video));
  if (!opened) GTEST_SKIP() << opened.error().message;
  std::atomic<bool> done{false};
  auto held = std::make_shared<std::shared_ptr<CaptureDevice>>(*opened);
  const std::weak_ptr<CaptureDevice> weak = *opened;
  opened = fail(ErrorCode::Abort, "given away");
  (*held)->setVideoSink([held, &done](const codec::VideoFrame&) {
    if (!*held) return;
    (*held)->stop();
    held->reset();
    done = true;
  });
  EXPECT_TRUE(eventually([&] { return done.load() && weak.expired(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the thread's last steps
}

TEST(Capture, AnAbsentCameraIsNotFoundAndNamed) {
  CameraOptions options;
  options.device = "/dev/video-none";
  const auto opened = openCamera(options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::NotFound);
  EXPECT_NE(opened.error().message.find("/dev/video-none"), std::string::npos);
  options.width = 0;
  EXPECT_EQ(openCamera(options).error().code, ErrorCode::Range);
}

TEST(Capture, AnAbsentMicrophoneIsAnErrorThatNamesIt) {
  MicrophoneOptions options;
  options.system = "alsa";
  options.device = "hw:77";
  const auto opened = openMicrophone(options);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("hw:77"), std::string::npos);
  options.system = "tape";
  EXPECT_EQ(openMicrophone(options).error().code, ErrorCode::NotSupported);
}

TEST(Capture, AnAbsentScreenIsNotFound) {
  ScreenOptions options;
  options.display = ":977";
  EXPECT_EQ(openScreen(options).error().code, ErrorCode::NotFound);
  unsetenv("DISPLAY");
  EXPECT_EQ(openScreen().error().code, ErrorCode::NotFound);
  options.fps = 0;
  EXPECT_EQ(openScreen(options).error().code, ErrorCode::Range);
}

/// An X server without a screen, for as long as the test runs.
class VirtualScreen {
 public:
  VirtualScreen() {
    int channel[2];
    if (pipe(channel) != 0) return;
    const std::string fd = std::to_string(channel[1]);
    std::vector<std::string> words = {"Xvfb",       "-displayfd", fd,    "-screen", "0",
                                      "320x200x24", "-nolisten",  "tcp", "-br"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (posix_spawnp(&pid_, "Xvfb", nullptr, nullptr, arguments.data(), environ) != 0) pid_ = 0;
    close(channel[1]);
    char text[16] = {};
    if (pid_ != 0 && read(channel[0], text, sizeof text - 1) > 0)
      display = ":" + std::to_string(std::atoi(text));
    close(channel[0]);
  }
  ~VirtualScreen() {
    if (pid_ == 0) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  std::string display;

 private:
  pid_t pid_ = 0;
};

TEST(Capture, AScreenIsSeen) {
  const VirtualScreen screen;
  if (screen.display.empty()) GTEST_SKIP() << "no Xvfb here";
  ScreenOptions options;
  options.display = screen.display;
  options.fps = 30;
  const auto opened = openScreen(options);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->width(), 320);
  EXPECT_EQ((*opened)->height(), 200);
  std::mutex mutex;
  codec::VideoFrame last;
  (*opened)->setVideoSink([&](const codec::VideoFrame& frame) {
    const std::lock_guard lock(mutex);
    last = frame;
  });
  ASSERT_TRUE(eventually([&] { return (*opened)->stats().videoFrames >= 5; }));
  (*opened)->stop();
  ASSERT_TRUE(last.buffer);
  EXPECT_EQ(last.buffer->dataY()[10], 16) << "a black screen in video range";
}

}  // namespace
}  // namespace parley::devices
