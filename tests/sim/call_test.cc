// A whole call through the facade over the simulated network: sound and pictures in both
// directions.

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/generators.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

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

/// How much of the sound is the tone, in windows of 20 ms: time stretching and concealment shift
/// its phase, which a longer window would take for another frequency.
double tone(const std::vector<int16_t>& sound, double hz) {
  constexpr size_t kWindow = 960;
  double sum = 0;
  size_t windows = 0;
  for (size_t at = 0; at + kWindow <= sound.size(); at += kWindow, ++windows) {
    sum += codec::tonePower({sound.data() + at, kWindow}, hz);
  }
  return windows == 0 ? 0 : sum / static_cast<double>(windows);
}

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
      for (size_t i = 0; i < frame.samplesPerChannel(); ++i)
        into.sound.push_back(frame.data[i * frame.channels]);
      if (into.sound.size() > 24'000)
        into.sound.erase(into.sound.begin(), into.sound.end() - 24'000);
    });
  });
}

/// A call of twelve simulated seconds over a 3 Mb/s path with 5 % reordering.
void callOver(sim::World& world, int lossPercent, int rttMillis) {
  PairOptions options;
  options.aToB.loss = sim::LossModel::bernoulli(lossPercent / 100.0);
  options.aToB.delay = Duration::millis(rttMillis / 2);
  options.aToB.reorder = 0.05;
  options.aToB.queue.rate = DataRate::kbps(3000);
  Pair pair(world, options);
  Received atA, atB;
  watch(pair.a(), atA);
  watch(pair.b(), atB);
  const auto addMedia = [](PeerConnection& pc, const std::shared_ptr<Loop>& loop, double hz) {
    ASSERT_TRUE(pc.addTrack(MediaStreamTrack::createAudio(loop, createToneSource(hz)), {"s"}));
    ASSERT_TRUE(pc.addTrack(
        MediaStreamTrack::createVideo(loop, createTestPatternSource(160, 120, 30)), {"s"}));
  };
  addMedia(pair.a(), pair.loopA(), 440);
  addMedia(pair.b(), pair.loopB(), 880);
  DataChannel chat = pair.a().createDataChannel("chat").value();
  int messages = 0;
  pair.b().onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++messages; }); });
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return chat.readyState() == DataChannelState::Open; },
                            Duration::seconds(30)));
  pair.run(Duration::seconds(4));
  const uint64_t before = atB.frames;
  for (int i = 0; i < 80; ++i) {
    EXPECT_TRUE(chat.send("reliable"));
    pair.run(Duration::millis(100));
  }
  EXPECT_GT(atB.frames - before, lossPercent < 10 ? 190u : 120u);
  for (const Received* side : {&atA, &atB}) {
    EXPECT_GT(side->readable, side->frames * 8 / 10);
    EXPECT_EQ(side->width, 160);
    EXPECT_GT(side->soundPieces, 900u);
  }
  EXPECT_GT(tone(atB.sound, 440), 0.6);
  EXPECT_GT(tone(atA.sound, 880), 0.6);
  EXPECT_TRUE(pair.runUntil([&] { return messages == 80; }, Duration::seconds(30))) << messages;
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

PARLEY_SIM_TEST(CallSim, CleanNoDelay) {
  callOver(world, 0, 0);
}
PARLEY_SIM_TEST(CallSim, Clean50ms) {
  callOver(world, 0, 50);
}
PARLEY_SIM_TEST(CallSim, Clean200ms) {
  callOver(world, 0, 200);
}
PARLEY_SIM_TEST(CallSim, Loss1NoDelay) {
  callOver(world, 1, 0);
}
PARLEY_SIM_TEST(CallSim, Loss1With50ms) {
  callOver(world, 1, 50);
}
PARLEY_SIM_TEST(CallSim, Loss1With200ms) {
  callOver(world, 1, 200);
}
PARLEY_SIM_TEST(CallSim, Loss5NoDelay) {
  callOver(world, 5, 0);
}
PARLEY_SIM_TEST(CallSim, Loss5With50ms) {
  callOver(world, 5, 50);
}
PARLEY_SIM_TEST(CallSim, Loss5With200ms) {
  callOver(world, 5, 200);
}
PARLEY_SIM_TEST(CallSim, Loss10NoDelay) {
  callOver(world, 10, 0);
}
PARLEY_SIM_TEST(CallSim, Loss10With50ms) {
  callOver(world, 10, 50);
}
PARLEY_SIM_TEST(CallSim, Loss10With200ms) {
  callOver(world, 10, 200);
}

}  // namespace
}  // namespace parley
