#include "srtp/packet_index.h"

#include <gtest/gtest.h>

namespace parley::srtp {
namespace {

TEST(PacketIndex, TheFirstPacketHasItsNumber) {
  EXPECT_EQ(PacketIndex().guess(65000), 65000u);
}

TEST(PacketIndex, FollowsTheNumberOverTheEnd) {
  PacketIndex index;
  index.commit(65535);
  EXPECT_EQ(index.guess(0), 65536u);
  index.commit(65536);
  EXPECT_EQ(index.guess(65535), 65535u);
  EXPECT_EQ(index.guess(1), 65537u);
}

// RFC 3711 section 3.3.1: half the space apart.
TEST(PacketIndex, HalfTheSpaceAwayIsTheSameRollover) {
  PacketIndex index;
  index.commit(0x10000 + 10);
  EXPECT_EQ(index.guess(10 + 0x8000), 0x10000u + 10 + 0x8000);
  EXPECT_EQ(index.guess(11 + 0x8000), 11u + 0x8000);
  index.commit(0x10000 + 0x9000);
  EXPECT_EQ(index.guess(0x1000), 0x10000u + 0x1000);
  EXPECT_EQ(index.guess(0x0fff), 0x20000u + 0x0fff);
}

TEST(PacketIndex, BeforeTheFirstRolloverThereIsNothing) {
  PacketIndex index;
  index.commit(5);
  EXPECT_EQ(index.guess(65535), 65535u);
}

// RFC 3711 section 9.2: 2^48 packets, and no more.
TEST(PacketIndex, TellsTheEndOfTheKey) {
  PacketIndex index;
  index.commit(PacketIndex::kLimit - 1);
  EXPECT_GE(index.guess(0), PacketIndex::kLimit);
  EXPECT_LT(index.guess(65535), PacketIndex::kLimit);
}

TEST(ReportIndex, EndsAfterTwoToTheThirtyFirst) {
  ReportIndex fresh;
  EXPECT_EQ(fresh.take(), 1u);
  ReportIndex old(ReportIndex::kLimit - 1);
  EXPECT_EQ(old.take(), ReportIndex::kLimit);
  EXPECT_EQ(old.take(), std::nullopt);
  EXPECT_EQ(old.take(), std::nullopt);
}

TEST(ReplayWindow, KeepsExactlyItsSize) {
  for (const size_t size : {64u, 100u, 128u, 1024u}) {
    ReplayWindow window(size);
    window.commit(5000);
    EXPECT_FALSE(window.isNew(5000));
    EXPECT_TRUE(window.isNew(5000 - size + 1));
    EXPECT_FALSE(window.isNew(5000 - size));
    window.commit(5000 - size + 1);
    EXPECT_FALSE(window.isNew(5000 - size + 1));
  }
}

TEST(ReplayWindow, JumpsClearWhatTheyPass) {
  ReplayWindow window(64);
  for (uint64_t index = 0; index < 200; index += 2) window.commit(index);
  EXPECT_FALSE(window.isNew(198));
  EXPECT_TRUE(window.isNew(197));
  window.commit(240);
  EXPECT_TRUE(window.isNew(239));
  EXPECT_TRUE(window.isNew(200));
  EXPECT_FALSE(window.isNew(198));
  window.commit(100'000);
  for (uint64_t index = 100'000 - 63; index < 100'000; ++index) EXPECT_TRUE(window.isNew(index));
}

}  // namespace
}  // namespace parley::srtp
