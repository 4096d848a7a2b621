#pragma once

#include <cstdint>
#include <utility>

#include "parley/codec/fake.h"
#include "parley/testing/pair.h"

namespace parley::test {

/// A two-way call with sound and pictures at 1 Mb/s over a link of 25 ms, encoders modelled: what
/// the cost of simulated time is measured by.
class SimulatedCall {
 public:
  /// Adds the tracks and connects; false if either fails.
  bool begin() {
    pair.b().onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      if (track.kind() == MediaKind::Video)
        track.setVideoSink([this](const codec::VideoFrame&) { ++frames; });
    });
    for (auto [pc, loop] :
         {std::pair{&pair.a(), &pair.loopA()}, std::pair{&pair.b(), &pair.loopB()}}) {
      if (!pc->addTrack(MediaStreamTrack::createAudio(*loop, createToneSource(440)), {"s"}))
        return false;
      const auto pattern = createTestPatternSource(320, 240, 30);
      if (!pc->addTrack(MediaStreamTrack::createVideo(*loop, pattern), {"s"})) return false;
    }
    return pair.connect();
  }

  uint64_t frames = 0;  ///< that the second peer has seen; outlives the pair
  testing::Pair pair{options()};

 private:
  static testing::PairOptions options() {
    testing::PairOptions out;
    out.aToB.delay = Duration::millis(25);
    out.aToB.queue.rate = DataRate::kbps(2500);
    for (Configuration* side : {&out.configurationA, &out.configurationB}) {
      side->videoEncoders = codec::fakeVideoEncoders();
      side->videoDecoders = codec::fakeVideoDecoders();
      side->maxBitrate = DataRate::kbps(1000);
    }
    return out;
  }
};

}  // namespace parley::test
