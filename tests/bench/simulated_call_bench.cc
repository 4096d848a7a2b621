// How fast the simulator runs: CPU time for a minute of a two-way call at 1 Mb/s, encoders
// modelled.

#include <benchmark/benchmark.h>

#include "support/simulated_call.h"

namespace parley {
namespace {

void SimulatedMinute(benchmark::State& state) {
  for (auto _ : state) {
    test::SimulatedCall call;
    if (!call.begin()) state.SkipWithError("no connection");
    call.pair.run(Duration::seconds(60));
    state.counters["frames"] = static_cast<double>(call.frames);
    state.counters["packets"] = static_cast<double>(call.pair.hostA().counters().sent);
  }
}
BENCHMARK(SimulatedMinute)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
}  // namespace parley
