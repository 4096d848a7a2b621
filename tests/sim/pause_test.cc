// Streams that may not send cost no encoding, and come back with a picture that stands alone.

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// The sum of `key` over all statistics objects of `type` and `kind`.
double total(Pair& pair, PeerConnection& pc, const std::string& type, const std::string& kind,
             const std::string& key) {
  double sum = -1;
  pc.getStats([&](Result<StatsReport> report) {
    sum = 0;
    if (!report) return;
    for (const Stats& object : report->all()) {
      if (object.type == type && object.has("kind") && object.text("kind") == kind &&
          object.has(key)) {
        sum += object.number(key);
      }
    }
  });
  pair.run(Duration::millis(1));
  return sum;
}

TEST(PauseSim, NothingIsEncodedWithoutANetwork) {
  Pair pair;
  ASSERT_TRUE(pair.a().addTrack(
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 30)), {"s"}));
  ASSERT_TRUE(
      pair.a().addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"}));
  uint64_t frames = 0, sound = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Video) {
      track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
    } else {
      track.setAudioSink([&](const codec::AudioFrame&) { ++sound; });
    }
  });
  pair.hostA().port(0).up.setUp(false);
  pair.negotiate();
  pair.run(Duration::seconds(5));
  EXPECT_EQ(total(pair, pair.a(), "outbound-rtp", "video", "framesEncoded"), 0);
  pair.hostA().port(0).up.setUp(true);
  ASSERT_TRUE(pair.runUntil([&] { return frames > 30 && sound > 100; }, Duration::seconds(20)));
  // Away for so long that ICE gives up: encoding ends again.
  pair.hostA().port(0).up.setUp(false);
  pair.run(Duration::seconds(40));
  const double before = total(pair, pair.a(), "outbound-rtp", "video", "framesEncoded");
  pair.run(Duration::seconds(5));
  EXPECT_EQ(total(pair, pair.a(), "outbound-rtp", "video", "framesEncoded"), before);
}

TEST(PauseSim, AStreamWithoutARateIsNotEncoded) {
  PairOptions options;
  // Enough for one, not for two.
  options.configurationA.startBitrate = options.configurationA.maxBitrate = DataRate::kbps(45);
  Pair pair(options);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(pair.a().addTrack(
        MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 30)),
        {std::string(1, static_cast<char>('a' + i))}));
  }
  int frames[2] = {};
  int tracks = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&frames, i = tracks++](const codec::VideoFrame&) { ++frames[i]; });
  });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(5));
  const double encoded = total(pair, pair.a(), "outbound-rtp", "video", "framesEncoded");
  EXPECT_LT(encoded, 170) << "one stream of five seconds";
  EXPECT_GT(encoded, 100);
  EXPECT_GT(frames[0] + frames[1], 80);
  EXPECT_EQ(std::min(frames[0], frames[1]), 0);
}

// An encoder of the app's that has only ever sent its first picture: nobody else can tell it.
TEST(PauseSim, AnEncodedTrackIsAskedForItsFirstKeyFrame) {
  Pair pair;
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA(), "VP8");
  bool keyFrame = false;
  int asked = 0;
  track.onKeyFrameNeeded([&] {
    keyFrame = true;
    ++asked;
  });
  int received = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack remote = event.track;
    remote.setEncodedVideoSink([&](const codec::EncodedVideoFrame&) { ++received; });
  });
  ASSERT_TRUE(pair.a().addTrack(track, {"s"}));
  ASSERT_TRUE(pair.connect());
  for (int i = 0; i < 60; ++i) {
    codec::EncodedVideoFrame frame;
    frame.keyFrame = std::exchange(keyFrame, false);
    frame.data = {0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1, 7, 7};
    if (frame.keyFrame) frame.data[0] = 0x10;
    frame.rtpTimestamp = static_cast<uint32_t>(3000 * i);
    frame.capture = pair.world().now();
    ASSERT_TRUE(track.push(frame));
    pair.run(Duration::micros(33'333));
  }
  EXPECT_EQ(asked, 1);
  EXPECT_GT(received, 50);
}

}  // namespace
}  // namespace parley
