#include <string>

#include <gtest/gtest.h>

#include "api/stats_context.h"

namespace parley::api_internal {
namespace {

TEST(StatsIds, StayAndAreNotGivenAgain) {
  StatsIds ids;
  const std::string first = ids.of("IR", "192.0.2.1");
  const std::string second = ids.of("IR", "192.0.2.2");
  EXPECT_NE(first, second);
  ids.forgetUnused();
  EXPECT_EQ(ids.of("IR", "192.0.2.2"), second);
  ids.forgetUnused();
  const std::string third = ids.of("IR", "192.0.2.3");
  EXPECT_NE(third, first);
  EXPECT_NE(third, second);
  EXPECT_EQ(ids.of("IR", "192.0.2.2"), second) << "was in every report";
  EXPECT_NE(ids.of("IR", "192.0.2.1"), first) << "was gone: another object";
}

TEST(StatsIds, WhatIsGoneIsForgotten) {
  StatsIds ids;
  for (int i = 0; i < 1000; ++i) {
    (void)ids.of("IL", "ours");
    (void)ids.of("IR", std::to_string(i));
    ids.forgetUnused();
    EXPECT_EQ(ids.size(), 2u);
  }
}

}  // namespace
}  // namespace parley::api_internal
