#include "api/packet_time.h"

#include <gtest/gtest.h>

namespace parley::api_internal {
namespace {

constexpr Duration ms(int64_t v) {
  return Duration::millis(v);
}

TEST(PacketTime, PacketsGetLongerWithLessRateAndShorterAgain) {
  PacketTime time;
  EXPECT_EQ(time.choose(DataRate::kbps(64), {}), ms(20));
  EXPECT_EQ(time.choose(DataRate::kbps(30), {}), ms(20));
  EXPECT_EQ(time.choose(DataRate::kbps(26), {}), ms(40));
  EXPECT_EQ(time.choose(DataRate::kbps(32), {}), ms(40)) << "no hurry back";
  EXPECT_EQ(time.choose(DataRate::kbps(16), {}), ms(60));
  EXPECT_EQ(time.choose(DataRate::kbps(22), {}), ms(60));
  EXPECT_EQ(time.choose(DataRate::kbps(25), {}), ms(40));
  EXPECT_EQ(time.choose(DataRate::kbps(64), {}), ms(20));
}

TEST(PacketTime, ThePeersLimitHolds) {
  PacketTime time;
  EXPECT_EQ(time.choose(DataRate::kbps(16), ms(40)), ms(40));
  EXPECT_EQ(time.choose(DataRate::kbps(16), ms(10)), ms(20)) << "no length of ours";
}

}  // namespace
}  // namespace parley::api_internal
