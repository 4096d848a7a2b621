// How smoothly pictures are shown over a path that loses packets, with repetition alone.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/fake.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

PairOptions lossy(double loss) {
  PairOptions options;
  options.aToB.delay = Duration::millis(50);
  options.aToB.queue.rate = DataRate::kbps(5000);
  options.bToA = options.aToB;
  options.aToB.loss = sim::LossModel::bernoulli(loss);
  for (Configuration* side : {&options.configurationA, &options.configurationB}) {
    side->videoEncoders = codec::fakeVideoEncoders();
    side->videoDecoders = codec::fakeVideoDecoders();
    side->maxBitrate = DataRate::kbps(4000);
    side->videoFec = false;
  }
  return options;
}

/// Pictures of 14 packets, 30 a second, for a minute after the rate has settled.
struct Minute {
  Minute(sim::World& world, double loss) : pair(world, lossy(loss)) {
    pair.b().onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame&) {
        const Timestamp now = pair.world().now();
        gaps.push_back((now - std::exchange(last, now)).seconds() * 1000);
      });
    });
    const auto camera = createTestPatternSource(320, 240, 30);
    EXPECT_TRUE(pair.a().addTrack(MediaStreamTrack::createVideo(pair.loopA(), camera), {"s"}));
    EXPECT_TRUE(pair.connect());
    pair.run(Duration::seconds(10));
    before = received();
    gaps.clear();
    pair.run(Duration::seconds(60));
    after = received();
    std::sort(gaps.begin(), gaps.end());
  }
  Stats received() {
    Stats out;
    pair.b().getStats([&](Result<StatsReport> report) {
      for (const Stats& object : report->all()) {
        if (object.type == "inbound-rtp") out = object;
      }
    });
    pair.run(Duration::millis(1));
    return out;
  }
  double grown(const char* key) const { return after.number(key) - before.number(key); }
  double gap(double share) const {
    return gaps.at(static_cast<size_t>(share * static_cast<double>(gaps.size() - 1)));
  }

  std::vector<double> gaps;  ///< between pictures as they are shown, ms, ascending
  Timestamp last;
  Pair pair;
  Stats before, after;
};

PARLEY_SIM_TEST(VideoFreezeSim, FivePercentOfLossAt100MsHardlyShow) {
  const Minute minute(world, 0.05);
  EXPECT_GT(minute.grown("framesDecoded"), 1790);
  EXPECT_GT(minute.grown("packetsLost"), 1000);
  EXPECT_LE(minute.grown("freezeCount"), 1);
  EXPECT_LT(minute.gap(0.99), 80) << "a repetition that is lost as well costs a round trip";
  EXPECT_EQ(minute.grown("keyFramesDecoded"), 0);
  const double waited =
      minute.grown("jitterBufferDelay") / minute.grown("jitterBufferEmittedCount");
  EXPECT_LT(waited, 0.2);
  // One repetition in two is the second of its kind.
  EXPECT_LT(minute.grown("retransmittedPacketsReceived"), 2.2 * minute.grown("packetsLost"));
}

PARLEY_SIM_TEST(VideoFreezeSim, FewLossesAreRepairedByOneRepetitionEach) {
  const Minute minute(world, 0.005);
  EXPECT_GT(minute.grown("framesDecoded"), 1790);
  EXPECT_EQ(minute.grown("freezeCount"), 0);
  EXPECT_LT(minute.grown("retransmittedPacketsReceived"), 1.2 * minute.grown("packetsLost"));
}

}  // namespace
}  // namespace parley
