// Every pair of networks, with and without TURN: whether a call comes about, over which path and
// after how many round trips. The table of src/ice/README.md. In virtual time: only the counters
// matter. PARLEY_NAT_SEEDS sets the calls per cell (default 1000), with 0 to 20 % loss. What went
// another way tells its story on standard error.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "parley/base/text.h"

#include "support/nat_matrix.h"

namespace parley::test {
namespace {

struct Cell {
  NetPath theory = NetPath::None;
  size_t calls = 0;
  size_t connected = 0;
  size_t best = 0;  ///< over the path that theory has
  std::vector<double> lossless;
  std::vector<double> all;
  std::vector<double> settling;  ///< seconds
};

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
}

std::map<std::array<size_t, 3>, Cell>& cells() {
  static std::map<std::array<size_t, 3>, Cell> all;
  return all;
}

size_t seeds() {
  const char* text = std::getenv("PARLEY_NAT_SEEDS");
  return text ? parseNumber<size_t>(text).value_or(1000) : 1000;
}

void natPair(benchmark::State& state, size_t a, size_t b, bool relays) {
  const NetKind x = kNetKinds[a];
  const NetKind y = kNetKinds[b];
  Cell cell;
  cell.theory = NetTheory::best(x, y, relays);
  for (auto _ : state) {
    for (size_t seed = 1; seed <= seeds(); ++seed) {
      // Either side offers in turns; 0, 5, 10, 15 and 20 % of loss.
      const bool swapped = seed % 2 == 0;
      const double loss = static_cast<double>((seed - 1) / 2 % 5) * 0.05;
      const NatOutcome outcome =
          NatCall(swapped ? y : x, swapped ? x : y, relays, seed, loss).run(cell.theory);
      ++cell.calls;
      cell.best += outcome.path == cell.theory;
      if (outcome.path != cell.theory) {
        std::fprintf(stderr, "%s with %s%s, seed %zu: %s instead of %s\n%s\n", toString(x),
                     toString(y), relays ? " and TURN" : "", seed, toString(outcome.path),
                     toString(cell.theory), outcome.story.c_str());
      }
      if (outcome.path == NetPath::None) continue;
      ++cell.connected;
      cell.all.push_back(outcome.roundTrips);
      cell.settling.push_back(outcome.settling.seconds());
      if (loss == 0) cell.lossless.push_back(outcome.roundTrips);
    }
  }
  const auto ratio = [&](size_t n) {
    return static_cast<double>(n) / static_cast<double>(std::max<size_t>(cell.calls, 1));
  };
  state.counters["connected_ratio"] = ratio(cell.connected);
  state.counters["best_path_ratio"] = ratio(cell.best);
  state.counters["lossless_round_trips_p50"] = percentile(cell.lossless, 0.5);
  state.counters["round_trips_p50"] = percentile(cell.all, 0.5);
  state.counters["round_trips_p95"] = percentile(cell.all, 0.95);
  state.counters["settling_s_p95"] = percentile(cell.settling, 0.95);
  cells()[{relays, a, b}] = std::move(cell);
}

void printTable(size_t relays) {
  std::printf("\n%s TURN:\n\n|", relays ? "With" : "Without");
  for (const NetKind kind : kNetKinds) std::printf(" | %s", toString(kind));
  std::printf(" |\n|---|");
  for (size_t i = 0; i < kNetKinds.size(); ++i) std::printf("---|");
  for (size_t b = 0; b < kNetKinds.size(); ++b) {
    std::printf("\n| %s |", toString(kNetKinds[b]));
    for (size_t a = 0; a < kNetKinds.size(); ++a) {
      const auto at = cells().find({relays, a, b});
      if (at == cells().end()) {
        std::printf(" |");
        continue;
      }
      const Cell& cell = at->second;
      if (cell.best != cell.calls) {
        std::printf(" %s in %zu, connected %zu of %zu,", toString(cell.theory), cell.best,
                    cell.connected, cell.calls);
      }
      if (cell.connected == 0) {
        std::printf(" - |");
      } else {
        std::printf(" %s %.1f, %.1f, %.1f |", toString(cell.theory), percentile(cell.lossless, 0.5),
                    percentile(cell.all, 0.5), percentile(cell.all, 0.95));
      }
    }
  }
  std::printf("\n");
}

const bool kRegistered = [] {
  for (const bool relays : {false, true}) {
    for (size_t b = 0; b < kNetKinds.size(); ++b) {
      for (size_t a = 0; a <= b; ++a) {
        const std::string name = std::string("NatPair/") + toString(kNetKinds[a]) + "/" +
                                 toString(kNetKinds[b]) + (relays ? "/turn" : "/no_turn");
        benchmark::RegisterBenchmark(name.c_str(),
                                     [=](benchmark::State& state) { natPair(state, a, b, relays); })
            ->Iterations(1)
            ->Unit(benchmark::kSecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace parley::test

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  for (const size_t relays : {0, 1}) parley::test::printTable(relays);
  return 0;
}
