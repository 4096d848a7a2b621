// Packets above AssociationConfig::mtu: asked for, used, and left again (RFC 8899).

#include <gtest/gtest.h>

#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

constexpr AssociationConfig kLarge{.maxMtu = 1400};

class LargePacketsTest : public AssociationTest {
 protected:
  void connectOver(size_t pathMtu, LinkConfig link = {.delay = Duration::millis(20)}) {
    make(kLarge, kLarge, link, 3);
    width = pathMtu;
    pair->setMtu(1400);
    pair->setFilter([this](size_t, ByteSpan packet) {
      largest = std::max(largest, packet.size());
      const bool passes = packet.size() <= width;
      swallowed += !passes;
      return passes;
    });
    ASSERT_TRUE(connect());
    pair->run(Duration::seconds(1));
  }
  uint32_t size() { return a->association->stats().mtu; }
  void transfer(size_t messages) {
    const size_t end = b->inbound.size() + messages;
    for (size_t i = 0; i < messages; ++i) ASSERT_TRUE(send(*a, 1, pattern(50'000, i)));
    EXPECT_TRUE(pair->runUntil([&] { return b->inbound.size() == end; }, Duration::seconds(20)));
  }
  size_t width = 0;
  size_t largest = 0;
  size_t swallowed = 0;
};

TEST_P(LargePacketsTest, AreUsedWhereTheyPassAndThePeerIsOfOurKind) {
  connectOver(1500);
  const bool ours = GetParam() == Engines{Engine::Native, Engine::Native};
  transfer(20);
  EXPECT_EQ(size(), ours ? 1400u : 1148u);
  EXPECT_EQ(largest, ours ? 1400u : 1148u);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(b->inbound[i].data, pattern(50'000, i));
}

TEST_P(LargePacketsTest, TheMiddleIsTriedWhereTheLargestDoesNotPass) {
  if (!isNative()) GTEST_SKIP();
  connectOver(1300);
  EXPECT_EQ(size(), 1272u);
  transfer(20);
  connectOver(1200);
  EXPECT_EQ(size(), 1148u);
  EXPECT_LE(swallowed, 12u);
}

TEST_P(LargePacketsTest, APathThatNarrowsUnderATransferIsNoticed) {
  if (!isNative()) GTEST_SKIP();
  for (const double loss : {0.0, 0.02}) {
    connectOver(1500, {.delay = Duration::millis(20), .loss = loss, .rate = 1'000'000});
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(send(*a, 1, pattern(50'000, 1)));
    pair->run(Duration::millis(500));
    EXPECT_EQ(size(), 1400u);
    width = 1200;
    ASSERT_TRUE(pair->runUntil([&] { return b->inbound.size() == 40; }, Duration::seconds(15)))
        << b->inbound.size();
    EXPECT_EQ(size(), 1148u);
    width = 1500;
    pair->run(Duration::seconds(100));
    EXPECT_EQ(size(), 1400u);
    transfer(5);
  }
}

TEST_P(LargePacketsTest, ASingleMessageOnANarrowedPathArrivesSoon) {
  if (!isNative()) GTEST_SKIP();
  connectOver(1500);
  width = 1200;
  ASSERT_TRUE(send(*a, 1, pattern(20'000, 1)));
  EXPECT_TRUE(pair->runUntil([&] { return b->inbound.size() == 1; }, Duration::seconds(3)));
}

TEST_P(LargePacketsTest, RandomLossesAreNoReasonToLeaveThem) {
  if (!isNative()) GTEST_SKIP();
  connectOver(1500, {.delay = Duration::millis(20), .loss = 0.02, .rate = 2'000'000});
  for (int i = 0; i < 5; ++i) transfer(20);
  EXPECT_EQ(size(), 1400u);
}

TEST_P(LargePacketsTest, QuestionsAreMarked) {
  if (!isNative()) GTEST_SKIP();
  make(kLarge, kLarge);
  pair->setMtu(1400);
  size_t marked = 0;
  pair->setFilter([&](size_t from, ByteSpan packet) {
    const Association& sender = *(from == 0 ? a : b)->association;
    EXPECT_EQ(sender.isPathProbe(), packet.size() > 1148 && !isData(packet)) << packet.size();
    marked += sender.isPathProbe();
    return true;
  });
  ASSERT_TRUE(connect());
  pair->run(Duration::seconds(1));
  transfer(3);
  EXPECT_EQ(marked, 2u);
}

INSTANTIATE_TEST_SUITE_P(Engines, LargePacketsTest, oursFirst(), nameOf);

}  // namespace
}  // namespace parley::sctp
