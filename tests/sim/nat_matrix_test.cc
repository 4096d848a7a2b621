// Pairs of networks: calls connect exactly where theory says that a path exists, over the best one,
// and in time. With a few seeds; tests/bench/run nat_matrix does the same with a thousand.

#include "support/nat_matrix.h"

#include <tuple>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

class NatMatrixSim : public ::testing::TestWithParam<std::tuple<NetKind, bool>> {};

TEST_P(NatMatrixSim, ConnectsWhereTheoryHasAPathAndOverTheBest) {
  const auto [a, relays] = GetParam();
  for (const NetKind b : kNetKinds) {
    if (b < a) continue;
    const NetPath theory = NetTheory::best(a, b, relays);
    // A cell without a path is the same every time.
    const uint64_t seeds = theory == NetPath::None ? 2 : 6;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      const bool swapped = seed % 2 == 0;
      const double loss = static_cast<double>((seed - 1) / 2) * 0.1;
      const NatOutcome outcome =
          NatCall(swapped ? b : a, swapped ? a : b, relays, seed, loss).run(theory);
      EXPECT_STREQ(toString(outcome.path), toString(theory))
          << toString(a) << " with " << toString(b) << ", seed " << seed << ", loss " << loss
          << "\n"
          << outcome.story;
      if (loss == 0) {
        // What the simulated machines and pacing add to it is far below a round trip.
        EXPECT_LT(outcome.roundTrips,
                  NetTheory::roundTrips(swapped ? b : a, swapped ? a : b, theory) + 0.1)
            << toString(a) << " with " << toString(b) << ", seed " << seed;
      }
    }
  }
}

// A nomination whose answers are lost, or that a late check of the other side overtakes, must not
// leave each end with a relay of its own choice.
TEST(NatMatrixRelaySim, BothEndsEndUpOnTheSamePair) {
  for (const uint64_t seed : {16u, 17u, 18u, 26u, 28u, 36u}) {
    const NatOutcome outcome =
        NatCall(NetKind::NatApd, NetKind::NatApd, true, seed, 0.1).run(NetPath::Relay);
    EXPECT_EQ(outcome.path, NetPath::Relay) << seed;
    EXPECT_TRUE(outcome.agreed) << seed << outcome.story;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, NatMatrixSim,
                         ::testing::Combine(::testing::ValuesIn(kNetKinds), ::testing::Bool()),
                         [](const auto& param) {
                           return std::string(toString(std::get<0>(param.param))) +
                                  (std::get<1>(param.param) ? "_turn" : "_no_turn");
                         });

}  // namespace
}  // namespace parley::test
