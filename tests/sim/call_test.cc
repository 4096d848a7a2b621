// A whole call through the facade over the simulated network: sound and pictures in both directions.

#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "parley/codec/generators.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// What one side saw and heard.
struct Received {
  uint64_t frames = 0;
  uint64_t readable = 0;
  int width = 0;
  uint64_t soundPieces = 0;
  std::vector<int16_t> sound;  // the newest half second
};

void watch(PeerConnection& pc, Received& into) {
  pc.onTrack([&into](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Video) {
      track.setVideoSink([&into](const codec::VideoFrame& frame) {
        ++into.frames;
        into.width = frame.width();
        if (codec::TestPattern::readFrameNumber(*frame.buffer)) ++into.readable;
      });
      return;
    }
    track.setAudioSink([&into](const codec::AudioFrame& frame) {
      ++into.soundPieces;
      for (size_t i = 0; i < frame.samplesPerChannel(); ++i) into.sound.push_back(frame.data[i * frame.channels]);
      if (into.sound.size() > 24'000) into.sound.erase(into.sound.begin(), into.sound.end() - 24'000);
    });
  });
}

struct PathCase {
  int lossPercent;
  int rttMillis;
};

class CallSim : public ::testing::TestWithParam<PathCase> {};

TEST_P(CallSim, SoundAndPicturesFlowBothWays) {
  PairOptions options;
  options.aToB.loss = sim::LossModel::bernoulli(GetParam().lossPercent / 100.0);
  options.aToB.delay = Duration::millis(GetParam().rttMillis / 2);
  options.aToB.reorder = 0.05;
  options.aToB.queue.rate = DataRate::kbps(3000);
  Pair pair(options);
  Received atA, atB;
  watch(pair.a(), atA);
  watch(pair.b(), atB);
  const auto addMedia = [](PeerConnection& pc, const std::shared_ptr<Loop>& loop, double hz) {
    ASSERT_TRUE(pc.addTrack(MediaStreamTrack::createAudio(loop, createToneSource(hz)), {"s"}));
    ASSERT_TRUE(pc.addTrack(MediaStreamTrack::createVideo(loop, createTestPatternSource(320, 240, 30)), {"s"}));
  };
  addMedia(pair.a(), pair.loopA(), 440);
  addMedia(pair.b(), pair.loopB(), 880);
  DataChannel chat = pair.a().createDataChannel("chat").value();
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(5));
  const uint64_t before = atB.frames;
  const std::clock_t cpu = std::clock();
  pair.run(Duration::seconds(10));
  RecordProperty("cpu_ms_per_simulated_10s", static_cast<int>((std::clock() - cpu) * 1000 / CLOCKS_PER_SEC));

  EXPECT_GT(atB.frames - before, GetParam().lossPercent < 10 ? 240u : 150u);
  for (const Received* side : {&atA, &atB}) {
    EXPECT_GT(side->readable, side->frames * 8 / 10);
    EXPECT_EQ(side->width, 320);
    EXPECT_GT(side->soundPieces, 1200u);
  }
  EXPECT_GT(codec::tonePower(atB.sound, 440), 0.5);
  EXPECT_GT(codec::tonePower(atA.sound, 880), 0.5);
  EXPECT_EQ(chat.readyState(), DataChannelState::Open);
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

INSTANTIATE_TEST_SUITE_P(Paths, CallSim,
                         ::testing::Values(PathCase{0, 0}, PathCase{1, 50}, PathCase{5, 50}, PathCase{10, 200}),
                         [](const auto& which) {
                           return "loss" + std::to_string(which.param.lossPercent) + "rtt" +
                                  std::to_string(which.param.rttMillis);
                         });

}  // namespace
}  // namespace parley
