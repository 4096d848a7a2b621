#include "forwarding/sequence_map.h"

#include <gtest/gtest.h>

namespace parley::forwarding {
namespace {

TEST(SequenceMap, WhatIsLeftOutTakesNoNumber) {
  SequenceMap map(10);
  EXPECT_EQ(map.forward(100), 10);
  EXPECT_EQ(map.drop(101), std::nullopt);
  EXPECT_EQ(map.forward(102), 11);
  EXPECT_EQ(map.drop(103), std::nullopt);
  EXPECT_EQ(map.drop(104), std::nullopt);
  EXPECT_EQ(map.forward(105), 12);
}

TEST(SequenceMap, LatePacketsGetTheNumberThatWasKeptForThem) {
  SequenceMap map(10);
  map.forward(100);
  EXPECT_EQ(map.forward(103), 13);
  EXPECT_EQ(map.forward(102), 12);
  EXPECT_EQ(map.forward(102), std::nullopt);
  EXPECT_EQ(map.forward(103), std::nullopt);
  EXPECT_EQ(map.drop(101), 11);  // a number that will never be used
  EXPECT_EQ(map.drop(101), std::nullopt);
  EXPECT_EQ(map.forward(104), 14);
}

TEST(SequenceMap, AnotherSourceGoesOnWithTheNextNumber) {
  SequenceMap map(65530);
  map.forward(5);
  map.restart();
  EXPECT_EQ(map.forward(40000), 65531);
  EXPECT_EQ(map.forward(40001), 65532);
  EXPECT_EQ(map.forward(39999), std::nullopt);
}

TEST(SequenceMap, WideGapsAreJumps) {
  SequenceMap map(0);
  map.forward(0);
  EXPECT_EQ(map.forward(SequenceMap::kMemory + 1), 1);
  EXPECT_EQ(map.forward(3), std::nullopt);
}

}  // namespace
}  // namespace parley::forwarding
