// How fast the simulator runs: CPU time for a minute of a two-way call at 1 Mb/s, encoders
// modelled.

#include <benchmark/benchmark.h>

#include "parley/codec/fake.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

void SimulatedMinute(benchmark::State& state) {
  for (auto _ : state) {
    testing::PairOptions options;
    options.aToB.delay = Duration::millis(25);
    options.aToB.queue.rate = DataRate::kbps(2500);
    for (Configuration* side : {&options.configurationA, &options.configurationB}) {
      side->videoEncoders = codec::fakeVideoEncoders();
      side->videoDecoders = codec::fakeVideoDecoders();
      side->maxBitrate = DataRate::kbps(1000);
    }
    testing::Pair pair(options);
    uint64_t frames = 0;
    pair.b().onTrack([&](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      if (track.kind() == MediaKind::Video)
        track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
    });
    for (auto [pc, loop] :
         {std::pair{&pair.a(), &pair.loopA()}, std::pair{&pair.b(), &pair.loopB()}}) {
      (void)pc->addTrack(MediaStreamTrack::createAudio(*loop, createToneSource(440)), {"s"});
      (void)pc->addTrack(
          MediaStreamTrack::createVideo(*loop, createTestPatternSource(320, 240, 30)), {"s"});
    }
    if (!pair.connect()) state.SkipWithError("no connection");
    pair.run(Duration::seconds(60));
    state.counters["frames"] = static_cast<double>(frames);
    state.counters["packets"] = static_cast<double>(pair.hostA().counters().sent);
  }
}
BENCHMARK(SimulatedMinute)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
}  // namespace parley
