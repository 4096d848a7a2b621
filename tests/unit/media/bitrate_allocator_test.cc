#include "media/bitrate_allocator.h"

#include <vector>

#include <gtest/gtest.h>

namespace parley::media {
namespace {

BitrateDemand video(int64_t minKbps, int64_t maxKbps, double priority = 1) {
  return {DataRate::kbps(minKbps), DataRate::kbps(maxKbps), priority, false, true, {}};
}
BitrateDemand audio(int64_t minKbps, int64_t maxKbps) {
  return {DataRate::kbps(minKbps), DataRate::kbps(maxKbps), 1, true, true, {}};
}
std::vector<int64_t> allocate(int64_t totalKbps, std::vector<BitrateDemand> demands) {
  allocateBitrate(DataRate::kbps(totalKbps), demands);
  std::vector<int64_t> kbps;
  for (const auto& d : demands) kbps.push_back((d.given.bps() + 500) / 1000);
  return kbps;
}

using V = std::vector<int64_t>;

TEST(BitrateAllocator, AudioIsServedFirst) {
  EXPECT_EQ(allocate(500, {video(30, 2000), audio(6, 32)}), (V{468, 32}));
  EXPECT_EQ(allocate(50, {video(30, 2000), audio(6, 32)}), (V{30, 32}));
}

TEST(BitrateAllocator, TheRestFollowsPriorityUpToEachMaximum) {
  EXPECT_EQ(allocate(1060, {video(30, 5000, 1), video(30, 5000, 3)}), (V{280, 780}));
  EXPECT_EQ(allocate(1000, {video(30, 100), video(30, 5000)}), (V{100, 900}));
  EXPECT_EQ(allocate(9000, {video(30, 100), video(30, 5000)}), (V{100, 5000}));
}

TEST(BitrateAllocator, LayersThatDoNotFitArePaused) {
  const std::vector<BitrateDemand> simulcast{video(30, 150), video(150, 500), video(600, 2500)};
  EXPECT_EQ(allocate(100, simulcast), (V{100, 0, 0}));
  EXPECT_EQ(allocate(300, simulcast), (V{90, 210, 0}));
  EXPECT_EQ(allocate(3150, simulcast), (V{150, 500, 2500}));
}

TEST(BitrateAllocator, TheFirstPictureIsNeverPaused) {
  EXPECT_EQ(allocate(10, {video(30, 150), video(150, 500)}), (V{30, 0}));
}

TEST(BitrateAllocator, InactiveStreamsAndDeadNetworksGetNothing) {
  auto inactive = video(30, 500);
  inactive.active = false;
  EXPECT_EQ(allocate(1000, {inactive, video(30, 400)}), (V{0, 400}));
  EXPECT_EQ(allocate(0, {audio(6, 32), video(30, 400)}), (V{0, 0}));
  EXPECT_EQ(allocate(1000, {}), V{});
}

}  // namespace
}  // namespace parley::media
