#include "sctp/engine/received_tsns.h"

#include <gtest/gtest.h>

#include "parley/base/random.h"

namespace parley::sctp {
namespace {

using Kind = ReceivedTsns::Kind;

TEST(ReceivedTsns, OrderAndGapsAcrossTheWrap) {
  ReceivedTsns t;
  t.start(0xFFFF'FFFE);
  EXPECT_EQ(t.classify(0xFFFF'FFFE), Kind::Next);
  t.add(0xFFFF'FFFE);
  EXPECT_EQ(t.classify(0xFFFF'FFFE), Kind::Duplicate);
  EXPECT_EQ(t.classify(1), Kind::Gap);
  t.add(1);
  t.add(3);
  EXPECT_EQ(t.ranges().size(), 2u);
  EXPECT_EQ(t.highest(), 3u);
  EXPECT_EQ(t.classify(3), Kind::Duplicate);
  t.add(2);
  EXPECT_EQ(t.ranges().size(), 1u);
  const int64_t before = t.unwrap(3);
  t.add(0xFFFF'FFFF);
  t.add(0);
  EXPECT_EQ(t.cumulative(), 3u);
  EXPECT_TRUE(t.ranges().empty());
  EXPECT_EQ(t.unwrap(3), before) << "positions do not move";
}

TEST(ReceivedTsns, TooFarAheadAndTooManyHolesAreRefused) {
  ReceivedTsns t;
  t.start(1000);
  EXPECT_EQ(t.classify(1000 + 65'100), Kind::OutOfRange);
  EXPECT_EQ(t.classify(999), Kind::Duplicate);
  EXPECT_EQ(t.classify(1000 - 0x7000'0000), Kind::Duplicate);
  uint32_t tsn = 1001;
  while (t.classify(tsn) == Kind::Gap) {
    t.add(tsn);
    tsn += 2;
  }
  EXPECT_EQ(t.ranges().size(), ReceivedTsns::kMaxRanges);
  EXPECT_EQ(t.classify(1002), Kind::Gap) << "what closes a hole is welcome";
}

TEST(ReceivedTsns, ForwardSwallowsHoles) {
  ReceivedTsns t;
  t.start(10);
  t.add(12);
  t.add(13);
  t.add(20);
  EXPECT_FALSE(t.forward(9));
  EXPECT_TRUE(t.forward(11));
  EXPECT_EQ(t.cumulative(), 13u);
  EXPECT_TRUE(t.forward(25));
  EXPECT_EQ(t.cumulative(), 25u);
  EXPECT_TRUE(t.ranges().empty());
}

TEST(ReceivedTsns, AgreesWithASetInAnyOrder) {
  SeededRandom random(3);
  ReceivedTsns t;
  t.start(0xFFFF'FF00);
  std::vector<bool> have(600);
  for (int i = 0; i < 5000; ++i) {
    const size_t n = random.below(have.size());
    const uint32_t tsn = 0xFFFF'FF00 + static_cast<uint32_t>(n);
    const Kind kind = t.classify(tsn);
    EXPECT_EQ(kind == Kind::Duplicate, have[n]);
    if (kind == Kind::Duplicate) continue;
    t.add(tsn);
    have[n] = true;
    size_t lead = 0;
    while (lead < have.size() && have[lead]) ++lead;
    ASSERT_EQ(t.cumulative(), 0xFFFF'FF00 + static_cast<uint32_t>(lead) - 1);
    uint32_t previousEnd = t.cumulative();
    for (const ReceivedTsns::Range& r : t.ranges()) {
      ASSERT_GT(r.first - t.cumulative(), previousEnd - t.cumulative() + 1);
      for (uint32_t x = r.first; x != r.last + 1; ++x) ASSERT_TRUE(have[x - 0xFFFF'FF00]);
      previousEnd = r.last;
    }
  }
}

}  // namespace
}  // namespace parley::sctp
