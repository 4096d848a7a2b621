#pragma once

#include <gtest/gtest.h>

#include "parley/sim/world.h"

namespace parley::test {

/// Runs `body` twice, each time in a fresh child process with a fresh World of the same seed, and
/// fails if the traces differ. The seed is that of the environment variable PARLEY_SIM_SEED, or 1.
/// With PARLEY_SIM_ONCE set it runs once, in this process: for debuggers.
void runSimCase(void (*body)(sim::World& world));

}  // namespace parley::test

/// A test on the simulated network. `world` is the World:
///
///     PARLEY_SIM_TEST(Restart, KeepsMediaFlowing) {
///       sim::Host& alice = world.addHost("alice");
///       ...
///     }
#define PARLEY_SIM_TEST(suite, name)                          \
  static void suite##name##Body(::parley::sim::World& world); \
  TEST(suite, name) {                                         \
    ::parley::test::runSimCase(&suite##name##Body);           \
  }                                                           \
  static void suite##name##Body([[maybe_unused]] ::parley::sim::World& world)
