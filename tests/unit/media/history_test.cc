#include "media/history.h"

#include <gtest/gtest.h>

namespace parley::media {
namespace {

class History : public testing::Test {
 protected:
  void add(int64_t sequence, Timestamp at = {}) {
    const uint8_t byte = static_cast<uint8_t>(sequence);
    history_.add(sequence, pool_.copyOf({&byte, 1}), at);
  }
  PacketPool pool_;
  SendHistory history_;
};

TEST_F(History, FindsBySixteenBitsAcrossTheWrap) {
  for (int64_t s = 65'500; s < 65'600; ++s) add(s);
  EXPECT_EQ(history_.findWrapped(65'535)->sequence, 65'535);
  EXPECT_EQ(history_.findWrapped(0)->sequence, 65'536);
  EXPECT_EQ(history_.findWrapped(63)->sequence, 65'599);
  EXPECT_EQ(history_.findWrapped(64), nullptr);
  EXPECT_EQ(history_.findWrapped(65'499), nullptr);
  EXPECT_EQ(history_.newest()->sequence, 65'599);
}

TEST_F(History, OldPacketsGiveTheirBuffersBack) {
  for (int i = 0; i < 100; ++i) add(i, Timestamp::millis(10 * i));
  EXPECT_EQ(pool_.inUse(), 100u);
  history_.cull(Timestamp::millis(1490), Duration::millis(20));
  EXPECT_EQ(pool_.inUse(), 51u);
  history_.cull(Timestamp::millis(1490), Duration::millis(20));
  EXPECT_EQ(history_.find(48), nullptr);
  EXPECT_NE(history_.find(49), nullptr);
  history_.cull(Timestamp::seconds(60), Duration::millis(20));
  EXPECT_EQ(pool_.inUse(), 0u);
  EXPECT_EQ(history_.newest(), nullptr);
  add(200, Timestamp::seconds(60));
  EXPECT_EQ(history_.newest()->sequence, 200);
}

TEST_F(History, ALongRoundTripKeepsThemLonger) {
  add(1, Timestamp::millis(0));
  history_.cull(Timestamp::millis(1400), Duration::millis(500));
  EXPECT_NE(history_.find(1), nullptr);
}

TEST_F(History, IsBounded) {
  for (int i = 0; i < 20'000; ++i) add(i);
  EXPECT_EQ(history_.size(), 8192u);
  EXPECT_EQ(pool_.inUse(), 8192u);
  EXPECT_EQ(history_.find(20'000 - 8193), nullptr);
  EXPECT_NE(history_.find(20'000 - 8192), nullptr);
}

TEST_F(History, ClearedItBeginsAnew) {
  for (int64_t s = 99'000; s <= 100'000; ++s) add(s);
  history_.clear();
  EXPECT_EQ(pool_.inUse(), 0u);
  EXPECT_EQ(history_.newest(), nullptr);
  for (int64_t s = 1; s <= 100; ++s) add(s);
  ASSERT_NE(history_.findWrapped(50), nullptr) << "numbers may be lower than before";
  EXPECT_EQ(history_.findWrapped(50)->sequence, 50);
  EXPECT_EQ(history_.newest()->sequence, 100);
  history_.cull(Timestamp::seconds(60), Duration::millis(20));
  EXPECT_EQ(pool_.inUse(), 0u);
}

TEST_F(History, NothingIsFoundInAnEmptyOne) {
  EXPECT_EQ(history_.findWrapped(7), nullptr);
  EXPECT_EQ(history_.find(7), nullptr);
  history_.cull(Timestamp::seconds(1), {});
}

}  // namespace
}  // namespace parley::media
